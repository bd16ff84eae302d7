/* row_product.c - a single row times a matrix, as in a prediction of one sample: all the time goes into reading the
 * matrix once.
 *
 * Slices take consecutive rows of the matrix, so that each reads one piece of memory from its beginning to its end;
 * their sums are added in order of the slices.
 */
#include "engine/cpu/kernels.h"
#include "engine/cpu/rows.h"

#include <string.h>

enum { SLICE_FLOATS = 1 << 16, MOST_SLICES = 16, LEAST_COLUMNS = 32 };

struct row_product {
    int64_t k, n;
    int n_slices;
    bool bfloat16;
    const struct map_program *epilogue;
};

struct call {
    const struct kernel *kernel;
    const struct rows *rows;
};

static void sum_slice(void *context, int slice)
{
    const struct call *call = context;
    const struct kernel *kernel = call->kernel;
    const struct row_product *p = kernel->prepared;
    int64_t first = slice_begin(p->k, p->n_slices, slice), end = slice_begin(p->k, p->n_slices, slice + 1);
    const float *x = (const float *)kernel->in[0] + first, *matrix = (const float *)kernel->in[1] + first * p->n;
    float *y = (float *)kernel->workspace + slice * p->n;
    (p->bfloat16 ? call->rows->combine_bfloat16 : call->rows->combine)(y, x, matrix, end - first, p->n);
}

static void run_row_product(const struct kernel *kernel, struct device *device)
{
    const struct row_product *p = kernel->prepared;
    float *sums = kernel->workspace;
    threads_run(device->threads, sum_slice, &(struct call){kernel, device->rows}, p->n_slices);
    for (int slice = 1; slice < p->n_slices; slice++)
        device->rows->add_into(sums, sums + slice * p->n, p->n);
    if (p->bfloat16)
        device->rows->step[EXPR_BFLOAT16](sums, sums, NULL, NULL, (int)p->n);
    if (p->epilogue)
        epilogue_run(p->epilogue, kernel, sums, 0, p->n);
    else
        memcpy(kernel->out[0], sums, (size_t)p->n * sizeof *sums);
}

bool prepare_row_product(struct device *device, struct kernel *kernel, struct arena *arena)
{
    struct shape b = input_of(kernel, 1)->shape, c = output_shape(kernel);
    const struct op_attrs *attrs = &kernel->node->attrs;
    int64_t n = shape_elements(c), k = b.rank == 2 ? b.dim[0] : 0;
    if (c.dim[c.rank - 1] != n || n < LEAST_COLUMNS || b.rank != 2 || k < 1 || n > INT32_MAX || attrs->transpose_b)
        return false;
    struct row_product *p = arena_alloc(arena, sizeof *p);
    *p = (struct row_product){.k = k, .n = n, .bfloat16 = attrs->bfloat16};
    p->n_slices = slices_for(k * n, SLICE_FLOATS, (int)(k < MOST_SLICES ? k : MOST_SLICES));
    p->epilogue = epilogue_prepare(device, kernel, arena);
    kernel->workspace_bytes = (size_t)(p->n_slices * n) * sizeof(float);
    kernel->prepared = p;
    kernel->run = run_row_product;
    kernel->variant = p->bfloat16 ? "row bfloat16" : "row";
    return !kernel->epilogue || p->epilogue;
}
