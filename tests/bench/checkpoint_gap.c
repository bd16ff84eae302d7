/* How long training waits for a checkpoint: checkpoint_gap FOLDER trains a model of 10 M parameters with Adam and saves
 * it every 12 steps. Prints {"step_ms", "save_ms"}: medians of the time of a step and of the pause that a checkpoint
 * makes.
 */
#include "base/io.h"
#include "engine/train/fit.h"

#include <stdio.h>
#include <stdlib.h>

enum { STEPS_MAX = 1000, SAVE_EVERY = 12 }; /* save_freq below */

/* The loop reads the clock once at the end of a step, and once when a checkpoint is taken. */
static int64_t ended_ns[STEPS_MAX];
static int n_ended;

static int64_t noting_clock(void)
{
    int64_t now = io_system.monotonic_ns();
    if (n_ended < STEPS_MAX)
        ended_ns[n_ended++] = now;
    return now;
}

static const char config_text[] =
    "{\"seed\": 1, \"data\": {\"format\": \"synthetic\", \"name\": \"moons\", \"samples\": 1920},"
    " \"model\": {\"layers\": [{\"class\": \"Dense\", \"units\": 3160, \"activation\": \"relu\"},"
    "  {\"class\": \"Dense\", \"units\": 3160, \"activation\": \"relu\"}, {\"class\": \"Dense\", \"units\": 1, "
    "\"activation\": \"sigmoid\"}]},"
    " \"compile\": {\"optimizer\": \"adam\", \"loss\": \"binary_crossentropy\"},"
    " \"callbacks\": [{\"class\": \"ModelCheckpoint\", \"filepath\": \"step-{batch:04d}.keras\", \"save_freq\": 12}],"
    " \"fit\": {\"epochs\": 1, \"batch_size\": 32}}";

static bool train(const char *folder, struct err *err)
{
    static struct fit fit;
    static struct steering steering;
    static struct io_table table;
    json_t *config = js_parse(config_text, sizeof config_text - 1, "the config", JS_STRICT, err);
    struct session_options options = {.config = config, .folder = folder, .where = "the config", .device = "cpu"};
    struct session *session = config ? session_open(&options, err) : NULL;
    if (!session || !session_start_device(session, err) || !fit_init(&fit, session, "the config", err))
        return false;
    steering_init(&steering);
    struct fit_place place = {
        .run_folder = folder, .run_id = "gap", .steering = &steering, .journal = journal_open(folder, err)};
    if (!place.journal || !(place.live = run_live_create(folder, err)) || !fit_attach(&fit, &place, err))
        return false;
    table = io_system;
    table.monotonic_ns = noting_clock;
    io = &table;
    enum fit_end end;
    return fit_run(&fit, &end, err);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double median(double *values, int n)
{
    qsort(values, (size_t)n, sizeof *values, compare);
    return n ? values[n / 2] : 0;
}

int main(int argc, char **argv)
{
    struct err err = {0};
    char *checkpoints = argc == 2 ? path_join(argv[1], "checkpoints") : NULL;
    if (!checkpoints || !io_make_folders(checkpoints, &err) || !train(argv[1], &err)) {
        fprintf(stderr, "%s\n", argc == 2 ? err.text : "checkpoint_gap FOLDER");
        return 1;
    }
    free(checkpoints);
    double steps_ms[STEPS_MAX], saves_ms[STEPS_MAX];
    int n_steps = 0, n_saves = 0;
    for (int i = 1; i + 1 < n_ended; i++) {
        double ms = (double)(ended_ns[i + 1] - ended_ns[i]) / 1e6;
        if ((i + 1) % (SAVE_EVERY + 1) == 0)
            saves_ms[n_saves++] = ms;
        else
            steps_ms[n_steps++] = ms;
    }
    printf("{\"step_ms\": %.3f, \"save_ms\": %.3f}\n", median(steps_ms, n_steps), median(saves_ms, n_saves));
    return 0;
}
