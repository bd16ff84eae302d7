/* map_text.h - CUDA C text of a kernel that computes a map: an expression (engine/graph/expr.h) over operands of known
 * shapes and types. Pure: no device, no library. Shapes and strides are constants in the text, so that indexes are
 * divided by multiplications, and equal maps give equal texts.
 *
 * Every thread takes a turn for four neighbouring elements, or for one where rows are no multiple of four or operands
 * do not begin at 16 bytes. It reads all its operands before it writes: a result may be an operand of the same shape.
 * What depends on no element (constants, operands of one element) is computed before the loop; what is the same for
 * the four, once for them.
 *
 * A map is flat where every operand is as large as the results or one element: its text holds no size, the last turn
 * may have fewer than four elements, and several of the same text may be launched as one, a group: updates of all
 * weights, say.
 */
#ifndef ENGINE_CUDA_MAP_TEXT_H
#define ENGINE_CUDA_MAP_TEXT_H

#include "engine/graph/graph.h"

enum { MAP_BLOCK = 256 }; /* threads of a block, as the texts count on */

struct map_operands { /* the only parameter of a kernel by itself: device memory, in the expression's order */
    const void *in[EXPR_MAX_INPUTS];
    void *out[EXPR_MAX_RESULTS];
    int64_t n; /* elements; of flat maps only */
};

/* The only parameter of a group's kernel: for each member its operands, its results, its elements, then its first block
 * (low 32 bits) and how many it has. Places without a member begin at block UINT32_MAX. */
enum { MAP_GROUP_WORDS = 500, MAP_GROUP_MAX = 64 }; /* parameters may have 4 kB */
struct map_group {
    uint64_t words[MAP_GROUP_WORDS];
};
/* Words of a member of an expression, and how many members there may be. */
static inline int map_member_words(const struct expr *e)
{
    return e->n_inputs + e->n_results + 2;
}
static inline int map_group_most(const struct expr *e)
{
    int most = MAP_GROUP_WORDS / map_member_words(e);
    return most < MAP_GROUP_MAX ? most : MAP_GROUP_MAX;
}

struct map {
    const struct expr *expr;
    struct shape shape;                 /* of every result */
    const struct value *const *operand; /* shapes and types, one for each input of the expression */
    bool aligned;                       /* all operands and results begin at a multiple of 16 bytes */
    const bool *left_out;               /* results that are not written, by number */
};

bool map_is_flat(const struct map *map);
/* Appends "(parameter) { ... }": what follows the name of the function. Results are float32; int32 operands are read as
 * float; operations are those of the reference, each rounded to float. grouped: of flat maps only. */
void map_text(struct str *out, const struct map *map, bool grouped);
/* How many turns there are for threads to take. */
int64_t map_turns(const struct map *map);
/* A program of n kernels from their texts, which are distinct: kernel i is called "map_<i>". */
void map_text_program(struct str *out, const char *const *texts, int n);

#endif
