/* layer_table.c - all layer classes: finding one, describing all, refusing what has no row */
#include "engine/layers/layer_support.h"
#include "engine/layers/initializers.h"

#include <string.h>

static const struct layer_class *const families[] = {
    layers_core,   layers_activation,    layers_conv,      layers_pool,    layers_norm,      layers_merge,
    layers_shape,  layers_random,        layers_recurrent, layers_wrapper, layers_attention, layers_attention_scores,
    layers_einsum, layers_preprocessing, layers_custom,
};
enum { N_FAMILIES = sizeof families / sizeof families[0] };

/* Classes of Keras that have no row here. */
static const char *const keras_only[] = {
    "AdaptiveAveragePooling1D",
    "AdaptiveAveragePooling2D",
    "AdaptiveAveragePooling3D",
    "AdaptiveMaxPooling1D",
    "AdaptiveMaxPooling2D",
    "AdaptiveMaxPooling3D",
    "AugMix",
    "AutoContrast",
    "CenterCrop",
    "ContrastLimitedAdaptiveHistogramEqualization",
    "ConvLSTM1D",
    "ConvLSTM2D",
    "ConvLSTM3D",
    "Cropping3D",
    "CutMix",
    "Equalization",
    "FlaxLayer",
    "HashedCrossing",
    "Hashing",
    "IntegerLookup",
    "JaxLayer",
    "MaxNumBoundingBoxes",
    "MelSpectrogram",
    "MixUp",
    "Pipeline",
    "RandAugment",
    "RandomBrightness",
    "RandomColorDegeneration",
    "RandomColorJitter",
    "RandomContrast",
    "RandomCrop",
    "RandomElasticTransform",
    "RandomErasing",
    "RandomFlip",
    "RandomGaussianBlur",
    "RandomGrayscale",
    "RandomHue",
    "RandomInvert",
    "RandomPerspective",
    "RandomPosterization",
    "RandomRotation",
    "RandomSaturation",
    "RandomSharpness",
    "RandomShear",
    "RandomTranslation",
    "RandomZoom",
    "Resizing",
    "ReversibleEmbedding",
    "STFTSpectrogram",
    "Solarization",
    "SpectralNormalization",
    "StringLookup",
    "TernaryDense",
    "TextVectorization",
    "UpSampling3D",
    "ZeroPadding3D",
};
enum { N_KERAS_ONLY = sizeof keras_only / sizeof keras_only[0] };

static const char *const python_code[] = {"Lambda", "TFSMLayer", "TorchModuleWrapper", "Wrapper"};

const struct layer_class *layer_class_find(const char *class_name)
{
    class_name = keras_canonical_class(class_name);
    for (int i = 0; i < N_FAMILIES; i++)
        for (const struct layer_class *row = families[i]; row->name; row++)
            if (!strcmp(row->name, class_name))
                return row;
    return NULL;
}

static void list_known(struct str *out, const char **names, size_t *n)
{
    for (int i = 0; i < N_FAMILIES; i++)
        for (const struct layer_class *row = families[i]; row->name; row++) {
            str_addf(out, "%s%s", *n ? ", " : "", row->name);
            names[(*n)++] = row->name;
        }
}

bool layer_class_refuse(const char *class_name, const char *name, const char *where, struct err *err)
{
    const char *names[160];
    struct str known = {0};
    size_t n = 0;
    list_known(&known, names, &n);
    const char *nearest = str_nearest(class_name, names, n);
    for (size_t i = 0; i < sizeof python_code / sizeof python_code[0]; i++)
        if (!strcmp(python_code[i], class_name)) {
            err_set(err, ERR_USAGE,
                    "%s: layer '%s' is a %s, which contains Python code; antler never runs code from a file", where,
                    name, class_name);
            goto done;
        }
    for (int i = 0; i < N_KERAS_ONLY; i++)
        if (!strcmp(keras_only[i], class_name)) {
            err_set(err, ERR_USAGE, "%s: layer '%s' is a %s of Keras, which antler cannot run%s%s", where, name,
                    class_name, nearest ? "; nearest is " : "; known: ", nearest ? nearest : str_text(&known));
            goto done;
        }
    err_set(err, ERR_USAGE, "%s: layer '%s' has the unknown class '%.100s'%s%s%s", where, name, class_name,
            nearest ? ", did you mean '" : "; known: ", nearest ? nearest : str_text(&known), nearest ? "'?" : "");
done:
    str_release(&known);
    return false;
}

json_t *layers_describe(void)
{
    json_t *layers = json_array();
    for (int i = 0; i < N_FAMILIES; i++)
        for (const struct layer_class *row = families[i]; row->name; row++)
            json_array_append_new(layers, class_describe(row->name, row->help, row->arguments));
    return json_pack("{s:o, s:o, s:o, s:o, s:o}", "layers", layers, "activations", activations_describe(),
                     "initializers", initializers_describe(), "regularizers", regularizers_describe(), "constraints",
                     constraints_describe());
}
