/* map_text.h - CUDA C text of a kernel that computes a map: an expression (engine/graph/expr.h) over operands of known
 * shapes and types. Pure: no device, no library. Shapes and strides are constants in the text, so that indexes are
 * divided by multiplications, and equal maps give equal texts.
 *
 * Every thread takes a turn for four neighbouring elements, or for one where rows are no multiple of four or operands
 * do not begin at 16 bytes. It reads all its operands before it writes: a result may be an operand of the same shape.
 * What depends on no element (constants, operands of one element) is computed before the loop; what is the same for
 * the four, once for them.
 */
#ifndef ENGINE_CUDA_MAP_TEXT_H
#define ENGINE_CUDA_MAP_TEXT_H

#include "engine/graph/graph.h"

enum { MAP_BLOCK = 256 }; /* threads of a block, as the texts count on */

struct map_operands { /* a kernel's only parameter: device memory, in the expression's order */
    const void *in[EXPR_MAX_INPUTS];
    void *out[EXPR_MAX_RESULTS];
};

struct map {
    const struct expr *expr;
    struct shape shape;                 /* of every result */
    const struct value *const *operand; /* shapes and types, one for each input of the expression */
    bool aligned;                       /* all operands and results begin at a multiple of 16 bytes */
    const bool *left_out;               /* results that are not written, by number */
};

/* Appends "(parameter) { ... }": what follows the name of the function. Results are float32; int32 operands are read as
 * float; operations are those of the reference, each rounded to float. */
void map_text(struct str *out, const struct map *map);
/* How many turns there are for threads to take. */
int64_t map_turns(const struct map *map);
/* A program of n kernels from their texts, which are distinct: kernel i is called "map_<i>". */
void map_text_program(struct str *out, const char *const *texts, int n);

#endif
