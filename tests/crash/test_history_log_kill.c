/* kill -9 at random moments of a writer: every record that was acknowledged is there, none is torn, the next writer
 * goes on. */
#include "tests/check.h"

#include "base/io.h"
#include "persistence/runs/history_log.h"

#include <signal.h>
#include <sys/wait.h>
#include <time.h>

enum { ROUNDS = 60 };

static void write_until_killed(const char *folder, int acknowledged, int64_t from)
{
    struct history_writer *writer = history_open_writer(folder, NULL);
    for (int64_t epoch = from; writer; epoch++) {
        const char *names[] = {"loss", "accuracy"};
        double values[] = {(double)epoch, 0.5};
        if (!history_add_metrics(writer, epoch, epoch, names, values, 2, NULL) ||
            write(acknowledged, &epoch, sizeof epoch) != sizeof epoch)
            break;
    }
    _exit(1);
}

static int64_t last_epoch(const char *folder)
{
    struct err err = {0};
    struct history_reader *reader = history_open_reader(folder, 0, &err);
    struct record record;
    int64_t last = 0;
    int found = 0;
    while (reader && (found = history_next(reader, &record, &err)) == 1) {
        CHECK_EQ(record.epoch, last + 1);
        last = record.epoch;
    }
    CHECK(found == 0);
    history_close_reader(reader);
    return last;
}

static void test_no_acknowledged_record_is_lost(void)
{
    const char *folder = check_path("run");
    struct err err = {0};
    CHECK_OK(io_make_folders(folder, &err), err);
    srand(7);
    int64_t last = 0;
    for (int round = 0; round < ROUNDS; round++) {
        int acknowledged[2];
        CHECK(!pipe(acknowledged));
        pid_t child = fork();
        if (!child)
            write_until_killed(folder, acknowledged[1], last + 1);
        close(acknowledged[1]);
        nanosleep(&(struct timespec){.tv_nsec = 500000 + rand() % 4000000}, NULL);
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        int64_t epoch, heard = last;
        while (read(acknowledged[0], &epoch, sizeof epoch) == sizeof epoch)
            heard = epoch;
        close(acknowledged[0]);
        last = last_epoch(folder);
        CHECK(last >= heard);
    }
    CHECK(last > 0);
}

int main(void)
{
    RUN(test_no_acknowledged_record_is_lost);
    return check_done();
}
