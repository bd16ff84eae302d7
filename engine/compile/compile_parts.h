/* compile_parts.h - what a compile consists of; between the files of this folder. */
#ifndef ENGINE_COMPILE_COMPILE_PARTS_H
#define ENGINE_COMPILE_COMPILE_PARTS_H

#include "engine/compile/compile.h"
#include "engine/compile/metrics.h"
#include "engine/compile/optimizers.h"

struct compile_parts {
    struct loss **losses; /* per output of the model; NULL = none */
    int n_losses;         /* that are not NULL */
    struct metric **metrics;
    int n_metrics;
    struct optimizer *optimizer;          /* NULL = inference only */
    struct variable *loss_totals[2];      /* of "loss" */
    struct variable *(*output_totals)[2]; /* per output, of "<output>_loss"; unused ones NULL. NULL with one loss */
};

/* compile_config.c: reads losses and metrics, sorts them to the outputs, names the keys. */
bool compile_read_losses(struct compile *compile, const char *where, struct err *err);
bool compile_read_metrics(struct compile *compile, const char *where, struct err *err);
/* Whether json is a loss or metric itself and not an object of them by output. */
bool compile_is_leaf(const json_t *json);

#endif
