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
    int n_members; /* kernels that are launched with this one, those behind it; 0: it is itself launched with another */
    struct map_operands operands;
};

bool cuda_prepare_map(struct device *device, struct kernel *kernel, struct arena *arena, struct err *err)
{
    (void)device, (void)err;
    kernel->prepared = arena_alloc(arena, sizeof(struct prepared));
    memcpy(kernel->left_out, kernel->unread, sizeof kernel->left_out);
    return true;
}

static void launch_map(const struct prepared *p, unsigned n_blocks, const void *parameter, struct device *d)
{
    void *parameters[] = {(void *)parameter};
    cuda_succeeded(d,
                   cudaLaunchKernel((const void *)p->kernel, (struct dim3){n_blocks, 1, 1},
                                    (struct dim3){MAP_BLOCK, 1, 1}, parameters, 0, d->stream),
                   "launching a map");
}

/* The kernels of a plan lie one behind the other, and so do the members of a group. */
static void launch_group(const struct kernel *kernels, int n, struct device *d)
{
    const struct expr *e = kernels->node->attrs.expr;
    struct map_group group;
    uint64_t *word = group.words;
    unsigned n_blocks = 0;
    memset(&group, 0xff, sizeof group);
    for (int i = 0; i < n; i++, word += map_member_words(e)) {
        const struct prepared *p = kernels[i].prepared;
        memcpy(word, p->operands.in, (size_t)e->n_inputs * sizeof *word);
        memcpy(word + e->n_inputs, p->operands.out, (size_t)e->n_results * sizeof *word);
        word[e->n_inputs + e->n_results] = (uint64_t)p->operands.n;
        word[e->n_inputs + e->n_results + 1] = n_blocks | (uint64_t)p->n_blocks << 32;
        n_blocks += p->n_blocks;
    }
    launch_map(kernels->prepared, n_blocks, &group, d);
}

void cuda_map(const struct kernel *kernel, struct device *device)
{
    const struct prepared *p = kernel->prepared;
    if (p->n_members > 1)
        launch_group(kernel, p->n_members, device);
    else if (p->n_members)
        launch_map(p, p->n_blocks, &p->operands, device);
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
static void point(const struct kernel *k, const struct map *map, const struct device *device)
{
    struct prepared *p = (struct prepared *)k->prepared;
    int64_t blocks = (map_turns(map) + MAP_BLOCK - 1) / MAP_BLOCK, most = device->n_processors * BLOCKS_PER_PROCESSOR;
    p->n_blocks = (unsigned)(blocks < most ? blocks : most);
    memcpy(p->operands.in, k->in, (size_t)k->n_inputs * sizeof *k->in);
    memcpy(p->operands.out, k->out, (size_t)k->n_outputs * sizeof *k->out);
    p->operands.n = shape_elements(map->shape);
}

/* Groups */

static bool overlap(const void *a, const struct value *of_a, const void *b, const struct value *of_b)
{
    const char *x = a, *y = b;
    return x < y + shape_elements(of_b->shape) * 4 && y < x + shape_elements(of_a->shape) * 4;
}

/* Whether a kernel writes what the other one reads or writes. */
static bool disturbs(const struct kernel *writer, const struct kernel *other)
{
    for (int r = 0; r < writer->n_outputs; r++) {
        if (writer->left_out[r])
            continue;
        for (int i = 0; i < other->n_inputs; i++)
            if (overlap(writer->out[r], writer->node->outputs[r], other->in[i], other->in_value[i]))
                return true;
        for (int i = 0; i < other->n_outputs; i++)
            if (!other->left_out[i] &&
                overlap(writer->out[r], writer->node->outputs[r], other->out[i], other->node->outputs[i]))
                return true;
    }
    return false;
}

/* Whether the last of n kernels may run at the same time as all before it. */
static bool is_independent(const struct kernel *kernels, int n)
{
    for (int i = 0; i + 1 < n; i++)
        if (disturbs(&kernels[i], &kernels[n - 1]) || disturbs(&kernels[n - 1], &kernels[i]))
            return false;
    return true;
}

/* How many of the kernels, from the first on, can be launched as one. texts: NULL where one is no map. */
static int group_size(const struct kernel *kernels, char *const *texts, int n)
{
    struct map map = map_of(kernels);
    int size = 1, most = map_is_flat(&map) ? map_group_most(map.expr) : 1;
    while (size < n && size < most && texts[size] && !strcmp(texts[0], texts[size]) &&
           is_independent(kernels, size + 1))
        size++;
    return size;
}

/* Compiled kernels */

/* The number of the kernel of that text, or -1. */
static int find(const struct maps *m, const char *text, uint64_t hash)
{
    for (int i = 0; i < m->n_loaded; i++)
        if (m->loaded[i].hash == hash && !strcmp(m->loaded[i].text, text))
            return i;
    return -1;
}

/* The number of the kernel of that text, which is added where it is new. Takes the text. */
static int number_of(struct maps *m, char *text)
{
    uint64_t hash = hash_mix(0, text, strlen(text));
    int found = find(m, text, hash);
    if (found >= 0) {
        free(text);
        return found;
    }
    m->loaded = xgrow(m->loaded, &m->cap_loaded, (size_t)m->n_loaded + 1, sizeof *m->loaded);
    m->loaded[m->n_loaded] = (struct loaded){.hash = hash, .text = text};
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

static char *text_of(const struct kernel *kernel, bool grouped)
{
    struct str text = {0};
    struct map map = map_of(kernel);
    map_text(&text, &map, grouped);
    return str_take(&text);
}

/* Operands and groups of all maps; numbers: of their compiled kernels, -1 where there is none to launch. */
static void find_kernels(struct device *d, const struct kernel *kernels, int n_kernels, int *numbers)
{
    char **texts = xcalloc((size_t)n_kernels + 1, sizeof *texts);
    for (int i = 0; i < n_kernels; i++)
        if (kernels[i].run == cuda_map) {
            struct map map = map_of(&kernels[i]);
            point(&kernels[i], &map, d);
            texts[i] = text_of(&kernels[i], false);
        }
    for (int i = 0, size; i < n_kernels; i += size) {
        size = texts[i] ? group_size(&kernels[i], &texts[i], n_kernels - i) : 1;
        for (int j = 0; j < size; j++)
            numbers[i + j] = -1;
        if (!texts[i])
            continue;
        ((struct prepared *)kernels[i].prepared)->n_members = size;
        numbers[i] = number_of(d->maps, size > 1 ? text_of(&kernels[i], true) : xstrdup(texts[i]));
    }
    for (int i = 0; i < n_kernels; i++)
        free(texts[i]);
    free(texts);
}

bool cuda_maps_ready(struct device *device, const struct kernel *kernels, int n_kernels, struct err *err)
{
    if (!device->maps)
        device->maps = xcalloc(1, sizeof *device->maps);
    struct maps *m = device->maps;
    int from = m->n_loaded, *numbers = xcalloc((size_t)n_kernels + 1, sizeof *numbers);
    find_kernels(device, kernels, n_kernels, numbers);
    bool ok = load_new(device, from, err);
    for (int i = 0; ok && i < n_kernels; i++)
        if (numbers[i] >= 0)
            ((struct prepared *)kernels[i].prepared)->kernel = m->loaded[numbers[i]].kernel;
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
