/* crash.c - see crash.h */
#include "tui/terminal/crash.h"

#include "base/arena.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* What a crash needs: plain data, async-signal-safe to use. */
static struct {
    volatile sig_atomic_t armed;
    int fd;
    struct termios cooked;
    char restore[256];
    size_t restore_size;
    void *stack;
} crash;
static const int crash_signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
enum { N_CRASH_SIGNALS = sizeof crash_signals / sizeof *crash_signals };

static void restore_after_crash(void)
{
    if (!crash.armed)
        return;
    crash.armed = 0;
    fcntl(crash.fd, F_SETFL, fcntl(crash.fd, F_GETFL) & ~O_NONBLOCK);
    ssize_t ignored = write(crash.fd, crash.restore, crash.restore_size);
    (void)ignored;
    tcsetattr(crash.fd, TCSANOW, &crash.cooked);
}

static void on_crash(int signal_number)
{
    restore_after_crash();
    raise(signal_number); /* SA_RESETHAND: the default action, with its exit status */
}

void crash_arm(int fd, const struct termios *cooked, const char *leave)
{
    crash.fd = fd;
    crash.cooked = *cooked;
    crash.restore_size = (size_t)snprintf(crash.restore, sizeof crash.restore, "%s\033[0m\033[?25h\r\n", leave);
    if (!crash.stack)
        crash.stack = xmalloc((size_t)SIGSTKSZ + 65536);
    stack_t stack = {.ss_sp = crash.stack, .ss_size = (size_t)SIGSTKSZ + 65536};
    struct sigaction action = {.sa_handler = on_crash, .sa_flags = (int)(SA_ONSTACK | SA_RESETHAND)};
    sigaltstack(&stack, NULL);
    for (int k = 0; k < N_CRASH_SIGNALS; k++)
        sigaction(crash_signals[k], &action, NULL);
    err_bug_hook = restore_after_crash;
    crash.armed = 1;
}

void crash_disarm(void)
{
    crash.armed = 0;
    err_bug_hook = NULL;
    for (int k = 0; k < N_CRASH_SIGNALS; k++)
        signal(crash_signals[k], SIG_DFL);
    sigaltstack(&(stack_t){.ss_flags = SS_DISABLE}, NULL);
    free(crash.stack);
    crash.stack = NULL;
}

void crash_expect(bool entered)
{
    crash.armed = entered;
}
