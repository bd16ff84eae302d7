/* process_cost.c - what a command costs with all the processes that it leaves behind: process_cost COMMAND
 * [ARGUMENT]...
 *
 * Prints {"status", "wall_s", "cpu_s", "peak_bytes": of its largest process}; the command's own output goes nowhere,
 * its errors stay. A small program, because a process begins with the peak of whoever started it. A program of ./dev
 * bench.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static double seconds(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return fprintf(stderr, "usage: process_cost COMMAND [ARGUMENT]...\n"), 2;
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    double start_s = now_s(), cpu_s = 0;
    pid_t child = fork(), ended;
    if (!child) {
        int null = open("/dev/null", O_RDWR);
        dup2(null, STDIN_FILENO);
        dup2(null, STDOUT_FILENO);
        execvp(argv[1], argv + 1);
        perror(argv[1]);
        _exit(127);
    }
    long peak_bytes = 0;
    int status, status_of_command = -1;
    struct rusage use;
    while ((ended = wait4(-1, &status, 0, &use)) > 0 || errno == EINTR) {
        cpu_s += seconds(use.ru_utime) + seconds(use.ru_stime);
        peak_bytes = use.ru_maxrss * 1024 > peak_bytes ? use.ru_maxrss * 1024 : peak_bytes;
        if (ended == child)
            status_of_command = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
    printf("{\"status\": %d, \"wall_s\": %.6f, \"cpu_s\": %.6f, \"peak_bytes\": %ld}\n", status_of_command,
           now_s() - start_s, cpu_s, peak_bytes);
    return 0;
}
