/* config_table.c - the one table of config keys, see run_config.h */
#include "persistence/config/run_config.h"

#define S CONFIG_STRING
#define I CONFIG_INT
#define N CONFIG_NUMBER
#define B CONFIG_BOOL
#define O CONFIG_OBJECT
#define L CONFIG_LIST
#define A CONFIG_ANY
/* The last four columns: required, min, max, choices. */
#define ANY false, 0, 0, NULL
#define REQUIRED true, 0, 0, NULL
#define RANGE(min, max) false, min, max, NULL
#define ONE_OF(choices) false, 0, 0, choices
#define REQUIRED_OF(choices) true, 0, 0, choices
#define MANY 9e15 /* "no upper limit" for whole numbers */

static const char formats[] = "csv|npy|npz|idx|cifar10|images|text|synthetic";
static const char generators[] = "moons|circles|blobs|spirals|xor|linear|sine";

static const struct config_key keys[] = {
    {"name", S, "string", NULL, "Name of the run; without it the name of the file.", ANY},
    {"description", S, "string", NULL, "What this shows and the result to expect.", ANY},
    {"seed", I, "integer", "0", "Seed of initial weights, order of samples, dropout and synthetic data.",
     RANGE(0, MANY)},
    {"device", S, "string", "\"auto\"",
     "auto, cpu, cuda or cuda:K (a GPU needs a build with CUDA; antler doctor lists what there is).", ANY},
    {"conv_algorithm", S, "string", "\"auto\"",
     "How convolutions are computed: auto takes Winograd's algorithm where it is faster (3x3 without stride), with "
     "about twice the rounding error; direct sums plain products everywhere.",
     ONE_OF("auto|direct")},
    {"dtype_policy", S, "string", NULL,
     "Keras' policy of all layers that have no \"dtype\" of their own: float32, or mixed_bfloat16 (weights, optimizer "
     "and losses are float32, layers compute in bfloat16). Given with a model file, all its layers take it, but those "
     "that a mixed model kept in float32.",
     ONE_OF("float32|mixed_bfloat16")},
    {"folder", S, "string", NULL,
     "Absolute folder that relative paths start from; written by antler into the resolved config.", ANY},

    {"data", O, "object", NULL, "Where samples come from and how they are split, scaled and shaped.", REQUIRED},
    {"data[].format", S, "string", NULL, "Kind of the source.", REQUIRED_OF(formats)},
    {"data[].shape", L, "list of integers or object", NULL,
     "Shape of one sample, without the number of samples; the elements are taken row by row. With several inputs: an "
     "object input name -> shape.",
     ANY},
    {"data[].scale", A, "number or string or object", NULL,
     "What inputs are multiplied by: a factor, or a fraction as text such as \"1/255\". \"minmax\" maps to 0..1, "
     "\"standard\" to mean 0 and deviation 1, for each position of the last axis, fitted on the training part and "
     "kept with the run. With several inputs also an object input name -> scale.",
     ANY},
    {"data[].dtype", S, "string or object", NULL,
     "NumPy name of the type the model is fed with. Floating types are delivered as float32, integer types as int32. "
     "Default float32, for text int32. With several inputs also an object input name -> dtype.",
     ANY},
    {"data[].one_hot", I, "integer", NULL, "Number of classes: labels become vectors of that length with a single 1.",
     RANGE(2, 1e6)},
    {"data[].validation_split", N, "number", "0.0",
     "Share of all samples used for validation, as in Keras: the last ones (those before the test part), taken before "
     "any shuffling.",
     RANGE(0, 1)},
    {"data[].test_split", N, "number", "0.0", "Share of all samples set aside for testing: the very last ones.",
     RANGE(0, 1)},
    {"data[].validation", O, "object", NULL,
     "A data object of its own for validation. Keys it does not have are those of this object.", ANY},
    {"data[].test", O, "object", NULL, "A data object of its own for testing, in the same way.", ANY},

    {"data[csv]", O, "object", NULL, "A table as text, one sample a line; .gz is read too.", ANY},
    {"data[csv].path", S, "string", NULL, "The file.", REQUIRED},
    {"data[csv].label", A, "string or integer or list or null", "-1",
     "Column of the target: name or index, -1 is the last; a list for several, null for none. A column of text becomes "
     "classes in sorted order.",
     ANY},
    {"data[csv].columns", L, "list", NULL,
     "Names or indices of the columns that are inputs; without it all but the labels.", ANY},
    {"data[csv].delimiter", S, "string", "\",\"", "The one character between columns; \"\\t\" for tabulators.", ANY},
    {"data[csv].header", A, "boolean or string", "\"auto\"",
     "Whether the first line holds names. auto: it does when it has no number at all, or text above a number.",
     ONE_OF("auto")},
    {"data[csv].missing", S, "string", "\"error\"",
     "What to do with empty cells, NA, N/A, NaN, null, None and ?: stop, drop the line, or put 0 or the mean of the "
     "column's training part.",
     ONE_OF("error|drop|zero|mean")},

    {"data[npy]", O, "object", NULL, "NumPy arrays, first axis = samples. Uncompressed files are mapped, not copied.",
     ANY},
    {"data[npy].x", A, "string or list of strings or object", NULL,
     "File of the input; several: a list, or an object input name -> file.", REQUIRED},
    {"data[npy].y", A, "string or list of strings or object", NULL,
     "File of the target; several: a list, or an object output name -> file.", ANY},
    {"data[npy].sample_weight", S, "string", NULL, "File with one weight per sample.", ANY},

    {"data[npz]", O, "object", NULL, "Arrays inside one .npz archive.", ANY},
    {"data[npz].path", S, "string", NULL, "The archive.", REQUIRED},
    {"data[npz].x", A, "string or list of strings or object", "\"x\"",
     "Name of the input array; several: a list, or an object input name -> array.", ANY},
    {"data[npz].y", A, "string or list of strings or object or null", "\"y\"",
     "Name of the target array; several: a list, or an object output name -> array; null for none.", ANY},
    {"data[npz].sample_weight", S, "string", NULL, "Name of the array with one weight per sample.", ANY},

    {"data[idx]", O, "object", NULL, "The files of MNIST and its relatives; .gz is read too.", ANY},
    {"data[idx].images", S, "string", NULL, "File of the inputs.", REQUIRED},
    {"data[idx].labels", S, "string", NULL, "File of the targets.", ANY},

    {"data[cifar10]", O, "object", NULL,
     "The binary version of CIFAR-10: 32 x 32 x 3 pictures. test_batch.bin becomes the test part.", ANY},
    {"data[cifar10].path", S, "string", NULL, "Folder with data_batch_1.bin and so on, or one such file.", REQUIRED},

    {"data[images]", O, "object", NULL,
     "A folder of class folders with PNG and JPEG pictures, values 0..255. Pictures are ordered by a hash of their "
     "names, so that every class falls into every part.",
     ANY},
    {"data[images].path", S, "string", NULL, "The folder; the names of its folders are the classes, in sorted order.",
     REQUIRED},
    {"data[images].size", L, "list of integers", NULL,
     "[height, width]: pictures are resized to it (bilinear). Without it all must have the same size.", ANY},
    {"data[images].color_mode", S, "string", "\"rgb\"", "Channels of a picture: 3, 1 or 4.",
     ONE_OF("rgb|grayscale|rgba")},

    {"data[text]", O, "object", NULL,
     "Text in UTF-8 for next-token models: windows of tokens, targets are the same windows one token later.", ANY},
    {"data[text].path", S, "string", NULL, "The file.", REQUIRED},
    {"data[text].vocabulary", S, "string", "\"chars\"",
     "Tokens are the characters that occur, in sorted order, or the 256 bytes.", ONE_OF("chars|bytes")},
    {"data[text].sequence_length", I, "integer", "64", "Tokens in a sample.", RANGE(1, 1e6)},
    {"data[text].stride", I, "integer", NULL,
     "Tokens from one sample's start to the next; default is sequence_length, so that samples do not overlap.",
     RANGE(1, 1e6)},

    {"data[synthetic]", O, "object", NULL, "Samples drawn from a formula.", ANY},
    {"data[synthetic].name", S, "string", NULL, "The generator.", REQUIRED_OF(generators)},
    {"data[synthetic].samples", I, "integer", "1000", "How many.", RANGE(1, 1e9)},
    {"data[synthetic].noise", N, "number", "0.1", "Deviation of the normal noise.", RANGE(0, 1e6)},
    {"data[synthetic].seed", I, "integer", NULL, "Seed of the samples; without it the run's seed.", RANGE(0, MANY)},

    {"model", O, "object", NULL, "Layers, a model file, or a Keras config pasted in.", REQUIRED},
    {"model.name", S, "string", NULL, "Name of the model.", ANY},
    {"model.layers", L, "list of objects", NULL,
     "{\"class\": \"Dense\", \"units\": 10, ...}, in Keras' words. In a row they are a Sequential. With \"inputs\": "
     "[\"a\", \"b\"] (names of layers) they form a graph; \"inputs\": [[\"a\"], [\"b\"]] calls the layer several "
     "times (a shared layer), and its results are called \"name:0\", \"name:1\". \"call\" holds call arguments.",
     ANY},
    {"model.layers[].class", S, "string", NULL, "Class of the layer; its other keys are the arguments of the class.",
     REQUIRED},
    {"model.outputs", L, "list of strings", NULL,
     "Names of the layers that are outputs; without it those whose result no other layer uses.", ANY},
    {"model.file", S, "string", NULL, "A .keras file or the text of Keras' to_json().", ANY},
    {"model.weights", S, "string", NULL, "A .weights.h5 or .keras file to start from.", ANY},
    {"model.skip_mismatch", B, "boolean", "false", "Leave layers as they are whose weights do not fit.", ANY},
    {"model.freeze", L, "list of strings", NULL, "Patterns of layer names (\"conv*\") that are not trained.", ANY},
    {"model.class_name", S, "string", NULL, "Class of a pasted Keras config: Sequential, Functional or Model.", ANY},
    {"model.config", O, "object", NULL, "The pasted config.", ANY},
    {"model.module", S, "string or null", NULL, "As Keras writes it.", ANY},
    {"model.registered_name", S, "string or null", NULL, "As Keras writes it.", ANY},
    {"model.build_config", O, "object or null", NULL, "As Keras writes it; not needed.", ANY},
    {"model.compile_config", O, "object or null", NULL, "As Keras writes it; used where the config has no \"compile\".",
     ANY},

    {"compile", O, "object", NULL, "Keras' compile(). May be left out where the model file has its own.", ANY},
    {"compile.optimizer", O, "string or object", "\"rmsprop\"",
     "Name, or {\"class\": \"Adam\", \"learning_rate\": 0.001, ...}.", ANY},
    {"compile.loss", A, "string or object or list or null", NULL,
     "Name or object with a class; a list or an object output name -> loss for several outputs.", REQUIRED},
    {"compile.loss_weights", A, "number or list or object or null", NULL, "Factors of the outputs' losses.", ANY},
    {"compile.metrics", L, "list or object or string or null", NULL,
     "Names or objects with a class; a list or an object per output for several outputs.", ANY},
    {"compile.weighted_metrics", L, "list or object or string or null", NULL, "Metrics that sample weights apply to.",
     ANY},

    {"fit", O, "object", NULL, "Keras' fit().", ANY},
    {"fit.epochs", I, "integer", "1", "Number of the last epoch: a resumed run goes on until there.", RANGE(1, MANY)},
    {"fit.batch_size", I, "integer or null", "32", "Samples in a step; the last batch of an epoch may be smaller.",
     RANGE(1, 1e9)},
    {"fit.shuffle", B, "boolean", "true", "A new order of the training samples for every epoch.", ANY},
    {"fit.initial_epoch", I, "integer", "0", "Epochs that count as done.", RANGE(0, MANY)},
    {"fit.validation_freq", A, "integer or list of integers", "1",
     "Validate after every so many epochs, or after the listed ones.", RANGE(1, MANY)},
    {"fit.validation_batch_size", I, "integer or null", NULL, "Default is batch_size.", RANGE(1, 1e9)},
    {"fit.steps_per_epoch", I, "integer or null", NULL, "Steps in an epoch; default is all samples.", RANGE(1, MANY)},
    {"fit.validation_steps", I, "integer or null", NULL, "Batches of a validation; default is all samples.",
     RANGE(1, MANY)},
    {"fit.class_weight", O, "object or null", NULL, "Class index -> weight of its samples in the loss.", ANY},

    {"callbacks", L, "list of objects", NULL, "{\"class\": \"EarlyStopping\", ...}, in Keras' words.", ANY},
    {"callbacks[].class", S, "string", NULL, "Class of the callback; its other keys are the arguments of the class.",
     REQUIRED},
    {"keep", I, "integer or null", NULL,
     "How many of the newest epoch checkpoints stay; without it all. The best one always stays.", RANGE(1, MANY)},
    {"backup_minutes", N, "number", "10",
     "Training time after which the state is saved although no checkpoint was due, for resuming after a kill; the next "
     "checkpoint removes it. 0 = never.",
     RANGE(0, 1e6)},
    {"history", O, "object", NULL, "What is recorded besides one value per epoch.", ANY},
    {"history.every_steps", I, "integer", "0", "Record the loss of a batch every so many steps; 0 = never.",
     RANGE(0, MANY)},
};

const struct config_key *config_keys(size_t *n)
{
    *n = sizeof keys / sizeof *keys;
    return keys;
}
