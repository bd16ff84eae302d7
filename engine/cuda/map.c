/* map.c - maps: a kernel each, compiled from its expression; see map_text.h and jit.h */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/hash.h"
#include "engine/cuda/jit.h"
#include "engine/cuda/map_text.h"

enum { BLOCKS_PER_PROCESSOR = 16 };

struct loaded { /* a kernel that some plan wanted; plans of one model have most of theirs in common */
    uint64_t hash;
    char *text;
    cudaKernel_t kernel;
};

struct maps { /* of a device, as long as it is open */
    struct loaded *loaded;
    int n_loaded;
    size_t cap_loaded;
    cudaLibrary_t *libraries;
    int n_libraries;
    size_t cap_libraries;
};

struct prepared { /* by ready */
    cudaKernel_t kernel;
    unsigned n_blocks;
    struct map_operands operands;
};

bool cuda_prepare_map(struct device *device, struct kernel *kernel, struct arena *arena, struct err *err)
{
    (void)device, (void)err;
    kernel->prepared = arena_alloc(arena, sizeof(struct prepared));
    memcpy(kernel->left_out, kernel->unread, sizeof kernel->left_out);
    return true;
}

void cuda_map(const struct kernel *kernel, struct device *device)
{
    const struct prepared *p = kernel->prepared;
    void *arguments[] = {(void *)&p->operands};
    cuda_succeeded(device,
                   cudaLaunchKernel((const void *)p->kernel, (struct dim3){p->n_blocks, 1, 1},
                                    (struct dim3){MAP_BLOCK, 1, 1}, arguments, 0, device->stream),
                   "launching a map");
}

static struct map map_of(const struct kernel *k)
{
    uintptr_t any = 0;
    for (int i = 0; i < k->n_inputs; i++)
        if (shape_elements(k->in_value[i]->shape) > 1)
            any |= (uintptr_t)k->in[i];
    for (int i = 0; i < k->n_outputs; i++)
        if (!k->left_out[i])
            any |= (uintptr_t)k->out[i];
    return (struct map){.expr = k->node->attrs.expr,
                        .shape = k->node->outputs[0]->shape,
                        .operand = k->in_value,
                        .aligned = any % 16 == 0,
                        .left_out = k->left_out};
}

/* Operands, and as many blocks as the device has work for. */
static void point(const struct kernel *k, const struct map *map, const struct device *device, cudaKernel_t kernel)
{
    struct prepared *p = (struct prepared *)k->prepared;
    int64_t blocks = (map_turns(map) + MAP_BLOCK - 1) / MAP_BLOCK, most = device->n_processors * BLOCKS_PER_PROCESSOR;
    p->kernel = kernel;
    p->n_blocks = (unsigned)(blocks < most ? blocks : most);
    memcpy(p->operands.in, k->in, (size_t)k->n_inputs * sizeof *k->in);
    memcpy(p->operands.out, k->out, (size_t)k->n_outputs * sizeof *k->out);
}

/* The number of the kernel of that text, or -1. */
static int find(const struct maps *m, const char *text, uint64_t hash)
{
    for (int i = 0; i < m->n_loaded; i++)
        if (m->loaded[i].hash == hash && !strcmp(m->loaded[i].text, text))
            return i;
    return -1;
}

/* The number of the kernel's text, which is added where it is new. */
static int number_of(struct maps *m, const struct map *map)
{
    struct str text = {0};
    map_text(&text, map);
    uint64_t hash = hash_mix(0, text.data, text.length);
    int found = find(m, text.data, hash);
    if (found >= 0) {
        str_release(&text);
        return found;
    }
    m->loaded = xgrow(m->loaded, &m->cap_loaded, (size_t)m->n_loaded + 1, sizeof *m->loaded);
    m->loaded[m->n_loaded] = (struct loaded){.hash = hash, .text = str_take(&text)};
    return m->n_loaded++;
}

static void forget(struct maps *m, int from)
{
    while (m->n_loaded > from)
        free(m->loaded[--m->n_loaded].text);
}

static bool get_kernels(struct device *d, cudaLibrary_t library, struct loaded *loaded, int n, struct err *err)
{
    for (int i = 0; i < n; i++) {
        char name[24];
        snprintf(name, sizeof name, "map_%d", i);
        cudaError_t status = cudaLibraryGetKernel(&loaded[i].kernel, library, name);
        if (status != cudaSuccess)
            return err_set(err, ERR_DEVICE, "cannot find compiled kernel '%s' on cuda:%d: %s", name, d->number,
                           cudaGetErrorString(status));
    }
    return true;
}

/* Compiles and loads the texts from number `from` on, as one program. */
static bool load_new(struct device *d, int from, struct err *err)
{
    struct maps *m = d->maps;
    int n = m->n_loaded - from;
    if (!n)
        return true;
    const char **texts = xcalloc((size_t)n, sizeof *texts);
    for (int i = 0; i < n; i++)
        texts[i] = m->loaded[from + i].text;
    struct str program = {0};
    map_text_program(&program, texts, n);
    cudaLibrary_t library;
    bool ok = jit_load(d, program.data, &library, err);
    str_release(&program);
    free(texts);
    if (!ok)
        return false;
    m->libraries = xgrow(m->libraries, &m->cap_libraries, (size_t)m->n_libraries + 1, sizeof(cudaLibrary_t));
    m->libraries[m->n_libraries++] = library;
    return get_kernels(d, library, m->loaded + from, n, err);
}

bool cuda_maps_ready(struct device *device, const struct kernel *kernels, int n_kernels, struct err *err)
{
    if (!device->maps)
        device->maps = xcalloc(1, sizeof *device->maps);
    struct maps *m = device->maps;
    int from = m->n_loaded, *numbers = xcalloc((size_t)n_kernels + 1, sizeof *numbers);
    for (int i = 0; i < n_kernels; i++)
        if (kernels[i].run == cuda_map) {
            struct map map = map_of(&kernels[i]);
            numbers[i] = number_of(m, &map);
        }
    bool ok = load_new(device, from, err);
    for (int i = 0; ok && i < n_kernels; i++)
        if (kernels[i].run == cuda_map) {
            struct map map = map_of(&kernels[i]);
            point(&kernels[i], &map, device, m->loaded[numbers[i]].kernel);
        }
    if (!ok)
        forget(m, from);
    free(numbers);
    return ok;
}

void cuda_maps_close(struct device *device)
{
    struct maps *m = device->maps;
    if (!m)
        return;
    forget(m, 0);
    for (int i = 0; i < m->n_libraries; i++)
        cudaLibraryUnload(m->libraries[i]);
    free(m->loaded);
    free(m->libraries);
    free(m);
    device->maps = NULL;
}
