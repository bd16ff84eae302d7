/* map_fused.h - expressions that are worth a loop of their own: their operands pass through registers once instead of
 * once per step. An expression is found by its structure, so whatever optimizer, layer or config it comes from, it is
 * fast. Only map.c includes this.
 */
#ifndef ENGINE_CPU_MAP_FUSED_H
#define ENGINE_CPU_MAP_FUSED_H

#include "engine/cpu/rows.h"

enum { FUSED_INPUTS = 5, FUSED_CONSTANTS = 3, FUSED_RESULTS = 3 };

/* An expression as one of the table: which of its inputs, constants and results play which part. */
struct map_fused {
    const struct fused_kind *kind;
    int inputs[FUSED_INPUTS];   /* number of the expression's input */
    int results[FUSED_RESULTS]; /* number of its result */
    float constants[FUSED_CONSTANTS];
};

/* What an input can be: of the result's shape, a row that repeats along the last axis, one number for all elements. */
enum fused_part { FUSED_DENSE, FUSED_ROW, FUSED_SCALAR };

/* False when e is none of the table. is(context, input, part) says whether an input can play a part. */
bool map_fused_find(struct map_fused *fused, const struct expr *e,
                    bool (*is)(const void *context, int input, enum fused_part part), const void *context);
/* Whether one of the inputs is a row: then a call must not go beyond the end of a row. */
bool map_fused_has_rows(const struct map_fused *fused);
/* in: by number of the expression's input, where the n elements begin (rows too); scalars point to the number. out: by
 * result. */
void map_fused_run(const struct map_fused *fused, const struct rows *rows, const float *const *in, float *const *out,
                   int64_t n);

#endif
