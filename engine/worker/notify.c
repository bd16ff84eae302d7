/* notify.c - see notify.h */
#include "base/io.h"
#include "engine/worker/notify.h"
#include "persistence/config/settings.h"
#include "persistence/runs/history_log.h"
#include "persistence/runs/metric_direction.h"

#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct notice {
    char event[16], metric[96], error[400];
    int64_t epoch, epochs, step, best_epoch;
    double value, best;
};

struct notifier {
    char *command, *folder, *id, *name;
    char *monitor; /* NULL: val_loss, else loss */
    int mode;      /* of the monitor: 1 up, -1 down, 0 by its name */
    bool tells_best;
    pthread_mutex_t mutex;           /* over what the loop and the listening thread share */
    struct notice nan, better, last; /* event "": nothing to tell */
    bool told_nan;
    double best; /* of the monitored metric, NaN: none yet */
    int64_t best_epoch;
    pid_t child; /* 0: none */
    char child_event[16];
    int64_t started_ns, best_ns;
};

/* ---- what is told ---- */

static const char *monitor_in(const struct notifier *n, const struct logs *logs, double *value)
{
    const char *const names[] = {n->monitor, "val_loss", "loss"};
    for (size_t k = 0; k < sizeof names / sizeof *names; k++)
        if (names[k] && logs_get(logs, names[k], value))
            return names[k];
    return NULL;
}

static bool is_better(const struct notifier *n, const char *name, double value)
{
    bool up = n->mode ? n->mode > 0 : metric_is_better_upwards(name);
    return isfinite(value) && (isnan(n->best) || (up ? value > n->best : value < n->best));
}

static void make_notice(const struct notifier *n, struct notice *notice, const struct fit *fit, const char *event,
                        const char *metric, double value)
{
    *notice = (struct notice){.epoch = fit->at.epoch,
                              .epochs = fit->epochs,
                              .step = fit->at.step,
                              .value = value,
                              .best = n->best,
                              .best_epoch = n->best_epoch};
    snprintf(notice->event, sizeof notice->event, "%s", event);
    snprintf(notice->metric, sizeof notice->metric, "%s", metric ? metric : "");
}

void notify_epoch(void *notifier, const struct fit *fit)
{
    struct notifier *n = notifier;
    const struct logs *logs = &fit->last_logs;
    double value = NAN;
    pthread_mutex_lock(&n->mutex);
    for (int i = 0; i < logs->n && !n->told_nan; i++)
        if (!isfinite(logs->entries[i].value)) {
            n->told_nan = true;
            make_notice(n, &n->nan, fit, "nan", logs->entries[i].name, logs->entries[i].value);
        }
    const char *name = monitor_in(n, logs, &value);
    if (name && is_better(n, name, value)) {
        bool first = isnan(n->best);
        n->best = value;
        n->best_epoch = fit->at.epoch;
        if (n->tells_best && !first)
            make_notice(n, &n->better, fit, "best", name, value);
    }
    pthread_mutex_unlock(&n->mutex);
}

void notify_remember(struct notifier *n, const struct fit *fit, const char *event, const char *error)
{
    double value = NAN;
    if (!n)
        return;
    static const struct fit nothing;
    const char *name = monitor_in(n, &(fit ? fit : &nothing)->last_logs, &value);
    make_notice(n, &n->last, fit ? fit : &nothing, event, name, value);
    snprintf(n->last.error, sizeof n->last.error, "%s", error ? error : "");
}

/* ---- the command ---- */

static void add(char ***environment, size_t *count, size_t *capacity, const char *format, ...) PRINTF(4, 5);
static void add(char ***environment, size_t *count, size_t *capacity, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    *environment = xgrow(*environment, capacity, *count + 2, sizeof **environment);
    (*environment)[(*count)++] = xstrdup(text);
    (*environment)[*count] = NULL;
}

static void say_number(char text[32], double value)
{
    struct str s = {0};
    str_add_double(&s, value);
    snprintf(text, 32, "%s", isnan(value) ? "NaN" : str_text(&s));
    str_release(&s);
}

static void say(const struct notifier *n, const struct notice *notice, char *text, size_t size)
{
    static const struct {
        const char *event, *words;
    } all[] = {{"finished", "has finished"},
               {"stopped", "was stopped"},
               {"failed", "failed"},
               {"best", "has a new best value"}};
    const char *words = "diverged";
    char value[32];
    for (size_t k = 0; k < sizeof all / sizeof *all; k++)
        if (!strcmp(all[k].event, notice->event))
            words = all[k].words;
    say_number(value, notice->value);
    snprintf(text, size, "%s %s at epoch %lld of %lld%s%s%s%s%s%s", n->name, words, (long long)notice->epoch,
             (long long)notice->epochs, notice->metric[0] ? ": " : "", notice->metric, notice->metric[0] ? " " : "",
             notice->metric[0] ? value : "", notice->error[0] ? "; " : "", notice->error);
}

/* A worker that was started by such a command has inherited the facts of another run. */
static bool is_set(char *const *environment, size_t n, const char *entry)
{
    for (size_t i = 0; i < n; i++)
        if (!strncmp(environment[i], entry, strcspn(entry, "=") + 1))
            return true;
    return false;
}

static char **notice_environment(const struct notifier *n, const struct notice *notice)
{
    char **environment = NULL, number[32], text[700];
    size_t count = 0, capacity = 0;
    bool ended = strcmp(notice->event, "best") != 0 && strcmp(notice->event, "nan") != 0;
    say(n, notice, text, sizeof text);
    add(&environment, &count, &capacity, "ANTLER_EVENT=%s", notice->event);
    add(&environment, &count, &capacity, "ANTLER_RUN=%s", n->id);
    add(&environment, &count, &capacity, "ANTLER_NAME=%s", n->name);
    add(&environment, &count, &capacity, "ANTLER_DIR=%s", n->folder);
    add(&environment, &count, &capacity, "ANTLER_STATE=%s", ended ? notice->event : "running");
    add(&environment, &count, &capacity, "ANTLER_EPOCH=%lld", (long long)notice->epoch);
    add(&environment, &count, &capacity, "ANTLER_EPOCHS=%lld", (long long)notice->epochs);
    add(&environment, &count, &capacity, "ANTLER_STEP=%lld", (long long)notice->step);
    add(&environment, &count, &capacity, "ANTLER_METRIC=%s", notice->metric);
    say_number(number, notice->value);
    add(&environment, &count, &capacity, "ANTLER_VALUE=%s", notice->metric[0] ? number : "");
    say_number(number, notice->best);
    add(&environment, &count, &capacity, "ANTLER_BEST=%s", isnan(notice->best) ? "" : number);
    add(&environment, &count, &capacity, "ANTLER_BEST_EPOCH=%lld", (long long)notice->best_epoch);
    add(&environment, &count, &capacity, "ANTLER_ERROR=%s", notice->error);
    add(&environment, &count, &capacity, "ANTLER_TEXT=%s", text);
    size_t n_facts = count;
    for (char **e = environ; *e; e++) /* a worker that was started in there tells nobody on our behalf */
        if (!str_starts(*e, "ANTLER_NOTIFY=") && !is_set(environment, n_facts, *e)) {
            environment = xgrow(environment, &capacity, count + 2, sizeof *environment);
            environment[count++] = xstrdup(*e);
            environment[count] = NULL;
        }
    return environment;
}

/* In a session of its own, with all signals as usual and nothing to read. */
static int spawn(const char *command, char *const *environment, pid_t *child)
{
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_t actions;
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", 0, 0);
    char *const arguments[] = {"sh", "-c", (char *)command, NULL};
    int failed = posix_spawn(child, "/bin/sh", &actions, &attributes, arguments, environment);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return failed;
}

static void start(struct notifier *n, const struct notice *notice)
{
    char **environment = notice_environment(n, notice);
    fflush(stdout);
    int failed = spawn(n->command, environment, &n->child);
    if (failed) {
        n->child = 0;
        fprintf(stderr, "notify: '%s' was not told: %s\n", notice->event, strerror(failed));
    }
    snprintf(n->child_event, sizeof n->child_event, "%s", notice->event);
    n->started_ns = io->monotonic_ns();
    for (char **e = environment; *e; e++)
        free(*e);
    free(environment);
}

/* Is the command still running? One that takes too long is ended, with all it has started. */
static bool is_running(struct notifier *n)
{
    int status;
    if (!n->child)
        return false;
    pid_t got = waitpid(n->child, &status, WNOHANG);
    if (!got && io->monotonic_ns() - n->started_ns > NOTIFY_LIMIT_S * INT64_C(1000000000)) {
        kill(-n->child, SIGKILL);
        got = waitpid(n->child, &status, 0);
        fprintf(stderr, "notify: the command for '%s' took longer than %d s and was ended\n", n->child_event,
                NOTIFY_LIMIT_S);
    } else if (got > 0 && WIFSIGNALED(status)) {
        fprintf(stderr, "notify: the command for '%s' was ended by signal %d\n", n->child_event, WTERMSIG(status));
    } else if (got > 0 && WEXITSTATUS(status)) {
        fprintf(stderr, "notify: the command for '%s' ended with %d\n", n->child_event, WEXITSTATUS(status));
    }
    if (got)
        n->child = 0;
    return n->child != 0;
}

void notify_poll(struct notifier *n)
{
    struct notice next = {0};
    if (!n || is_running(n))
        return;
    int64_t now = io->monotonic_ns();
    pthread_mutex_lock(&n->mutex);
    bool best_is_due = !n->best_ns || now - n->best_ns > NOTIFY_BEST_S * INT64_C(1000000000);
    struct notice *from = n->nan.event[0] ? &n->nan : n->better.event[0] && best_is_due ? &n->better : NULL;
    if (from) {
        next = *from;
        from->event[0] = 0;
    }
    pthread_mutex_unlock(&n->mutex);
    if (!from)
        return;
    if (from == &n->better)
        n->best_ns = now;
    start(n, &next);
}

static void wait_for_command(struct notifier *n)
{
    while (is_running(n))
        poll(NULL, 0, 10);
}

void notify_end(struct notifier *n)
{
    if (!n)
        return;
    wait_for_command(n);
    if (n->nan.event[0]) {
        start(n, &n->nan);
        wait_for_command(n);
    }
    if (n->last.event[0]) {
        start(n, &n->last);
        wait_for_command(n);
    }
    pthread_mutex_destroy(&n->mutex);
    free(n->command);
    free(n->folder);
    free(n->id);
    free(n->name);
    free(n->monitor);
    free(n);
}

/* ---- beginning ---- */

/* What a resumed run has reached already. */
static void read_best(struct notifier *n)
{
    struct history_reader *reader = history_open_reader(n->folder, 0, NULL);
    struct record record;
    while (reader && history_next(reader, &record, NULL) == 1) {
        struct logs logs = {0};
        double value;
        for (size_t i = 0; record.kind == RECORD_METRICS && i < record.n; i++)
            logs_set(&logs, record.names[i], record.values[i]);
        const char *name = monitor_in(n, &logs, &value);
        if (name && is_better(n, name, value)) {
            n->best = value;
            n->best_epoch = record.epoch;
        }
        logs_release(&logs);
    }
    history_close_reader(reader);
}

static char *find_command(const json_t *settings)
{
    const char *given = getenv("ANTLER_NOTIFY"), *set = js_string(settings, "notify.command", NULL),
               *command = given ? given : set;
    return command && *command ? xstrdup(command) : NULL;
}

struct notifier *notify_new(const char *run_folder, const char *run_id, const json_t *config, struct err *err)
{
    char *home = path_folder(run_folder);
    json_t *problems = json_array(), *settings = settings_read(home, problems);
    char *command = find_command(settings);
    if (json_array_size(problems))
        err_set(err, ERR_USAGE, "%s", json_string_value(json_array_get(problems, 0)));
    json_decref(problems);
    bool tells_best = js_bool(settings, "notify.best", false);
    json_decref(settings);
    free(home);
    if (!command)
        return NULL;
    struct notifier *n = xcalloc(1, sizeof *n);
    json_t *run = run_read(run_folder, NULL);
    const char *monitor = monitored_metric(config, &n->mode);
    n->command = command;
    n->tells_best = tells_best;
    n->folder = xstrdup(run_folder);
    n->id = xstrdup(run_id);
    n->name = xstrdup(js_string(run, "name", run_id));
    n->monitor = monitor ? xstrdup(monitor) : NULL;
    n->best = NAN;
    pthread_mutex_init(&n->mutex, NULL);
    read_best(n);
    json_decref(run);
    return n;
}
