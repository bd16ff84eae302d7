/* sample.h - one sample of a data set and what a model says of it, read from a worker's answer and drawn: as a picture
 * in half blocks, as a row of a table, as text; beside it the classes with their probabilities, or the numbers it says
 * and the true ones.
 *
 *     struct sample_data data;
 *     sample_data_read(&data, json_object_get(result, "data"), &arena);
 *     struct sample sample;
 *     sample_read(&sample, detail, output, &arena);
 *     sample_draw(&sample, &data, app, grid, rect);
 */
#ifndef TUI_RESULTS_SAMPLE_H
#define TUI_RESULTS_SAMPLE_H

#include "tui/app/app.h"

struct sample_data { /* what was learnt of the data when the model was trained; all in the arena */
    int64_t total;   /* samples of this part */
    const char **classes, **columns,
        **vocabulary; /* names of classes, of a table's inputs, characters of tokens; NULL: none */
    size_t n_classes, n_columns, n_vocabulary;
    bool bytes;                        /* tokens are bytes */
    bool plain_classes;                /* another output than the first: its classes have no names */
    const double *subtract, *multiply; /* of the first input: value = number / multiply + subtract; n_scale of them */
    size_t n_scale;
    const char *here, *there; /* names of the checkpoint and its rival; NULL where there is none */
};

enum { SAMPLE_MAX_INPUTS = 4, SAMPLE_MAX_RANK = 4, SAMPLE_MAX_OTHERS = 6 };
struct numbers {
    const char *name; /* NULL: the only one */
    int rank, dim[SAMPLE_MAX_RANK];
    const float *values; /* n of them; n 0: too many to be sent */
    size_t n;
};
struct sample {
    int64_t index, label, predicted; /* -1: it has no such class */
    double probability;              /* of the predicted class, NAN */
    double loss;                     /* how wrong it is, NAN: not said */
    struct numbers inputs[SAMPLE_MAX_INPUTS];
    int n_inputs;
    struct numbers output, target;         /* of the first output; n 0: none */
    const char *others[SAMPLE_MAX_OTHERS]; /* of the other outputs, as lines: "depth  0.12 0.88" */
    int n_others;
    const struct sample *rival; /* the same sample as another checkpoint sees it; NULL: none */
};

/* json may be NULL: nothing is known. */
void sample_data_read(struct sample_data *data, const json_t *json, struct arena *arena);
/* output: that of the first output, nested arrays; NULL: what detail says itself. Values are copied into the arena. */
void sample_read(struct sample *sample, const json_t *detail, const json_t *output, struct arena *arena);

/* Of another output than the first, instead of what sample_read took: what is true and said of it (job predict). */
void sample_read_truth(struct sample *sample, const json_t *truth, struct arena *arena);

/* What another output says of it: nested arrays, of which the first numbers are kept. */
void sample_add_other(struct sample *sample, const char *name, const json_t *output, struct arena *arena);

/* The name of a class, or its number. Returns text. */
char *sample_class(const struct sample_data *data, int64_t label, char *text, size_t size);
/* The same in at most `columns`: the middle of a long name is left out, for names often differ at their ends. */
char *sample_class_within(const struct sample_data *data, int64_t label, int columns, char *text, size_t size);
/* The last of a sequence of tokens; scores: the most probable one of the last row. NULL: the data are no text. Returns
 * text. */
char *sample_last_token(const struct sample_data *data, const struct numbers *numbers, bool scores, char *text,
                        size_t size);
bool sample_is_right(const struct sample *sample);
/* |predicted - true| where both are one number, else NAN. */
double sample_error(const struct sample *sample);
/* Whether an input is drawn as a picture: channels-last with 1 or 3 channels, or a flat square. */
bool sample_is_picture(const struct numbers *input, int *height, int *width, int *channels);

/* Fills the rectangle: the sample, and what the model says of it. */
void sample_draw(const struct sample *sample, const struct sample_data *data, const struct app *app, struct grid *grid,
                 struct rect rect);
/* Only the picture, as large as fits; returns the rows used, 0 when it is none. */
int sample_draw_picture(const struct sample *sample, const struct app *app, struct grid *grid, struct rect rect);

#endif
