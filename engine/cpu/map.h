/* map.h - an elementwise expression over a whole tensor, in tiles that stay in the L1 cache: every step of the
 * expression is a vector loop over one tile. Operands are broadcast while they are loaded. Used by the op `map` and as
 * the epilogue of products.
 */
#ifndef ENGINE_CPU_MAP_H
#define ENGINE_CPU_MAP_H

#include "engine/cpu/rows.h"
#include "engine/graph/graph.h"

enum { MAP_TILE = 256, MAP_MAX_SLOTS = 64 };

struct map_program;

/* shapes and dtypes of the expression's inputs, broadcast to `out`. NULL when it would take more than MAP_MAX_SLOTS
 * tiles. */
const struct map_program *map_prepare(struct arena *arena, const struct rows *rows, const struct expr *e,
                                      struct shape out, const struct value *const *inputs, int n_inputs);
/* Elements [start, start + n) of every result, in row-major order of `out`. Results may be stored over inputs that have
 * the shape of `out`; results of one call do not overlap each other. */
void map_run(const struct map_program *program, const void *const *inputs, float *const *outputs, int64_t start,
             int64_t n);
/* The same for a rectangle of `out` seen as rows of `width` elements: rows [row, row + m), columns
 * [column, column + n). Input 0, which has the shape of `out`, is read from `first`, where its rectangle lies with a
 * stride of ld. */
struct map_part {
    int64_t width, row, column, m, n, ld;
    const float *first;
};
void map_run_part(const struct map_program *program, const void *const *inputs, float *const *outputs,
                  const struct map_part *part);

#endif
