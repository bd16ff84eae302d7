/* launches.h - the functions that launch kernels, as C sees them: defined in the .cu files, called by the .c files of
 * the same family. Pointers are of device memory, aligned to 16 bytes and more; stream is a cudaStream_t. A launch
 * fails only as the whole device does: cuda_run asks once after all of a step's.
 */
#ifndef ENGINE_CUDA_LAUNCHES_H
#define ENGINE_CUDA_LAUNCHES_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/cuda/walk.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { BLOCK = 256, WARP = 32, MOST_BLOCKS = 1 << 16 }; /* threads of a block, lanes of a warp, blocks of a grid */

enum combine { COMBINE_SUM, COMBINE_PRODUCT, COMBINE_MAX, COMBINE_MIN };

/* How blocks share matrices [n_rows, width] whose columns are summed: a block has `tile` columns next to each other (a
 * power of two up to WARP), BLOCK / tile rows at a time, and the rows of one of several parts of one matrix. Blocks are
 * counted (matrix * parts + part) * tiles + tile. Depends on the shape only. */
struct columns {
    int64_t n_rows, width;
    int64_t part_rows, n_blocks;
    struct divisor parts, tiles; /* how many of them */
    int tile;
};

/* elementwise.cu */
void launch_cast_i32(void *stream, int32_t *out, const float *x, int64_t n);
void launch_add_i32(void *stream, int32_t *out, const int32_t *x, int64_t n, int32_t amount);

/* ctc.cu: samples with their labels, and the workspace of the walks over them. A place is one of "blank label blank ...
 * blank"; ways and onward are logarithms. */
struct ctc_walks {
    int64_t samples, steps, classes, labels, places; /* places: 2 labels + 1, the most that a sample can have */
    int64_t rows;                                    /* steps of ways that are kept: all, or the last two */
    const float *logits;                             /* [samples, steps, classes] */
    const int32_t *label;                            /* [samples, labels] */
    double *total, *loss;                            /* [samples, steps]: log of the sum of exp; [samples] */
    double *ways, *onward;                           /* [samples, rows, places], onward for the gradient only */
    int32_t *n_places;                               /* [samples], 0 = a label is out of range */
    int32_t *class_of, *next, *first;                /* [samples, places], see ctc_chains */
};
void launch_ctc(void *stream, struct ctc_walks w, float *loss);
void launch_ctc_dx(void *stream, struct ctc_walks w, const float *dy, float *dlogits);

/* recurrent.cu: one step of a recurrent layer, formulas in engine/graph/graph.h. Numbers of a unit are those of element
 * (sample, unit) of [n, u]; pointers with a stride are to the step's rows: a sample's begins `stride` behind that of
 * the one before. A gate's numbers begin u behind those of the gate before. */
enum cell_function { CELL_TANH, CELL_SIGMOID, CELL_RELU, CELL_LINEAR, CELL_HARD_SIGMOID };
struct cell_rows {
    const float *at; /* NULL: there are none */
    int64_t stride;
};
struct cell_results {
    float *at; /* NULL: nobody reads them */
    int64_t stride;
};
struct cell_kind {
    int64_t n, u;
    struct divisor by_u;
    int n_gates; /* G: 1 simple, 3 GRU, 4 LSTM */
    enum cell_function activation, gate;
    int bfloat16;         /* states are rounded */
    const float *factors; /* of dropout, [n, G u]; NULL without */
};
struct cell {
    struct cell_kind is;
    struct cell_rows zx, mask;        /* x K; both may lie where a result goes */
    float *zh;                        /* [n, G u]: h R */
    const float *bias, *bias_of_h;    /* [G u]; the second for GRU that resets after */
    const float *h_before, *c_before; /* [n, u] */
    float *h, *c;                     /* [n, u], may be those before; c for LSTM */
    float *reset;                     /* [n, u], GRU that resets before: r h */
    struct cell_results y, saved;
};
/* dropped [G, n, u]: the states times each gate's factors */
void launch_cell_drop(void *stream, struct cell c, float *dropped);
/* GRU that resets before: its gates; z goes to zh, r h to reset. The cell comes once reset R is in zh. */
void launch_cell_reset(void *stream, struct cell c);
void launch_cell(void *stream, struct cell c);

struct cell_gradient {
    struct cell_kind is;
    const float *dh_after, *dc_after; /* [n, u] of the step after, NULL = zeros; may be dh and dc */
    const float *met;                 /* [n_met, n, u], NULL at the last step: what came back through R, by gate */
    int n_met;                        /* 1: of all gates at once */
    struct cell_rows dy, mask, y, saved, h_before, c_before;
    float *dh, *dc;                       /* [n, u]: what does not come through R */
    struct cell_results dz, dz_recurrent; /* the latter for GRU that resets after */
};
void launch_cell_gradient(void *stream, struct cell_gradient c);
/* GRU that resets before, after launch_cell_gradient: from the gradient of r h (met_by_reset [n, u], without factors).
 */
void launch_cell_reset_gradient(void *stream, struct cell_gradient c, const float *met_by_reset);
/* dh [n, u] before the first step: all that has come back. */
void launch_cell_first(void *stream, struct cell_gradient c);

/* attention.cu: a row is what one query of one head makes of all keys, row ((n heads + h) queries + i) of
 * [n_rows, keys]. Where a query may look: engine/plan/attention.h. */
struct attention_rows {
    int64_t n_rows, heads, queries, keys, window;
    float scale, rate;
    bool causal, zero_empty;
    const float *mask; /* NULL: none */
    int64_t mask_stride[4];
    const int32_t *step; /* NULL: no dropout */
    uint64_t seed;
    uint32_t stream;
};
/* q k to probabilities, in place, and with dropout to what is kept of them; kept NULL = no dropout. */
void launch_attention_softmax(void *stream, struct attention_rows r, float *probabilities, float *kept);
/* dp: gradient of what was kept (dy v), to that of q k, in place; kept as above. dprobabilities may be NULL. */
void launch_attention_dscores(void *stream, struct attention_rows r, const float *p, const float *dprobabilities,
                              float *dp, float *kept);

/* linear.cu: bfloat16 is the upper half of a float32, rounded to nearest even. pack: rows of n numbers, each to the
 * start of `pitch`, which is even */
void launch_pack_bfloat16(void *stream, uint16_t *out, int64_t pitch, const float *x, int64_t rows, int64_t n);
void launch_round_bfloat16(void *stream, float *x, int64_t n);

/* move.cu */
enum { MOST_PARTS = 20 };

/* Rows of a concatenation: part p fills the words from end[p - 1] (0 for the first) to end[p] of each. */
struct parts {
    const void *from[MOST_PARTS];
    int64_t end[MOST_PARTS]; /* that of the last, and of those behind it: the width of a row */
    struct divisor width;
    int64_t n; /* words of the result */
};

struct padding {                 /* of one axis */
    struct divisor dim, spacing; /* of the result; from one element to the next */
    int64_t before, extent;      /* from the first element to the last, both included */
    int64_t stride;              /* in the source */
};

struct paddings {
    int64_t n; /* elements of the result */
    int rank;
    struct padding axis[WALK_RANK];
    uint32_t fill;
};

enum { TRANSPOSE_TILE = 32 };

/* A transpose by tiles: the result's last axis (`width`) and the source's (`height`), and walks over all others. */
struct tiles {
    int64_t width, height;
    int64_t from_step, to_step;  /* along width in the source, along height in the result */
    struct divisor across, down; /* tiles */
    int64_t n;                   /* tiles */
    struct walk from, to;
};

/* Words of 4 bytes, quads of 16. out is dense. */
void launch_copy(void *stream, void *out, const void *in, int64_t n_words);
void launch_walk_words(void *stream, void *out, const void *in, const struct walk *walk);
void launch_walk_quads(void *stream, void *out, const void *in, const struct walk *walk);
void launch_transpose(void *stream, void *out, const void *in, const struct tiles *tiles);
void launch_concat_words(void *stream, void *out, const struct parts *parts);
void launch_concat_quads(void *stream, void *out, const struct parts *parts); /* all numbers in quads */
void launch_pad(void *stream, void *out, const void *in, const struct paddings *paddings);

/* index.cu. Rows of a table of n_rows; width: of a row, in words or quads; n: words or quads of the result. What is not
 * in the table is NaN. */
void launch_gather_words(void *stream, void *out, const void *table, const int32_t *index, struct divisor width,
                         int64_t n, int64_t n_rows);
void launch_gather_quads(void *stream, void *out, const void *table, const int32_t *index, struct divisor width,
                         int64_t n, int64_t n_rows);
void launch_one_hot(void *stream, float *out, const int32_t *index, struct divisor depth, int64_t n);
enum { SORTED_TILE = 256, SORTED_CHUNK = 64 };
/* The gradient of a table: keys (index << 32 | its position) are sorted, first within tiles, then by merging runs
 * of `run`, a power of 2; those of negative indices come last. */
void launch_sort_tiles(void *stream, uint64_t *sorted, const int32_t *index, int64_t n);
void launch_merge_runs(void *stream, uint64_t *to, const uint64_t *from, int64_t n, int64_t run);
/* start[r], r = 0 ... n_rows: the first sorted key of index r or more. */
void launch_row_starts(void *stream, int32_t *start, const uint64_t *sorted, int64_t n, int64_t n_rows);
/* Sums over chunks of SORTED_CHUNK keys of one index; the others' are left as they are. n: n_chunks * width */
void launch_chunk_sums(void *stream, float *sums, const uint64_t *sorted, const float *dy, struct divisor width,
                       int64_t n);
/* Each row of the table: the sum of dy's rows with its index, in the order of their positions. n: n_rows * width */
void launch_row_sums(void *stream, float *out, const int32_t *start, const uint64_t *sorted, const float *chunk_sums,
                     const float *dy, struct divisor width, int64_t n);

/* random.cu */
struct dropout_numbers {
    uint64_t seed;
    uint32_t stream;
    float rate, scale; /* what is kept is multiplied by scale */
};

/* step: of device memory. */
void launch_dropout(void *stream, float *y, const float *x, const int32_t *step, const struct dropout_numbers *numbers,
                    int64_t n);
/* The mask is shared: element i takes number walk_at(mask, i). */
void launch_shared_dropout(void *stream, float *y, const float *x, const int32_t *step,
                           const struct dropout_numbers *numbers, const struct walk *mask);
void launch_random(void *stream, float *y, const int32_t *step, uint64_t seed, uint32_t rng_stream, bool normal,
                   int64_t n);

/* pool.cu */
/* Windows over three spatial axes, whatever the op has: those that it lacks have size 1. x [n, in..., c], y [n, out...,
 * c]. */
struct window_axis {
    int32_t in, out, size, stride, dilation, before;
    struct divisor by_in, by_out, by_stride, by_dilation;
};

struct pooling {
    struct window_axis axis[3];
    int lanes;             /* channels of a thread: 4 where they can be divided so, else 1 */
    struct divisor groups; /* of so many channels */
    int64_t n_x, n_y;      /* groups of x and y */
};

/* winner: of every y, the position of its window that has the first maximum, -1 for none. */
void launch_max_pool(void *stream, float *y, const float *x, const struct pooling *pooling);
void launch_average_pool(void *stream, float *y, const float *x, const struct pooling *pooling);
void launch_pool_winners(void *stream, int32_t *winner, const float *x, const struct pooling *pooling);
void launch_max_pool_dx(void *stream, float *dx, const int32_t *winner, const float *dy, const struct pooling *pooling);
void launch_average_pool_dx(void *stream, float *dx, const float *dy, const struct pooling *pooling);
/* For windows that no two of meet: what lies in none is left as it is. */
void launch_apart_max_pool_dx(void *stream, float *dx, const float *x, const float *dy, const struct pooling *pooling);

/* reduce.cu. What makes one result lies at reduced, from where kept says. */
enum reduce_way {
    REDUCE_BY_THREAD, /* one for each result: few numbers make one */
    REDUCE_BY_WARP,   /* one for each result: its numbers are neighbours */
    REDUCE_BY_BLOCK   /* as columns says, for every index of the kept axes but the innermost */
};
struct reduction {
    enum combine how;
    enum reduce_way way;
    struct walk kept, reduced;
    struct columns columns; /* rows: what makes one result; width: the innermost axis where it is kept, else 1 */
    float divisor;
};
/* out [parts, results] */
void launch_reduce(void *stream, float *out, const float *x, const struct reduction *r);

/* softmax.cu: matrices [n_rows, width] */
void launch_softmax(void *stream, float *y, const float *x, int64_t n_rows, int64_t width);
void launch_softmax_dx(void *stream, float *dx, const float *y, const float *dy, int64_t n_rows, int64_t width);

/* loss.cu: logits x [n_rows, width], losses y and dy [n_rows] */
void launch_xent(void *stream, float *y, const float *x, const float *target, int64_t n_rows, int64_t width);
void launch_xent_dx(void *stream, float *dx, const float *x, const float *target, const float *dy, int64_t n_rows,
                    int64_t width);
void launch_sparse_xent(void *stream, float *y, const float *x, const int32_t *label, int64_t n_rows, int64_t width,
                        int32_t ignore);
void launch_sparse_xent_dx(void *stream, float *dx, const float *x, const int32_t *label, const float *dy,
                           int64_t n_rows, int64_t width, int32_t ignore);

/* norm.cu. Matrices [n_rows, width]; statistics of columns (batch) or rows (layer). parts: workspace of [parts, 2,
 * width], used where the columns have several parts. dx NULL: it is not wanted; it may be dy. */
void launch_batch_norm(void *stream, float *y, float *mean, float *variance, const float *x, const float *gamma,
                       const float *beta, float epsilon, float *parts, const struct columns *c);
struct norm_gradient {
    const float *x, *gamma, *mean, *spread, *dy; /* spread: variance (batch) or 1 / deviation (layer) */
    float *dx, *dgamma, *dbeta;
    float epsilon;
};
void launch_batch_norm_dx(void *stream, const struct norm_gradient *g, float *parts, const struct columns *c);
void launch_layer_norm(void *stream, float *y, float *mean, float *rstd, const float *x, const float *gamma,
                       const float *beta, float epsilon, int64_t n_rows, int64_t width);
void launch_layer_norm_dx(void *stream, const struct norm_gradient *g, int64_t n_rows, int64_t width);
/* dgamma and dbeta */
void launch_layer_norm_dweights(void *stream, const struct norm_gradient *g, float *parts, const struct columns *c);

/* metrics.cu */
void launch_argmax(void *stream, int32_t *y, const float *x, int64_t n_rows, int64_t width);
void launch_top_k_hit(void *stream, float *hit, const float *x, const int32_t *label, int64_t n_rows, int64_t width,
                      int64_t k);
enum { SOME_THRESHOLDS = 896 };
struct thresholds { /* as many as go with a launch */
    int n;
    float at[SOME_THRESHOLDS];
};
void launch_store_thresholds(void *stream, float *out, const struct thresholds *some);
struct histogram {
    int64_t n, n_parts, part; /* elements; of a part: a multiple of BLOCK */
    int n_thresholds;         /* one bin less */
};
/* parts [n_parts, bins] */
void launch_histogram(void *stream, float *parts, const float *x, const float *weight, const float *threshold,
                      const struct histogram *h);

/* conv.cu: a convolution of 1-3 spatial dims, unused ones have size 1. A patch is what the window reads at one position
 * of the output: [group][tap][channel of the group], zeros in the padding. */
struct conv_geometry {
    int32_t in[3], out[3], size[3], stride[3], dilation[3], pad[3];
    int32_t n_in, n_out, taps; /* products of the three */
    int32_t channels, per_group, filters;
    int32_t patch_row;     /* elements from one patch to the next */
    int32_t width;         /* neighbouring channels of a patch that a thread moves: 4 where all lie in fours, else 1 */
    struct divisor by_run; /* per_group / width */
    struct divisor by_n_in, by_n_out, by_taps, by_groups, by_channels, by_per_group, by_filters;
    struct divisor by_each; /* filters of a channel, depthwise */
    struct divisor by_in[3], by_out[3], by_size[3], by_stride[3];
};
/* Patches of the n positions from `first` on, x and positions counted from the same image. */
void launch_patches(void *stream, float *patches, const float *x, struct conv_geometry g, int64_t first, int64_t n);
void launch_patches_bfloat16(void *stream, uint16_t *patches, const float *x, struct conv_geometry g, int64_t first,
                             int64_t n);
/* The gradient of so many images from those of their patches: sums over the n positions from `first` on. */
void launch_sum_patches(void *stream, float *dx, const float *patches, struct conv_geometry g, int64_t images,
                        int64_t first, int64_t n, bool adds);

/* Depthwise: per_group 1; filter o reads channel o / (filters / channels). dw in two steps: a sum for each of
 * the slices of positions, sums is [slices][taps][filters], then of these. */
void launch_depthwise(void *stream, float *y, const float *x, const float *w, struct conv_geometry g, int64_t images);
void launch_depthwise_dx(void *stream, float *dx, const float *dy, const float *w, struct conv_geometry g,
                         int64_t images);
void launch_depthwise_dw(void *stream, float *dw, float *sums, int64_t slices, const float *x, const float *dy,
                         struct conv_geometry g, int64_t images);

#ifdef __cplusplus
}
#endif

#endif
