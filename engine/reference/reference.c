/* reference.c - the table of the backend `reference`, see reference.h */
#include "engine/reference/reference.h"

#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "engine/plan/ctc.h"

static reference_run *const runs[OP_COUNT] = {
    [OP_MAP] = reference_map,
    [OP_CAST_I32] = reference_cast_i32,
    [OP_STOP] = reference_copy,
    [OP_RESHAPE] = reference_copy,
    [OP_TRANSPOSE] = reference_transpose,
    [OP_BROADCAST] = reference_broadcast,
    [OP_CONCAT] = reference_concat,
    [OP_SLICE] = reference_slice,
    [OP_PAD] = reference_pad,
    [OP_REVERSE] = reference_reverse,
    [OP_REDUCE] = reference_reduce,
    [OP_ARGMAX] = reference_argmax,
    [OP_MATMUL] = reference_matmul,
    [OP_CONV] = reference_conv,
    [OP_CONV_DX] = reference_conv_dx,
    [OP_CONV_DW] = reference_conv_dw,
    [OP_POOL] = reference_pool,
    [OP_POOL_DX] = reference_pool_dx,
    [OP_GATHER] = reference_gather,
    [OP_GATHER_DTABLE] = reference_gather_dtable,
    [OP_ONE_HOT] = reference_one_hot,
    [OP_SOFTMAX] = reference_softmax,
    [OP_SOFTMAX_DX] = reference_softmax_dx,
    [OP_XENT] = reference_xent,
    [OP_XENT_DX] = reference_xent_dx,
    [OP_SPARSE_XENT] = reference_sparse_xent,
    [OP_SPARSE_XENT_DX] = reference_sparse_xent_dx,
    [OP_BATCH_NORM] = reference_batch_norm,
    [OP_BATCH_NORM_DX] = reference_batch_norm_dx,
    [OP_LAYER_NORM] = reference_layer_norm,
    [OP_LAYER_NORM_DX] = reference_layer_norm_dx,
    [OP_ATTENTION] = reference_attention,
    [OP_ATTENTION_DX] = reference_attention_dx,
    [OP_DROPOUT] = reference_dropout,
    [OP_RANDOM] = reference_random,
    [OP_TOP_K_HIT] = reference_top_k_hit,
    [OP_HISTOGRAM] = reference_histogram,
    [OP_ADD_I32] = reference_add_i32,
    [OP_RECURRENT] = reference_recurrent,
    [OP_RECURRENT_DX] = reference_recurrent_dx,
    [OP_CTC] = reference_ctc,
    [OP_CTC_DX] = reference_ctc_dx,
};

struct device {
    const char *name;
};

static struct device *reference_open(const struct device_options *options, struct err *err)
{
    static struct device device = {"reference"};
    (void)options;
    (void)err;
    return &device;
}

static void reference_close(struct device *device)
{
    (void)device;
}

static void *reference_allocate(struct device *device, size_t size_bytes, const char *what, struct err *err)
{
    (void)device;
    return io_allocate(size_bytes, what, err);
}

static void reference_release(struct device *device, void *memory)
{
    (void)device;
    free(memory);
}

static void reference_transfer(struct device *device, void *to, const void *from, size_t size_bytes)
{
    (void)device;
    memcpy(to, from, size_bytes);
}

static size_t result_bytes(const struct node *node)
{
    return ((size_t)shape_elements(node->outputs[0]->shape) * sizeof(float) + 63) & ~(size_t)63;
}

/* The product goes to the workspace (before what the op itself wants there), then the epilogue reads it as its first
 * operand. */
static void run_with_epilogue(const struct kernel *k, struct device *device)
{
    const struct value *product = k->node->outputs[0];
    struct kernel plain = *k;
    plain.out[0] = k->workspace;
    for (int i = 1; i < k->node->n_outputs; i++)
        plain.out[i] = k->out[k->epilogue->n_results + i - 1];
    plain.workspace = (char *)k->workspace + result_bytes(k->node);
    runs[k->node->op](&plain, device);
    const struct value *values[KERNEL_MAX_INPUTS] = {product};
    const void *operands[KERNEL_MAX_INPUTS] = {k->workspace};
    int own = k->node->n_inputs, n = k->n_inputs - own;
    for (int i = 0; i < n; i++) {
        values[i + 1] = k->in_value[own + i];
        operands[i + 1] = k->in[own + i];
    }
    reference_evaluate(k->epilogue, product->shape, values, operands, k->out);
}

static bool reference_prepare(struct device *device, struct kernel *kernel, struct arena *arena, struct err *err)
{
    (void)device;
    (void)arena;
    const struct node *node = kernel->node;
    if (!runs[node->op])
        return err_set(err, ERR_FAILED, "reference has no kernel for '%s'", op_table[node->op].name);
    kernel->run = kernel->epilogue ? run_with_epilogue : runs[node->op];
    kernel->workspace_bytes = kernel->epilogue ? result_bytes(node) : 0;
    if (node->op == OP_REDUCE)
        kernel->workspace_bytes += (size_t)shape_elements(node->outputs[0]->shape) * sizeof(double);
    if (node->op == OP_RECURRENT || node->op == OP_RECURRENT_DX)
        kernel->workspace_bytes += reference_recurrent_workspace(node);
    if (node->op == OP_CTC || node->op == OP_CTC_DX) {
        const struct ctc c = ctc_of(node);
        kernel->workspace_bytes += ctc_workspace_bytes(&c);
    }
    return true;
}

static void reference_run_all(struct device *device, const struct kernel *kernels, int n_kernels)
{
    for (int i = 0; i < n_kernels; i++)
        kernels[i].run(&kernels[i], device);
}

static bool reference_can_fuse(const struct node *node, const struct expr *epilogue)
{
    (void)node;
    (void)epilogue;
    return true;
}

static bool any_numbers(const struct device *device)
{
    (void)device;
    return true;
}

static void reference_describe(struct device *device, struct str *out)
{
    str_addf(out, "%s, plain loops, 1 thread", device->name);
}

const struct backend backend_reference = {
    .name = "reference",
    .open = reference_open,
    .close = reference_close,
    .allocate = reference_allocate,
    .release = reference_release,
    .upload = reference_transfer,
    .download = reference_transfer,
    .prepare = reference_prepare,
    .run = reference_run_all,
    .host_memory = true,
    .bfloat16_products = any_numbers,
    .can_fuse = reference_can_fuse,
    .describe = reference_describe,
};
