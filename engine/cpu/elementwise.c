/* elementwise.c - the op `map`, epilogues of products, dropout and random numbers. */
#include "engine/cpu/kernels.h"

#include <string.h>

struct call {
    const struct kernel *kernel;
    const struct rows *rows;
    int64_t n;
    int n_slices;
};

static void map_slice(void *context, int slice)
{
    const struct call *call = context;
    const struct kernel *k = call->kernel;
    int64_t start = slice_begin(call->n, call->n_slices, slice), end = slice_begin(call->n, call->n_slices, slice + 1);
    map_run(k->prepared, k->in, (float *const *)k->out, start, end - start);
}

static void run_sliced(const struct kernel *kernel, struct device *device, void (*work)(void *, int))
{
    int64_t n = shape_elements(output_shape(kernel));
    struct call call = {kernel, device->rows, n, slices_for(n, SLICE_ELEMENTS, 64)};
    threads_run(device->threads, work, &call, call.n_slices);
}

static void run_map(const struct kernel *kernel, struct device *device)
{
    run_sliced(kernel, device, map_slice);
}

bool prepare_map(struct device *device, struct kernel *kernel, struct arena *arena)
{
    kernel->prepared = map_prepare(arena, device->rows, kernel->node->attrs.expr, output_shape(kernel),
                                   kernel->in_value, kernel->n_inputs);
    kernel->run = run_map;
    return kernel->prepared != NULL;
}

const struct map_program *epilogue_prepare(struct device *device, struct kernel *kernel, struct arena *arena)
{
    if (!kernel->epilogue)
        return NULL;
    /* input 0 of the expression is the product itself, then come the operands behind the node's own */
    const struct value *inputs[KERNEL_MAX_INPUTS];
    int own = kernel->node->n_inputs, n = 0;
    inputs[n++] = kernel->node->outputs[0];
    for (int i = own; i < kernel->n_inputs; i++)
        inputs[n++] = kernel->in_value[i];
    return map_prepare(arena, device->rows, kernel->epilogue, output_shape(kernel), inputs, n);
}

/* Only a variable is updated in place. */
bool epilogue_may_overwrite(const struct kernel *kernel)
{
    for (int i = kernel->node->n_inputs; kernel->epilogue && i < kernel->n_inputs; i++) {
        const struct value *v = kernel->in_value[i];
        while (v->node->op == OP_RESHAPE || v->node->op == OP_STOP)
            v = v->node->inputs[0];
        if (v->node->op == OP_VARIABLE && shape_equal(kernel->in_value[i]->shape, output_shape(kernel)))
            return true;
    }
    return false;
}

/* The product, then the operands behind the node's own. */
static void epilogue_inputs(const struct kernel *kernel, const void *product, const void **inputs)
{
    *inputs++ = product;
    for (int i = kernel->node->n_inputs; i < kernel->n_inputs; i++)
        *inputs++ = kernel->in[i];
}

void epilogue_run(const struct map_program *epilogue, const struct kernel *kernel, const float *product, int64_t start,
                  int64_t n)
{
    const void *inputs[KERNEL_MAX_INPUTS + 1];
    epilogue_inputs(kernel, product, inputs);
    map_run(epilogue, inputs, (float *const *)kernel->out, start, n);
}

void epilogue_run_part(const struct map_program *epilogue, const struct kernel *kernel, const struct map_part *part)
{
    const void *inputs[KERNEL_MAX_INPUTS + 1];
    epilogue_inputs(kernel, part->first, inputs);
    map_run_part(epilogue, inputs, (float *const *)kernel->out, part);
}

/* Elements [start, start + n) of the uniform sequence that a mask is made of; start is a multiple of 4. */
static void uniforms(const struct call *call, int64_t start, int64_t n, float *out)
{
    const struct op_attrs *attrs = &call->kernel->node->attrs;
    uint32_t step = (uint32_t) * (const int32_t *)call->kernel->in[call->kernel->node->op == OP_DROPOUT];
    call->rows->uniform(out, attrs->seed, attrs->stream, step, (uint64_t)start / 4, (int)((n + 3) / 4));
}

static int64_t slice_start_of_4(const struct call *call, int slice)
{
    int64_t begin = slice_begin(call->n, call->n_slices, slice);
    return slice == call->n_slices ? begin : begin & ~(int64_t)3;
}

static void dropout_slice(void *context, int slice)
{
    const struct call *call = context;
    float rate = call->kernel->node->attrs.value, factor = 1 / (1 - rate), u[MAP_TILE];
    int64_t end = slice_start_of_4(call, slice + 1);
    for (int64_t i = slice_start_of_4(call, slice); i < end; i += MAP_TILE) {
        int n = end - i < MAP_TILE ? (int)(end - i) : MAP_TILE;
        uniforms(call, i, n, u);
        call->rows->drop((float *)call->kernel->out[0] + i, (const float *)call->kernel->in[0] + i, u, rate, factor, n);
    }
}

static void run_dropout(const struct kernel *kernel, struct device *device)
{
    run_sliced(kernel, device, dropout_slice);
}

bool prepare_dropout(struct device *device, struct kernel *kernel, struct arena *arena)
{
    (void)device, (void)arena;
    kernel->run = run_dropout;
    return shape_elements(output_shape(kernel)) > 0 &&
           shape_equal(kernel->node->attrs.noise_shape, output_shape(kernel));
}

static void random_slice(void *context, int slice)
{
    const struct call *call = context;
    int64_t end = slice_start_of_4(call, slice + 1);
    float u[MAP_TILE];
    for (int64_t i = slice_start_of_4(call, slice); i < end; i += MAP_TILE) {
        int64_t n = end - i < MAP_TILE ? end - i : MAP_TILE;
        uniforms(call, i, n, u);
        memcpy((float *)call->kernel->out[0] + i, u, (size_t)n * sizeof(float));
    }
}

static void run_random(const struct kernel *kernel, struct device *device)
{
    run_sliced(kernel, device, random_slice);
}

bool prepare_random(struct device *device, struct kernel *kernel, struct arena *arena)
{
    (void)device, (void)arena;
    kernel->run = run_random;
    return shape_elements(output_shape(kernel)) > 0 && kernel->node->attrs.random == RANDOM_UNIFORM;
}
