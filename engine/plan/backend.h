/* backend.h - how ops run on one device: a const table of functions, behind checked wrappers. One table per device:
 * `reference` (plain loops, the oracle, never fast), `cpu`, and `cuda` as a plugin.
 *
 * A backend turns a planned node into a kernel: a function pointer with resolved operands. Kernels of a step run in
 * order; each one may use the device's threads inside. Work is cut into slices that depend on shapes only, never on the
 * thread count, so the bytes are the same for any number of threads.
 */
#ifndef ENGINE_PLAN_BACKEND_H
#define ENGINE_PLAN_BACKEND_H

#include "engine/graph/graph.h"

enum { KERNEL_MAX_INPUTS = 20, KERNEL_MAX_OUTPUTS = 8 };

/* Who wants to know when a thread of the device worked: number 0 is the caller's. Called by that thread, for a part of
 * a kernel at a time. */
struct device_watch {
    void (*worked)(void *context, int thread, int64_t start_ns, int64_t end_ns);
    void *context;
};

struct device; /* a backend's opened device: its threads, its memory */

struct kernel {
    void (*run)(const struct kernel *kernel, struct device *device);
    const struct node *node; /* shapes and attributes */
    /* fused after a matmul, conv, conv_dx, conv_dw, pool, pool_dx, batch_norm or reduce (where can_fuse allowed it):
     * input 0 is the node's first result, inputs 1.. are the operands after the node's own inputs, broadcast to the
     * result's shape; NULL for none. out then has epilogue->n_results parts, then the node's other results; its first
     * result is not stored. An out may be the memory of one of the epilogue's operands (weights updated in place),
     * never of the node's own inputs: read an element before writing it */
    const struct expr *epilogue;
    const struct value *in_value[KERNEL_MAX_INPUTS]; /* shapes of the operands, in order of `in` */
    const void *in[KERNEL_MAX_INPUTS];
    /* of map and add_i32 they may equal an input of the same shape, of batch_norm_dx the first may equal dy: element i
     * may be read until it is written */
    void *out[KERNEL_MAX_OUTPUTS];
    int n_inputs, n_outputs;
    bool unread[KERNEL_MAX_OUTPUTS];   /* nobody reads this result */
    bool left_out[KERNEL_MAX_OUTPUTS]; /* set by prepare, of those: the kernel does not write it, it gets no memory */
    void *workspace;                   /* as many bytes as prepare asked for, from the plan's arena; 64-byte aligned */
    size_t workspace_bytes;
    const void *prepared; /* what prepare computed for run (strides, tilings); in the plan's own arena */
    bool alone;           /* the calling thread does it by itself: too little work for several */
    /* which of its algorithms the backend chose ("winograd", "direct"), for profiles and tests; NULL = it has one */
    const char *variant;
};

struct device_options {
    int number;               /* of several like devices: K of cuda:K */
    int n_threads;            /* 0 = what affinity and cgroup allow */
    bool direct_convolutions; /* no Winograd: sums of plain products, as exact as float32 allows */
    bool never_alone;         /* several threads do the smallest kernels too: for tests */
};

struct backend {
    const char *name;
    /* Optional: is there such a device? Cheap beside open; false says what is missing, and what would help. NULL =
     * there is one, number 0. */
    bool (*probe)(int number, struct err *err);
    /* Required */
    struct device *(*open)(const struct device_options *options, struct err *err);
    void (*close)(struct device *device);
    /* 64-byte aligned */
    void *(*allocate)(struct device *device, size_t size_bytes, const char *what, struct err *err);
    void (*release)(struct device *device, void *memory);
    void (*upload)(struct device *device, void *to_device, const void *from_host, size_t size_bytes);
    void (*download)(struct device *device, void *to_host, const void *from_device, size_t size_bytes);
    /* Fills run, prepared and workspace_bytes of a kernel whose node, epilogue and in_value are set (pointers are not
     * yet). Loops over broadcast operands: engine/plan/strides.h. An operand that is int32 is read as float by maps and
     * epilogues. False with ERR_FAILED: this backend has no such kernel (the plan then asks `reference` when memory is
     * host memory). */
    bool (*prepare)(struct device *device, struct kernel *kernel, struct arena *arena, struct err *err);
    void (*run)(struct device *device, const struct kernel *kernels, int n_kernels);
    /* Optional: the kernels of a plan are prepared and have their pointers; what is compiled for them is compiled now.
     */
    bool (*ready)(struct device *device, const struct kernel *kernels, int n_kernels, struct err *err);
    /* Optional: a plan is freed, and these kernels with it. */
    void (*retire)(struct device *device, const struct kernel *kernels);
    /* Optional: false and why, once something asynchronous failed (a fault, the device is lost): from then on nothing
     * is computed, and downloads are NaN. NULL = it cannot fail. */
    bool (*works)(struct device *device, struct err *err);
    /* Optional: NULL means that memory is not host memory */
    bool host_memory;
    /* Optional: may the plan fuse this epilogue after this node (of those named above)? NULL = never */
    bool (*can_fuse)(const struct node *node, const struct expr *epilogue);
    /* Optional: can the device multiply bfloat16 numbers (attrs.bfloat16 of a matmul)? Then operands that are weights
     * come as they are and are rounded on the way. NULL or false: the plan gives it a float32 product of rounded
     * operands and rounds the result. */
    bool (*bfloat16_products)(const struct device *device);
    /* Optional: calls work(context, slice) for slices 0 .. n_slices - 1 on the device's host threads, and waits. NULL =
     * it has none. For gathering batches. */
    void (*spread)(struct device *device, void (*work)(void *context, int slice), void *context, int n_slices);
    /* Optional: watch is told from now on; for traces. */
    void (*watch)(struct device *device, const struct device_watch *watch);
    /* Optional: what the device reaches just now: products of 512 x 512 x 512, and copies within the caches (bytes read
     * plus written); a GPU's products are large enough to fill it, and its copies go through its memory. Takes some
     * 50 ms. Leaves the numbers as they are where it cannot. For profiles. */
    void (*measure)(struct device *device, double *gflops, double *gbytes_per_s);
    /* Optional: a line for doctor ("avx512, own kernels, 2 threads"). */
    void (*describe)(struct device *device, struct str *out);
};

extern const struct backend backend_reference;
extern const struct backend backend_cpu;

/* What a plugin was built for: the layout of what it shares with the program that opens it. Counted up by hand where
 * only a meaning changes. */
#define BACKEND_VERSION (1 + 16 * (int)(sizeof(struct backend) + sizeof(struct kernel) + sizeof(struct node)))

/* Which device a name means. */
struct device_choice {
    const struct backend *backend;
    int number; /* K of "cuda:K", else 0: for device_options */
    /* of "auto": why the GPU is not used whose driver is there; code ERR_NONE where there is none, or it is used */
    struct err passed_over;
};

/* "cpu", "reference", "cuda" (its first GPU), "cuda:K", or "auto": the first GPU where one can be used, else the CPU.
 * Where no driver is installed "auto" looks no further; else the plugin is opened (engine/plan/plugin.h). ERR_DEVICE
 * tells a device that is not there, and why, from a word that is none. */
bool backend_find(const char *name, struct device_choice *choice, struct err *err) MUST_USE;

#endif
