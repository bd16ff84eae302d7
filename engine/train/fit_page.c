/* fit_page.c - the live page of a run: where it is inside its epoch, for whoever watches. Plain stores into mapped
 * memory. */
#include "base/io.h"
#include "engine/train/fit_internal.h"

#include <math.h>

enum { PAGE_INTERVAL_NS = 50000000, PACE_LEAST_NS = 10000000 };
static const int64_t PACE_WINDOW_NS = 3000000000;

void fit_page_begin(struct fit *fit)
{
    fit->page = (struct run_live){.phase = LIVE_STARTING, .started = io_wall_seconds(), .loss = NAN};
    fit_page_new_pace(fit);
}

void fit_page_new_pace(struct fit *fit)
{
    fit->pace[0] = fit->pace[1] = (struct pace_mark){.step = fit->at.step, .ns = io->monotonic_ns()};
}

/* Short epochs are counted together, with what lies between them. */
void fit_page_epoch(struct fit *fit)
{
    fit->page.epoch_started = io_wall_seconds();
    if (io->monotonic_ns() - fit->pace[1].ns > PACE_WINDOW_NS)
        fit_page_new_pace(fit);
    fit->page.loss = NAN;
}

/* Over one to two windows behind. */
static void count_pace(struct fit *fit, int64_t now_ns)
{
    int64_t elapsed_ns = now_ns - fit->pace[0].ns;
    if (elapsed_ns > PACE_LEAST_NS)
        fit->page.steps_per_second = (double)(fit->at.step - fit->pace[0].step) / ((double)elapsed_ns / 1e9);
    if (now_ns - fit->pace[1].ns > PACE_WINDOW_NS) {
        fit->pace[0] = fit->pace[1];
        fit->pace[1] = (struct pace_mark){.step = fit->at.step, .ns = now_ns};
    }
}

void fit_page(struct fit *fit, enum live_phase phase)
{
    struct run_live *p = &fit->page;
    p->phase = (int32_t)phase;
    p->steps_per_epoch = (int32_t)fit->at.epoch_batches;
    p->epoch = fit->at.epoch + (fit->at.epoch < fit->epochs && phase != LIVE_ENDED);
    p->epochs = fit->epochs;
    p->step = fit->at.step;
    p->step_in_epoch = fit->at.batch;
    p->updated = io_wall_seconds();
    if (fit->o.vitals) {
        p->resident_bytes = atomic_load_explicit(&fit->o.vitals->resident_bytes, memory_order_relaxed);
        p->cpu_share = (double)atomic_load_explicit(&fit->o.vitals->cpu_share_percent, memory_order_relaxed) / 100;
    }
    if (fit->o.live)
        run_live_store(fit->o.live, p);
}

void fit_page_step(struct fit *fit, int64_t now_ns)
{
    fit->next_page_ns = now_ns + PAGE_INTERVAL_NS;
    if (fit->page.first_step <= 0)
        fit->page.first_step = io_wall_seconds();
    count_pace(fit, now_ns);
    fit->page.loss = fit_running_loss(fit);
    fit_page(fit, LIVE_TRAINING);
}
