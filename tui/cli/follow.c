/* follow.c - see follow.h */
#include "base/arena.h"
#include "base/io.h"
#include "persistence/runs/history_log.h"
#include "persistence/runs/run_live.h"
#include "tui/cli/follow.h"
#include "tui/client/cli_text.h"

#include <errno.h>
#include <langinfo.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { REDRAW_MS = 100, BAR_CELLS = 24, FULL_BYTES = 64 << 10 };

static volatile sig_atomic_t interrupts;

static void count_interrupt(int number)
{
    (void)number;
    interrupts = interrupts + 1;
}

void follow_catch_interrupts(void)
{
    /* a write that is interrupted goes on; poll returns all the same */
    struct sigaction action = {.sa_handler = count_interrupt, .sa_flags = SA_RESTART};
    sigaction(SIGINT, &action, NULL);
}

struct watch {
    const char *folder;
    FILE *out;
    bool terminal, bar_shown;
    int64_t epochs, first_epoch;   /* epochs up to first_epoch are not printed */
    int64_t start;                 /* bytes of the log when the worker answered: events before it are old */
    struct history_reader *reader; /* stays open: it goes on where it stopped */
    json_t *metrics;               /* of the last epoch record */
    int64_t epoch, step;
    enum err_code failed_code;
    char *failed_text;
};

static void clear_bar(struct watch *w)
{
    if (w->bar_shown)
        fputs("\r\033[K", w->out);
    w->bar_shown = false;
}

static void print_epoch(struct watch *w, const struct record *r)
{
    struct str line = {0};
    str_addf(&line, "epoch %lld/%lld", (long long)r->epoch, (long long)w->epochs);
    for (size_t i = 0; i < r->n; i++) {
        str_add(&line, "  ");
        str_add_visible(&line, r->names[i]);
        str_addf(&line, " %s", text_number(r->values[i]).text);
    }
    clear_bar(w);
    fprintf(w->out, "%s\n", str_text(&line));
    fflush(w->out);
    str_release(&line);
}

static void take_metrics(struct watch *w, const struct record *r)
{
    if (r->n == 1 && !strcmp(r->names[0], HISTORY_BATCH_LOSS))
        return;
    json_decref(w->metrics);
    w->metrics = json_object();
    for (size_t i = 0; i < r->n; i++)
        json_object_set_new(w->metrics, r->names[i], js_number(r->values[i]));
    w->epoch = r->epoch;
    w->step = r->step;
    if (w->out && r->epoch > w->first_epoch)
        print_epoch(w, r);
}

static void take_event(struct watch *w, const struct record *r)
{
    json_t *event = js_parse(r->json, r->json_length, "history.log", JS_STRICT, NULL);
    const char *kind = js_string(event, "event", "");
    bool told = !strcmp(kind, "warning") || !strcmp(kind, "message");
    if (told && w->out && strcmp(js_string(event, "about", ""), "start") != 0) {
        struct str text = {0};
        str_add_visible(&text, js_string(event, "text", ""));
        clear_bar(w);
        fprintf(w->out, "%s%s\n", !strcmp(kind, "warning") ? "warning: " : "", str_text(&text));
        str_release(&text);
    }
    if (!strcmp(kind, "finished") && w->out && js_string(event, "reason", NULL)) {
        clear_bar(w);
        fprintf(w->out, "%s\n", js_string(event, "reason", ""));
    }
    if (!strcmp(kind, "failed")) {
        free(w->failed_text);
        w->failed_code = err_code_parse(js_string(event, "code", "failed"));
        w->failed_text = xstrdup(js_string(event, "error", "failed"));
    }
    json_decref(event);
}

/* Takes what is new in the log. */
static void read_history(struct watch *w)
{
    struct record record;
    if (!w->reader)
        w->reader = history_open_reader(w->folder, 0, NULL);
    while (w->reader && history_next(w->reader, &record, NULL) == 1) {
        if (record.kind == RECORD_METRICS)
            take_metrics(w, &record);
        else if (record.kind == RECORD_EVENT && history_offset(w->reader) > w->start)
            take_event(w, &record);
    }
}

static void watch_release(struct watch *w)
{
    history_close_reader(w->reader);
    json_decref(w->metrics);
    free(w->failed_text);
}

static int columns(FILE *out)
{
    struct winsize size;
    return ioctl(fileno(out), TIOCGWINSZ, &size) || !size.ws_col ? 80 : size.ws_col;
}

/* "epoch 3/20 ━━━━━────  23/45  loss 0.123  312 steps/s  0:12 left", cut to the terminal. */
static void draw_bar(struct watch *w)
{
    struct run_live live;
    if (!run_live_read(w->folder, &live) || live.phase == LIVE_ENDED)
        return;
    static const char *const phases[] = {"starting", "", "validating", "saving", "paused", ""};
    bool unicode = !strcmp(nl_langinfo(CODESET), "UTF-8");
    double share = live.steps_per_epoch > 0 ? (double)live.step_in_epoch / live.steps_per_epoch : 0;
    struct str line = {0};
    int cells = (int)(share * BAR_CELLS + 0.5), width = columns(w->out);
    str_addf(&line, "epoch %lld/%lld  ", (long long)live.epoch, (long long)live.epochs);
    size_t before = line.length;
    for (int i = 0; i < BAR_CELLS; i++)
        str_add(&line, i < cells ? (unicode ? "━" : "#") : (unicode ? "─" : "-"));
    int hidden = (int)(line.length - before) - BAR_CELLS; /* bytes that take no cell */
    str_addf(&line, "  %lld/%d", (long long)live.step_in_epoch, live.steps_per_epoch);
    if (!isnan(live.loss))
        str_addf(&line, "  loss %s", text_number(live.loss).text);
    if (live.phase >= 0 && live.phase <= LIVE_ENDED && *phases[live.phase])
        str_addf(&line, "  %s", phases[live.phase]);
    else if (live.steps_per_second > 0) {
        double left = ((double)(live.epochs - live.epoch) * live.steps_per_epoch +
                       (double)(live.steps_per_epoch - live.step_in_epoch)) /
                      live.steps_per_second;
        str_addf(&line, "  %.0f steps/s  %d:%02d left", live.steps_per_second, (int)left / 60, (int)left % 60);
    }
    if (width < BAR_CELLS + 20)
        hidden = 0;
    fprintf(w->out, "\r%.*s\033[K", width - 1 + hidden, str_text(&line));
    fflush(w->out);
    w->bar_shown = true;
    str_release(&line);
}

json_t *follow_result(const char *folder, struct err *err)
{
    bool alive = run_lock_is_held(folder); /* asked first: a worker writes its last state before it lets go */
    json_t *run = run_read(folder, err), *config = run ? run_read_config(folder, err) : NULL;
    json_t *result = NULL;
    if (config) {
        enum run_state state = run_effective_state(run, alive);
        struct watch w = {.folder = folder};
        read_history(&w);
        int64_t step = js_int(run, "step", 0);
        result = json_pack("{s:s,s:s,s:s,s:I,s:I,s:I}", "run", path_name(folder), "dir", folder, "state",
                           run_state_name(state), "epoch", (json_int_t)(w.metrics ? w.epoch : js_int(run, "epoch", 0)),
                           "epochs", (json_int_t)js_int(json_object_get(config, "fit"), "epochs", 1), "step",
                           (json_int_t)(step > w.step ? step : w.step));
        json_object_set_new(result, "metrics", w.metrics ? json_incref(w.metrics) : json_object());
        watch_release(&w);
    }
    json_decref(run);
    json_decref(config);
    return result;
}

static int64_t planned_epochs(const char *folder)
{
    json_t *config = run_read_config(folder, NULL);
    int64_t epochs = js_int(json_object_get(config, "fit"), "epochs", 1);
    json_decref(config);
    return epochs;
}

/* Passes Ctrl-C on. told: how many the worker has been told of. */
static void pass_interrupts(struct watch *w, int worker, int *told)
{
    while (*told < interrupts) {
        ++*told;
        clear_bar(w);
        fputs(*told == 1 ? "stopping after this step with a checkpoint; Ctrl-C again ends it at once\n"
                         : "ending at once\n",
              w->out);
        fflush(w->out);
        if (worker >= 0)
            syscall(SYS_pidfd_send_signal, worker, SIGINT, NULL, 0);
    }
}

/* Then not even the end of a run can be written down. */
static bool disk_is_full(const char *folder)
{
    struct statvfs disk;
    return !statvfs(folder, &disk) && disk.f_bavail * disk.f_frsize < FULL_BYTES;
}

static bool judge(const struct watch *w, const json_t *result, bool interrupted, struct err *err)
{
    enum run_state state = RUN_FAILED;
    run_state_parse(js_string(result, "state", ""), &state);
    if (state == RUN_FAILED)
        return err_set(err, w->failed_text ? w->failed_code : ERR_FAILED, "run '%s' failed: %s",
                       js_string(result, "run", ""), w->failed_text ? w->failed_text : "see its log.txt");
    if (state == RUN_INTERRUPTED && !interrupted && disk_is_full(js_string(result, "dir", "")))
        return err_set(err, ERR_NOMEM,
                       "the disk of run '%s' is full and its end could not be saved; make room, then 'antler resume "
                       "%s' goes on from its last checkpoint",
                       js_string(result, "run", ""), js_string(result, "run", ""));
    if (state == RUN_INTERRUPTED && !interrupted)
        return err_set(
            err, ERR_INTERRUPTED,
            "the worker of run '%s' was ended from outside; 'antler resume %s' goes on from its last checkpoint",
            js_string(result, "run", ""), js_string(result, "run", ""));
    return true;
}

void follow_lines(const char *folder, FILE *out)
{
    struct watch w = {.folder = folder, .out = out, .epochs = planned_epochs(folder)};
    do {
        read_history(&w);
        poll(NULL, 0, REDRAW_MS);
    } while (run_lock_is_held(folder));
    read_history(&w);
    json_decref(w.metrics);
    free(w.failed_text);
}

bool follow_run(const json_t *launched, FILE *out, json_t **result, bool *interrupted, struct err *err)
{
    struct watch w = {.folder = js_string(launched, "dir", ""),
                      .out = out,
                      .terminal = isatty(fileno(out)),
                      .start = js_int(launched, "history_bytes", 0),
                      .first_epoch = js_int(launched, "epoch", 0)};
    int worker = (int)syscall(SYS_pidfd_open, (pid_t)js_int(launched, "pid", 0), 0), told = 0;
    w.epochs = planned_epochs(w.folder);
    while (run_lock_is_held(w.folder)) {
        pass_interrupts(&w, worker, &told);
        read_history(&w);
        if (w.terminal)
            draw_bar(&w);
        struct pollfd gone = {.fd = worker, .events = POLLIN};
        poll(&gone, worker >= 0, REDRAW_MS);
    }
    read_history(&w);
    clear_bar(&w);
    if (worker >= 0)
        close(worker);
    *interrupted = interrupts > 0;
    *result = follow_result(w.folder, err);
    bool ok = *result && judge(&w, *result, *interrupted, err);
    watch_release(&w);
    return ok;
}
