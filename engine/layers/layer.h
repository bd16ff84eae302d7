/* layer.h - one layer class = one row: its arguments, the variables it builds, the ops it lowers to.
 *
 * To add a layer: one row in the table of its family file (layers_<family>.c) with build and lower, and its Keras cases
 * in tests/keras. Arguments are checked against the row (unknown name, wrong type, nearest name) before build is
 * called.
 */
#ifndef ENGINE_LAYERS_LAYER_H
#define ENGINE_LAYERS_LAYER_H

#include "engine/layers/arguments.h"
#include "engine/layers/model.h"

enum { LAYER_MAX_VARIABLES = 64, LAYER_MAX_OUTPUTS = 16 };

struct activation;
struct constraint;
struct regularizer;

struct layer_variable { /* a variable of a layer; `variable` is what the rest of the engine sees */
    struct variable variable;
    bool weight; /* created trainable: takes part in the gradient unless frozen, and is saved before those that never do
                  */
    const struct regularizer *regularizer; /* NULL = none */
    const struct constraint *constraint;   /* NULL = none */
    const char *group; /* where the file keeps it below the layer: "query_dense"; NULL = the layer's own variables */
};

/* What a layer's call takes besides Sequential's one input: the parameters of Keras' call(), in order. */
enum call_kind {
    CALL_TENSOR, /* a tensor, or null */
    CALL_BOOL
};
struct call_argument {
    const char *name; /* NULL ends the list */
    enum call_kind kind;
};

struct layer {
    const struct layer_class *class;
    const char *name, *where; /* where: its place for messages, "model.layers[2]" */
    const char *path;         /* "encoder/dense": with the names of the nested models around it */
    const char *spec_class;   /* the class as the config writes it */
    const char *h5_group;     /* "layers/dense_1" with nested prefixes; NULL for operations */
    const json_t *config;     /* checked: every key is known, types are right; defaults NOT filled in (use arg_*) */
    bool trainable;
    bool bfloat16; /* the policy mixed_bfloat16: variables are float32, computed is in bfloat16 */
    struct variable
        *variables[LAYER_MAX_VARIABLES]; /* in Keras' order of creation; each is in a struct layer_variable */
    int n_variables;
    const struct regularizer *activity_regularizer; /* NULL = none */
    struct shape input_shape, output_shape;         /* first call, without batch; first input/output */
    const struct call_spec *first_call;             /* while build runs; its args are NULL inside a Sequential */
    int n_outputs; /* of the first call; 1 unless build of a row with `call` says more */
    /* then its outputs' shapes, without batch, in the model's arena; [0] is unused */
    const struct shape *outputs;
    const char *part, *part_name; /* of the variables that are added next, see layer_begin_part */
    int number;                   /* in model->layers */
    uint32_t stream;              /* number of its random stream */
    void *state;                  /* what build computed, in the model's arena */
    const struct layer *parent;   /* the layer that it stands inside of (layer_add_part), or NULL */
    struct layer_part *parts;     /* the layers inside it, in order of layer_add_part */
    /* the models around it do; as in Keras, a frozen wrapper alone does not freeze its parts */
    bool around_trains;
};

/* What a lowering may use. */
struct lowering {
    const struct model *model;
    struct graph *graph;
    int64_t batch;        /* of the model; inside a TimeDistributed a layer sees more samples */
    enum model_mode mode; /* MODE_INFER also for a layer that is frozen where Keras does so (BatchNormalization) */
    struct value *step;
    const struct call_spec *call; /* this call as the config writes it; NULL for an InputLayer or inside a Sequential */
    int *calls;                   /* calls so far, by layer->number */
    int call_number; /* 0 = the layer's first call in this graph: keeps the random streams of shared layers apart */
    struct value *penalty;  /* sum of activity regularization so far, NULL = none */
    struct value **masks;   /* of this call's inputs, NULL where there is none: float (batch, steps...), 1 = the step
                               counts, 0 = padding. Set to NULL by `mask`: whoever reads the input later finds none */
    struct value **outputs; /* lower writes [1..] when its layer has several outputs; [0] is what it returns */
    struct value **output_masks; /* likewise for mask */
};

/* What a layer of the policy mixed_bfloat16 rounds, as its class does in Keras. */
enum autocast {
    CAST_ALL,      /* inputs and variables (layer_value), and its outputs */
    CAST_FEATURES, /* inputs and outputs; variables stay float32: BatchNormalization */
    CAST_OUTPUTS,  /* only outputs: Embedding, norms that compute in float32 */
    CAST_NOTHING   /* categories and counts */
};

struct layer_class {
    const char *name;
    const char *help;                 /* one sentence */
    const struct argument *arguments; /* ends with a row without a name; name, trainable, dtype are known to all */
    int min_inputs, max_inputs;       /* -1 = any number */
    /* inputs: shapes without batch. Declares variables (layer_add_variable), checks shapes, sets *output. */
    bool (*build)(struct layer *layer, struct model *model, const struct shape *inputs, int n_inputs,
                  struct shape *output, struct err *err);
    /* Returns the output (with batch); errors through graph_fail. */
    struct value *(*lower)(struct layer *layer, struct lowering *l, struct value *const *inputs, int n_inputs);
    /* The output's mask, from l->masks or its own; may be NULL. No function: the layer does not support masking, so
     * that a mask ends here, as in Keras. mask_pass (layer_support.h) hands on the first input's. */
    struct value *(*mask)(struct layer *layer, struct lowering *l, struct value *const *inputs, int n_inputs);
    /* Rows with several outputs or inputs that are told apart by name. NULL: the call takes the inputs, training and,
     * where there is a mask function, mask. Else the inputs that build, lower and mask see are all tensors of the call,
     * positional ones first; call_tensors tells which is which. */
    const struct call_argument *call;
    enum autocast autocast;
};

/* Which inputs of a call are the argument `name`: the first one's number and how many (a list may hold several). false
 * and 0 when it is not given or null. call NULL, or one without args: the one input is the first argument. */
bool call_tensors(const struct layer_class *class, const struct call_spec *call, const char *name, int *first, int *n);
/* A CALL_BOOL argument; false when it is not given. */
bool call_flag(const struct layer_class *class, const struct call_spec *call, const char *name);

/* The variables added from now on belong to an object inside the layer: `part` is its group in .keras files
 * ("query_dense", "cell"), `name` its name in paths and legacy files ("query", "lstm_cell"). NULL, NULL: to the layer
 * itself again. Both are lent and must live as long as the layer. */
void layer_begin_part(struct layer *layer, const char *part, const char *name);
/* Appends a variable in creation order. initializer_argument: the argument that names its initializer,
 * "kernel_initializer" (its regularizer and constraint are then "kernel_regularizer" and "kernel_constraint"), or NULL
 * for default_initializer alone. */
struct variable *layer_add_variable(struct layer *layer, struct model *model, const char *name, struct shape shape,
                                    bool trainable, const char *initializer_argument, const char *default_initializer,
                                    struct err *err);
/* The same with the initializer's JSON itself; no regularizer and no constraint. */
struct variable *layer_add_variable_from(struct layer *layer, struct model *model, const char *name, struct shape shape,
                                         bool trainable, const json_t *initializer, const char *default_initializer,
                                         struct err *err);
/* NULL when there is no such row. Aliases are known. Operations of a graph (h5_group NULL) are all one class. */
const struct layer_class *layer_class_find(const char *class_name);
const struct layer_class *layer_class_operation(void);
/* Refuses a class without a row: known to Keras only, Python code, or unknown with the nearest name. Returns false. */
bool layer_class_refuse(const char *class_name, const char *name, const char *where, struct err *err);

#endif
