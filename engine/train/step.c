/* step.c - see step.h */
#include "engine/train/step.h"
#include "base/io.h"

#include <stdlib.h>
#include <string.h>

enum { GATHER_SLICE_BYTES = 64 << 10 }; /* some 8 us of copying */

/* One array of the batch: where its samples come from and go. */
struct feed {
    int field; /* of the data's inputs or targets */
    enum dtype dtype;
    bool is_target;
    int64_t sample_bytes;
    char *to;
};

struct step {
    struct session *session;
    const struct dataset *data;
    enum step_kind kind;
    int64_t batch;
    struct graph *graph;
    struct plan *plan;
    struct value **inputs, **targets, **weights, **outputs; /* targets, weights: NULL where there are none */
    struct value *loss;
    struct feed *feeds;
    int n_feeds, n_slices; /* a batch is gathered in so many parts */
    float *sample_weights; /* batch of them, before they are copied to every output */
    const double *class_weights;
    int64_t n_class_weights;
};

static struct shape with_batch(int64_t batch, struct shape sample)
{
    struct shape s = {.rank = sample.rank + 1};
    s.dim[0] = batch;
    memcpy(s.dim + 1, sample.dim, (size_t)sample.rank * sizeof *s.dim);
    return s;
}

static void make_inputs(struct step *step)
{
    const struct model *model = step->session->model;
    for (int i = 0; i < model->n_inputs; i++)
        step->inputs[i] = op_input(step->graph, model->inputs[i].name, model->inputs[i].dtype,
                                   with_batch(step->batch, model->inputs[i].shape));
}

static void make_targets(struct step *step)
{
    const struct session *s = step->session;
    bool weighted = step->data->has_sample_weight || step->class_weights;
    for (int i = 0; i < s->model->n_outputs; i++) {
        int k = session_target_field(s, step->data, i);
        if (k < 0)
            continue;
        step->targets[i] = op_input(step->graph, "target", compile_target_dtype(s->compile, i),
                                    with_batch(step->batch, step->data->targets[k].shape));
        if (weighted)
            step->weights[i] = op_input(step->graph, "sample_weight", DTYPE_F32, SHAPE(step->batch));
    }
}

static void lower(struct step *step)
{
    struct session *s = step->session;
    make_inputs(step);
    if (step->kind == STEP_PREDICT) {
        struct value *regularization = NULL;
        if (model_lower(s->model, step->graph, step->batch, MODE_INFER, step->inputs, NULL, step->outputs,
                        &regularization))
            for (int i = 0; i < s->model->n_outputs; i++)
                graph_keep(step->graph, step->outputs[i]);
        return;
    }
    make_targets(step);
    const struct batch_values values = {
        .inputs = step->inputs, .targets = step->targets, .sample_weights = step->weights, .loss = &step->loss};
    if (step->kind == STEP_TRAIN && compile_lower_train(s->compile, step->graph, step->batch, &values))
        graph_keep(step->graph, step->loss);
    if (step->kind == STEP_EVALUATE)
        compile_lower_evaluate(s->compile, step->graph, step->batch, &values);
}

static void add_feed(struct step *step, int field, const struct value *value, bool is_target)
{
    step->feeds[step->n_feeds++] = (struct feed){.field = field,
                                                 .dtype = value->dtype,
                                                 .is_target = is_target,
                                                 .sample_bytes = shape_elements(value->shape) / step->batch * 4,
                                                 .to = plan_input(step->plan, value)};
}

static void make_feeds(struct step *step)
{
    const struct session *s = step->session;
    int64_t bytes = 0;
    step->n_slices = 1;
    if (!step->data)
        return;
    step->feeds = xcalloc((size_t)(s->model->n_inputs + s->model->n_outputs) + 1, sizeof *step->feeds);
    for (int i = 0; i < s->model->n_inputs; i++)
        add_feed(step, session_input_field(s, step->data, i), step->inputs[i], false);
    for (int i = 0; i < s->model->n_outputs; i++)
        if (step->targets[i])
            add_feed(step, session_target_field(s, step->data, i), step->targets[i], true);
    for (int i = 0; i < step->n_feeds; i++)
        bytes += step->feeds[i].sample_bytes * step->batch;
    int64_t n = bytes / GATHER_SLICE_BYTES;
    n = n < step->batch ? n : step->batch;
    step->n_slices = !s->backend->spread || n < 1 ? 1 : n > 64 ? 64 : (int)n;
}

struct step *step_new(struct session *session, const struct step_options *options, struct err *err)
{
    struct step *step = xcalloc(1, sizeof *step);
    step->session = session;
    step->data = options->data;
    step->kind = options->kind;
    step->batch = options->batch;
    step->class_weights = options->kind == STEP_TRAIN ? options->class_weights : NULL;
    step->n_class_weights = options->n_class_weights;
    size_t n_in = (size_t)session->model->n_inputs, n_out = (size_t)session->model->n_outputs;
    step->inputs = xcalloc(n_in + 1, sizeof *step->inputs);
    step->targets = xcalloc(n_out + 1, sizeof *step->targets);
    step->weights = xcalloc(n_out + 1, sizeof *step->weights);
    step->outputs = xcalloc(n_out + 1, sizeof *step->outputs);
    step->graph = graph_new();
    lower(step);
    const struct plan_options plan_options = {.profile = session->profile != NULL,
                                              .beside = options->beside ? options->beside->plan : NULL};
    if (graph_ok(step->graph, err))
        step->plan = plan_new(step->graph, session->backend, session->device, &plan_options, err);
    step->sample_weights =
        step->plan ? io_allocate((size_t)options->batch * sizeof(float), "sample weights", err) : NULL;
    if (!step->sample_weights) {
        step_free(step);
        return NULL;
    }
    make_feeds(step);
    return step;
}

void step_free(struct step *step)
{
    if (!step)
        return;
    plan_free(step->plan);
    graph_free(step->graph);
    free(step->inputs);
    free(step->targets);
    free(step->weights);
    free(step->outputs);
    free(step->sample_weights);
    free(step->feeds);
    free(step);
}

int64_t step_batch(const struct step *step)
{
    return step->batch;
}

void *step_input(struct step *step, int input)
{
    return plan_input(step->plan, step->inputs[input]);
}

int64_t step_class_of(const void *target, enum dtype dtype, int64_t i, int64_t width)
{
    if (dtype == DTYPE_I32)
        return ((const int32_t *)target)[i];
    const float *row = (const float *)target + i * width;
    if (width == 1)
        return (int64_t)row[0];
    int64_t best = 0;
    for (int64_t c = 1; c < width; c++)
        if (row[c] > row[best])
            best = c;
    return best;
}

static void feed_weights(struct step *step, enum split split, const int64_t *positions, int output)
{
    float *weights = step->sample_weights;
    if (step->data->has_sample_weight)
        dataset_gather_weight(step->data, split, positions, step->batch, weights);
    else
        for (int64_t i = 0; i < step->batch; i++)
            weights[i] = 1;
    if (step->class_weights) {
        const struct value *target = step->targets[output];
        const void *labels = plan_input(step->plan, target);
        int64_t width = shape_elements(target->shape) / step->batch;
        for (int64_t i = 0; i < step->batch; i++) {
            int64_t c = step_class_of(labels, target->dtype, i, width);
            weights[i] *= c >= 0 && c < step->n_class_weights ? (float)step->class_weights[c] : 1;
        }
    }
    memcpy(plan_input(step->plan, step->weights[output]), weights, (size_t)step->batch * sizeof *weights);
}

struct gather {
    const struct step *step;
    enum split split;
    const int64_t *positions;
};

static void gather_slice(void *context, int slice)
{
    const struct gather *g = context;
    const struct step *step = g->step;
    int64_t first = step->batch * slice / step->n_slices, n = step->batch * (slice + 1) / step->n_slices - first;
    for (int i = 0; i < step->n_feeds; i++) {
        const struct feed *f = &step->feeds[i];
        char *to = f->to + first * f->sample_bytes;
        if (f->is_target)
            dataset_gather_target(step->data, g->split, f->field, g->positions + first, n, f->dtype, to);
        else
            dataset_gather_input(step->data, g->split, f->field, g->positions + first, n, to);
    }
}

void step_feed(struct step *step, enum split split, const int64_t *positions)
{
    const struct session *s = step->session;
    struct gather gather = {.step = step, .split = split, .positions = positions};
    int64_t start_ns = profile_clock(s->profile);
    if (step->n_slices > 1)
        s->backend->spread(s->device, gather_slice, &gather, step->n_slices);
    else
        gather_slice(&gather, 0);
    for (int i = 0; i < s->model->n_outputs; i++)
        if (step->weights[i])
            feed_weights(step, split, positions, i);
    profile_gathered(s->profile, start_ns);
}

void step_run(struct step *step)
{
    plan_run(step->plan);
    profile_ran(step->session->profile, step->plan);
}

const float *step_output(struct step *step, int output)
{
    return plan_output(step->plan, step->outputs[output]);
}

double step_loss(struct step *step)
{
    return *(const float *)plan_output(step->plan, step->loss);
}

const struct plan *step_plan(const struct step *step)
{
    return step->plan;
}

bool step_pair_new(struct step_pair *pair, struct session *session, const struct step_options *options,
                   int64_t n_samples, struct err *err)
{
    *pair = (struct step_pair){0};
    struct step_options o = *options;
    int64_t rest = n_samples % o.batch;
    if (n_samples >= o.batch && !(pair->full = step_new(session, &o, err)))
        return false;
    o.batch = rest;
    o.beside = pair->full ? pair->full : options->beside;
    if (rest && !(pair->rest = step_new(session, &o, err))) {
        step_pair_release(pair);
        return false;
    }
    return true;
}

void step_pair_release(struct step_pair *pair)
{
    step_free(pair->rest); /* it may live in the memory of the full one */
    step_free(pair->full);
    *pair = (struct step_pair){0};
}
