/* random.c - dropout and random numbers: pure functions of (seed, stream, step, element), see launches.h */
#include "engine/cuda/device.h"
#include "engine/cuda/launches.h"
#include "engine/plan/strides.h"

#include "base/arena.h"

struct dropped {
    struct dropout_numbers numbers;
    bool shared; /* several elements take one number */
    struct walk mask;
};

static void run_dropout(const struct kernel *k, struct device *device)
{
    const struct dropped *d = k->prepared;
    if (d->shared)
        launch_shared_dropout(device->stream, k->out[0], k->in[0], k->in[1], &d->numbers, &d->mask);
    else
        launch_dropout(device->stream, k->out[0], k->in[0], k->in[1], &d->numbers, d->mask.n);
}

bool cuda_prepare_dropout(struct device *device, struct kernel *k, struct arena *arena, struct err *err)
{
    (void)device;
    (void)err;
    const struct op_attrs *a = &k->node->attrs;
    struct shape x = k->in_value[0]->shape, noise = a->noise_shape;
    struct dropped *d = arena_alloc(arena, sizeof *d);
    d->numbers = (struct dropout_numbers){a->seed, a->stream, a->value, 1 / (1 - a->value)};
    d->shared = !shape_equal(x, noise);
    int64_t number[RANK_MAX];
    shape_strides(noise, number);
    for (int i = 0; i < x.rank; i++)
        number[i] = noise.dim[i] == 1 ? 0 : number[i];
    d->mask = walk_of(x.dim, number, x.rank, 0);
    k->prepared = d;
    k->run = run_dropout;
    return true;
}

void cuda_random(const struct kernel *k, struct device *device)
{
    const struct op_attrs *a = &k->node->attrs;
    launch_random(device->stream, k->out[0], k->in[0], a->seed, a->stream, a->random == RANDOM_NORMAL,
                  shape_elements(a->shape));
}
