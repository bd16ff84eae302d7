/* control.c - see control.h */
#include "base/io.h"
#include "base/log.h"
#include "engine/worker/control.h"
#include "engine/worker/vitals.h"
#include "persistence/runs/run_commands.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum { POLL_MS = 200 };

struct control {
    struct control_options o;
    pthread_t thread;
    bool started;
    int signals, quit, watch; /* file descriptors */
    int64_t commands_offset;
    int interrupts;
    struct vitals_meter *meter;
    struct steering_order held; /* a command that did not fit into the queue; no other is read until it does */
    bool holds;
    const char *stop_signal; /* one that did not fit into the queue; NULL = none */
};

static void stop_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
}

void control_block_signals(void)
{
    sigset_t set;
    stop_signals(&set);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file size limit is an error of write, not the end */
}

static void give_signal(struct control *c)
{
    const struct steering_order stop = {.verb = STEER_STOP, .value = NAN, .signal = c->stop_signal};
    if (c->stop_signal && steering_give(c->o.steering, &stop))
        c->stop_signal = NULL;
}

static void give_held(struct control *c)
{
    if (c->holds && steering_give(c->o.steering, &c->held))
        c->holds = false;
}

static void read_signals(struct control *c)
{
    struct signalfd_siginfo info;
    while (read(c->signals, &info, sizeof info) == (ssize_t)sizeof info) {
        bool interrupt = info.ssi_signo == SIGINT;
        if (interrupt && ++c->interrupts > 1)
            _exit(err_exit_status(ERR_INTERRUPTED));
        c->stop_signal = interrupt ? "SIGINT" : "SIGTERM";
        give_signal(c);
    }
}

static void refuse(struct control *c, const struct run_command *command, const char *why)
{
    journal_event(c->o.journal, 0, 0,
                  json_pack("{s:s,s:I,s:s,s:b,s:s}", "event", "command", "number", (json_int_t)command->number,
                            "command", command->command, "ok", 0, "error", why));
}

static void read_commands(struct control *c)
{
    struct run_command command;
    struct err err = {0};
    while (!c->holds && run_command_next(c->o.run_folder, &c->commands_offset, &command, &err) == 1) {
        enum steering_verb verb;
        if (!steering_parse(command.command, &verb)) {
            refuse(c, &command, "unknown command");
            continue;
        }
        c->held = (struct steering_order){.verb = verb, .number = command.number, .value = command.value};
        c->holds = true;
        give_held(c);
    }
    if (err.code)
        log_warn("%s", err.text);
}

static void *listen_thread(void *argument)
{
    struct control *c = argument;
    struct pollfd ready[] = {
        {.fd = c->quit, .events = POLLIN}, {.fd = c->signals, .events = POLLIN}, {.fd = c->watch, .events = POLLIN}};
    while (!(ready[0].revents & POLLIN)) {
        vitals_measure(c->meter, c->o.vitals);
        notify_poll(c->o.notifier);
        read_commands(c);
        journal_flush(c->o.journal);
        if (poll(ready, 3, POLL_MS) < 0)
            continue;
        char events[4096];
        while (c->watch >= 0 && read(c->watch, events, sizeof events) > 0)
            ;
        read_signals(c);
        give_signal(c);
        give_held(c);
    }
    return NULL;
}

struct control *control_start(const struct control_options *options, struct err *err)
{
    struct control *c = xcalloc(1, sizeof *c);
    c->o = *options;
    c->meter = vitals_new(options->run_folder, options->batch_size);
    sigset_t set;
    stop_signals(&set);
    c->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    c->quit = eventfd(0, EFD_CLOEXEC);
    c->watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    char *commands = path_join(options->run_folder, "commands.log");
    int file = io_open(commands, O_CREAT | O_RDONLY, 0666, NULL); /* so that it can be watched */
    if (file >= 0)
        io->close(file);
    if (c->watch >= 0)
        inotify_add_watch(c->watch, commands, IN_MODIFY | IN_CLOSE_WRITE);
    free(commands);
    c->commands_offset = run_command_end(options->run_folder);
    int failed = c->signals < 0 || c->quit < 0 ? errno : pthread_create(&c->thread, NULL, listen_thread, c);
    c->started = !failed;
    if (failed) {
        err_errno(err, ERR_FAILED, failed, "cannot start the thread that listens for commands");
        control_stop(c);
        return NULL;
    }
    return c;
}

void control_stop(struct control *c)
{
    if (!c)
        return;
    if (c->started) {
        uint64_t one = 1;
        if (write(c->quit, &one, sizeof one) != sizeof one)
            log_warn("the listening thread cannot be told to end");
        pthread_join(c->thread, NULL);
        struct run_command late;
        while (run_command_next(c->o.run_folder, &c->commands_offset, &late, NULL) == 1)
            refuse(c, &late, "the run has ended");
    }
    struct steering_order order;
    while (steering_take(c->o.steering, &order)) {
        struct run_command late = {.number = order.number};
        snprintf(late.command, sizeof late.command, "%s", steering_word(order.verb));
        if (!order.signal)
            refuse(c, &late, "the run has ended");
    }
    for (int i = 0; i < 3; i++) {
        int fd = ((int[]){c->signals, c->quit, c->watch})[i];
        if (fd >= 0)
            close(fd);
    }
    vitals_free(c->meter);
    free(c);
}
