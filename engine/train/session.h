/* session.h - a model, its data and a device brought together: what training, evaluating, predicting and checking start
 * from.
 *
 * A session is opened from a config, from a model file, or from both (resume: the config says what to do, the file
 * where to start). It owns everything it opens. The architecture comes from the config's model, unless that is itself a
 * file or the checkpoint is to be taken as it is; weights come from the checkpoint, else from the config's model.file /
 * model.weights, else from the initializers. Foreign files are read in the sandbox of persistence/keras/keras_file.h.
 *
 *     struct session_options options = {.config = config, .folder = folder, .where = "a.json"};
 *     struct session *s = session_open(&options, err);
 *     if (!s || !session_start_device(s, err)) ...
 */
#ifndef ENGINE_TRAIN_SESSION_H
#define ENGINE_TRAIN_SESSION_H

#include "engine/compile/compile.h"
#include "engine/data/dataset.h"
#include "engine/train/profile.h"

enum session_model {
    SESSION_MODEL_OF_CONFIG, /* train, check, resume: the config's model, with the checkpoint's weights if one is given
                              */
    SESSION_MODEL_OF_FILE /* evaluate, predict: the checkpoint's own architecture and compile settings where it has them
                           */
};

struct session_options {
    const json_t *config;   /* the run's config; NULL for a bare model file */
    const char *folder;     /* the config's paths are relative to it */
    const char *where;      /* names the config in messages */
    const char *checkpoint; /* path of a model file, or NULL */
    enum session_model model;
    const json_t *data;  /* the data object to use instead of the config's; NULL */
    const json_t *scale; /* fitted scale to use; NULL = the checkpoint's, else fitted anew */
    const char *device;  /* NULL = the config's, else "auto" */
    int threads;         /* 0 = $ANTLER_THREADS, else what affinity and cgroup allow */
    bool inference;      /* no optimizer is made */
    bool without_data;   /* predict on a file of its own */
    /* without_data: what fills the open dimensions of the first input; NULL = nothing known */
    const struct shape *sample_shape;
    struct profile *profile; /* what its steps tell their times; NULL. Lent */
};

struct session {
    json_t *config; /* a reference; never NULL (an empty object for a bare file) */
    struct model_spec *spec;
    struct model *model;
    struct compile *compile; /* NULL: nothing to train or measure with is known (a file that was never compiled) */
    json_t *compile_config;  /* what compile was made from */
    struct dataset *data;    /* NULL without_data */
    struct keras_file *file; /* the checkpoint, or the config's model.file; NULL */
    struct keras_file *weights_file; /* the config's model.weights; NULL */
    char *file_path;                 /* "'x.keras'", as messages name session->file */
    bool wants_optimizer_state;      /* the file's, when it fits: on resume, and for a config without 'compile' */
    bool optimizer_loaded;           /* it is taken over */
    float config_learning_rate;      /* the variable's value before that; NaN with a schedule */
    const json_t *antler;            /* our part of the file's metadata, lent; NULL for a file not of ours */
    const struct backend *backend;
    struct device *device;
    int device_number;    /* of several like ones: K of cuda:K */
    char device_name[24]; /* "cpu", "cuda:0": what it is, where a person wrote "auto" or "cuda" */
    int n_threads;        /* as asked for, 0 = automatic */
    struct profile *profile;
    uint64_t seed;
    struct variable **variables; /* all that live on the device: the model's, the optimizer's, the metric totals */
    int n_variables, n_saved;    /* the first n_saved are what a checkpoint holds */
    struct str warnings;         /* one per line: what a person should know though it is no error */
};

struct session *session_open(const struct session_options *options, struct err *err);
/* Opens the device and gives every variable its storage and first value: from the files, else from the initializers. */
bool session_start_device(struct session *session, struct err *err) MUST_USE;
void session_close(struct session *session);
/* False and ERR_DEVICE, why, once the device has failed (backend->works): what it has given since its last success is
 * NaN. Costs nothing; to be asked whenever results were read, before they are used. */
bool session_works(const struct session *session, struct err *err) MUST_USE;

/* Is there something to train or measure with? ERR_USAGE says why the file's own compile settings were of no use. */
bool session_needs_compile(const struct session *session, const char *where, struct err *err) MUST_USE;

/* Copies between the device and dense host memory. */
void session_upload(struct session *session, const struct variable *variable, const void *from);
void session_download(struct session *session, const struct variable *variable, void *to);

/* An argument of the config's fit object (checked by config_check), or its default. */
int64_t session_fit_int(const struct session *session, const char *key, int64_t otherwise);

/* Which array of the data feeds an input (target of an output): by name, else by position; -1 when there is none. */
int session_input_field(const struct session *session, const struct dataset *data, int input);
int session_target_field(const struct session *session, const struct dataset *data, int output);
/* Shapes of the inputs, and class numbers among the targets of a sparse loss; ERR_USAGE says found,
 * expected and what would help. */
bool session_check_data(const struct session *session, struct dataset *data, const char *where,
                        struct err *err) MUST_USE;

#endif
