/* test_train_parts.c - the parts of the loop that stand alone: passes over the samples, orders, and the journal on a
 * disk that fails. */
#include "tests/check.h"
#include "tests/fault/io_fault.h"

#include "engine/train/journal.h"
#include "engine/train/pass.h"
#include "engine/train/steering.h"
#include "persistence/runs/history_log.h"

/* Counts how often each sample comes in one epoch. */
static int64_t run_epoch(struct pass *pass, int *seen)
{
    int64_t batches = pass_epoch_batches(pass), n;
    for (int64_t b = 0; b < batches; b++) {
        const int64_t *positions = pass_next(pass, &n);
        for (int64_t i = 0; i < n; i++)
            seen[positions[i]]++;
    }
    pass_end_epoch(pass);
    return batches;
}

static void test_an_epoch_sees_every_sample_once_in_a_new_order(void)
{
    struct err err = {0};
    struct pass pass;
    int64_t first[10], n;
    CHECK_OK(pass_init(&pass, 10, 4, "train", &err), err);
    pass.shuffle = true;
    pass.seed = 5;
    pass_seek(&pass, 0, 0);
    memcpy(first, pass.order, sizeof first);
    int seen[10] = {0};
    CHECK_EQ(run_epoch(&pass, seen), 3);
    for (int i = 0; i < 10; i++)
        CHECK_EQ(seen[i], 1);
    CHECK_EQ(pass.number, 1);
    CHECK(memcmp(first, pass.order, sizeof first) != 0);
    pass_seek(&pass, 0, 2);
    const int64_t *rest = pass_next(&pass, &n);
    CHECK_EQ(n, 2);
    CHECK_EQ(rest[0], first[8]);
    pass_release(&pass);
}

static void test_steps_per_epoch_goes_on_where_the_last_epoch_stopped(void)
{
    struct err err = {0};
    struct pass pass;
    int seen[10] = {0};
    CHECK_OK(pass_init(&pass, 10, 2, "train", &err), err);
    pass.steps_per_epoch = 3;
    CHECK_EQ(run_epoch(&pass, seen), 3);
    CHECK_EQ(pass.number, 0);
    CHECK_EQ(run_epoch(&pass, seen), 2); /* what is left of the pass: an epoch never reaches into the next */
    CHECK_EQ(pass.number, 1);
    for (int i = 0; i < 10; i++)
        CHECK_EQ(seen[i], 1);
    pass_release(&pass);
    CHECK(!pass_init(&pass, 0, 4, "train", &err));
    CHECK_HAS(err.text, "the train part of the data has no samples");
}

static void test_orders_come_out_in_the_order_they_went_in(void)
{
    struct steering steering;
    struct steering_order order = {.verb = STEER_PAUSE, .number = 0};
    enum steering_verb verb;
    steering_init(&steering);
    CHECK(!steering_pending(&steering));
    for (int i = 0; i < STEERING_QUEUE; i++) {
        order.number = i;
        CHECK(steering_give(&steering, &order));
    }
    CHECK(!steering_give(&steering, &order));
    for (int i = 0; i < STEERING_QUEUE; i++) {
        CHECK(steering_pending(&steering));
        CHECK(steering_take(&steering, &order));
        CHECK_EQ(order.number, i);
    }
    CHECK(!steering_pending(&steering) && !steering_take(&steering, &order));
    CHECK(steering_parse("learning_rate", &verb) && verb == STEER_LEARNING_RATE);
    CHECK(!steering_parse("dance", &verb));
    steering_release(&steering);
}

/* The values of a metric in the log, as text. */
static void read_values(const char *folder, const char *name, struct str *out)
{
    struct err err = {0};
    struct record record;
    struct history_reader *reader = history_open_reader(folder, 0, &err);
    while (reader && history_next(reader, &record, &err) == 1)
        for (size_t i = 0; record.kind == RECORD_METRICS && i < record.n; i++)
            if (!strcmp(record.names[i], name))
                str_addf(out, "%g@%lld ", record.values[i], (long long)record.step);
    history_close_reader(reader);
}

static void test_step_records_keep_their_place_among_the_others(void)
{
    struct err err = {0};
    struct journal *journal = journal_open(check_tmp(), &err);
    CHECK(journal);
    const char *names[] = {"batch_loss"}, *loss[] = {"loss"};
    journal_steps_begin(journal, names, 1);
    for (int step = 1; step <= 5000; step++) /* more than the ring holds */
        journal_step(journal, 1, step, &(double){step});
    journal_metrics(journal, 1, 5000, loss, &(double){0.5}, 1);
    journal_step(journal, 2, 5001, &(double){1});
    journal_close(journal);
    struct history_reader *reader = history_open_reader(check_tmp(), 0, &err);
    struct record record;
    int64_t last = 0, n = 0;
    while (history_next(reader, &record, &err) == 1) {
        if (record.kind != RECORD_METRICS)
            continue;
        CHECK(record.step >= last);
        last = record.step;
        n++;
    }
    history_close_reader(reader);
    CHECK_EQ(n, 5002);
}

static void test_a_full_disk_loses_no_record_that_can_still_be_written(void)
{
    struct err err = {0};
    const char *folder = check_path("full");
    CHECK(io_make_folders(folder, NULL));
    struct journal *journal = journal_open(folder, &err);
    CHECK(journal);
    const char *loss[] = {"loss"};
    journal_metrics(journal, 1, 10, loss, &(double){1}, 1);
    io_fault_arm(1, ENOSPC, FAULT_FOREVER, FAULT_WRITE);
    journal_metrics(journal, 2, 20, loss, &(double){2}, 1);
    journal_event(journal, 2, 20, json_pack("{s:s}", "event", "warning"));
    CHECK(journal_is_stuck(journal));
    io_fault_disarm();
    journal_metrics(journal, 3, 30, loss, &(double){3}, 1);
    CHECK(!journal_is_stuck(journal));
    journal_close(journal);
    struct str values = {0};
    read_values(folder, "loss", &values);
    CHECK_STR(str_text(&values), "1@10 2@20 3@30 ");
    str_release(&values);
}

int main(void)
{
    RUN(test_an_epoch_sees_every_sample_once_in_a_new_order);
    RUN(test_steps_per_epoch_goes_on_where_the_last_epoch_stopped);
    RUN(test_orders_come_out_in_the_order_they_went_in);
    RUN(test_step_records_keep_their_place_among_the_others);
    RUN(test_a_full_disk_loses_no_record_that_can_still_be_written);
    return check_done();
}
