/* launches.h - the functions that launch kernels, as C sees them: defined in the .cu files, called by the .c files of
 * the same family. Pointers are of device memory; stream is a cudaStream_t. A launch fails only as the whole device
 * does: cuda_run asks once after all of a step's.
 */
#ifndef ENGINE_CUDA_LAUNCHES_H
#define ENGINE_CUDA_LAUNCHES_H

#include <stdint.h>

#include "engine/cuda/walk.h"

#ifdef __cplusplus
extern "C" {
#endif

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

/* Words of 4 bytes, quads of 16 that are aligned so. out is dense. */
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
/* The gradient of a table: keys (index << 32 | its position) are sorted, first within tiles of BLOCK, then by merging
 * runs of `run`, a power of 2; those of negative indices come last. */
void launch_sort_tiles(void *stream, uint64_t *sorted, const int32_t *index, int64_t n);
void launch_merge_runs(void *stream, uint64_t *to, const uint64_t *from, int64_t n, int64_t run);
/* start[r], r = 0 ... n_rows: the first sorted key of index r or more. */
void launch_row_starts(void *stream, int32_t *start, const uint64_t *sorted, int64_t n, int64_t n_rows);
/* Sums over chunks of SORTED_CHUNK keys of one index; the others' are left as they are. n: n_chunks * width */
enum { SORTED_CHUNK = 64 };
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
    struct divisor channels;
    int64_t n_x, n_y; /* elements */
};

/* winner: of every y, the position of its window that has the first maximum, -1 for none. */
void launch_max_pool(void *stream, float *y, const float *x, const struct pooling *pooling);
void launch_average_pool(void *stream, float *y, const float *x, const struct pooling *pooling);
void launch_pool_winners(void *stream, int32_t *winner, const float *x, const struct pooling *pooling);
void launch_max_pool_dx(void *stream, float *dx, const int32_t *winner, const float *dy, const struct pooling *pooling);
void launch_average_pool_dx(void *stream, float *dx, const float *dy, const struct pooling *pooling);
/* For windows that no two of meet: what lies in none is left as it is. */
void launch_apart_max_pool_dx(void *stream, float *dx, const float *x, const float *dy, const struct pooling *pooling);

#ifdef __cplusplus
}
#endif

#endif
