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

/* False when e is none of the table. scalar(context, input) says whether an input is one number for all elements: the
 * parts that must be are, and those that must have the result's shape are found by dense(context, input). */
bool map_fused_find(struct map_fused *fused, const struct expr *e, bool (*scalar)(const void *context, int input),
                    bool (*dense)(const void *context, int input), const void *context);
/* in: by number of the expression's input, where the n elements begin; scalars point to the number. out: by result. */
void map_fused_run(const struct map_fused *fused, const struct rows *rows, const float *const *in, float *const *out,
                   int64_t n);

#endif
