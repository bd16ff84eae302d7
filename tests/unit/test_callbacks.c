/* Callbacks against Keras' rules; where Keras' own run decides, see tests/keras/test_compile.py. */
#include "base/io.h"
#include "engine/compile/compile_parts.h"
#include "engine/train/callbacks.h"
#include "tests/check.h"

static const char *names[] = {"loss", "accuracy"};
static struct metric accuracy = {.key = "accuracy", .name = "accuracy", .direction = "up"};
static struct metric *metrics[] = {&accuracy};
static struct compile_parts parts = {.metrics = metrics, .n_metrics = 1};
static struct variable variable;
static struct compile compile = {
    .metric_names = names, .n_metrics = 2, .parts = &parts, .learning_rate = &variable, .iteration = &variable};

struct run { /* callbacks driven by hand */
    struct callbacks *callbacks;
    struct callback_actions actions;
    struct callback_moment moment;
    struct logs logs;
    json_t *config;
};

static bool start(struct run *run, const char *json, const struct callback_options *options, struct err *err)
{
    *run = (struct run){.moment.learning_rate = 0.1};
    run->config = js_parse(json, strlen(json), "test", JS_STRICT, err);
    run->callbacks = run->config ? callbacks_new(run->config, &compile, options, "callbacks", err) : NULL;
    return run->callbacks != NULL;
}

static void begin(struct run *run, const char *json, const char *folder)
{
    struct err err = {0};
    CHECK_OK(start(run, json, &(struct callback_options){.run_folder = folder}, &err), err);
    CHECK_OK(callbacks_train_begin(run->callbacks, &run->moment, &run->actions, &err), err);
}

static void epoch(struct run *run, double loss, double val_loss)
{
    struct err err = {0};
    CHECK_OK(callbacks_epoch_begin(run->callbacks, &run->moment, &run->actions, &err), err);
    logs_clear(&run->logs);
    if (!isnan(val_loss))
        logs_set(&run->logs, "val_loss", val_loss);
    logs_set(&run->logs, "loss", loss);
    logs_sort(&run->logs);
    CHECK_OK(callbacks_epoch_end(run->callbacks, &run->moment, &run->logs, &run->actions, &err), err);
    run->moment.epoch++;
}

static void finish(struct run *run)
{
    struct err err = {0};
    if (run->callbacks)
        CHECK_OK(callbacks_train_end(run->callbacks, &run->moment, &run->actions, &err), err);
    callbacks_free(run->callbacks);
    callback_actions_release(&run->actions);
    logs_release(&run->logs);
    json_decref(run->config);
}

static void test_a_checkpoint_is_asked_for_after_every_epoch(void)
{
    struct run run;
    begin(&run, "[{\"class\":\"ModelCheckpoint\",\"filepath\":\"{epoch:02d}-{val_loss:.2f}.keras\"}]", NULL);
    CHECK(callbacks_save_checkpoints(run.callbacks));
    epoch(&run, 1, 0.5);
    CHECK_EQ(run.actions.n_checkpoints, 1);
    CHECK_STR(run.actions.checkpoints[0].file, "01-0.50.keras");
    epoch(&run, 1, 0.25);
    CHECK_STR(run.actions.checkpoints[0].file, "02-0.25.keras");
    finish(&run);
}

static void test_only_better_values_are_kept_and_the_best_survives_a_restart(void)
{
    static const char *config = "[{\"class\":\"ModelCheckpoint\",\"filepath\":\"best.weights.h5\",\"save_best_only\":"
                                "true,\"save_weights_only\":true}]";
    struct err err = {0};
    struct run run, again;
    begin(&run, config, NULL);
    epoch(&run, 1, 0.5);
    CHECK_EQ(run.actions.n_checkpoints, 1);
    CHECK(run.actions.checkpoints[0].best && run.actions.checkpoints[0].weights_only);
    epoch(&run, 1, 0.6);
    CHECK_EQ(run.actions.n_checkpoints, 0);
    json_t *state = callbacks_state(run.callbacks);
    begin(&again, config, NULL);
    CHECK_OK(callbacks_restore(again.callbacks, state, &err), err);
    epoch(&again, 1, 0.55);
    CHECK_EQ(again.actions.n_checkpoints, 0);
    epoch(&again, 1, NAN);
    CHECK_EQ(again.actions.n_checkpoints, 1); /* Keras saves when the metric is missing */
    CHECK_HAS(str_text(&again.actions.messages), "'val_loss', which is not available");
    epoch(&again, 1, 0.4);
    CHECK_EQ(again.actions.n_checkpoints, 1);
    json_decref(state);
    finish(&run);
    finish(&again);
}

static void test_a_nan_is_never_the_best(void)
{
    struct run run;
    begin(&run,
          "[{\"class\":\"ModelCheckpoint\",\"filepath\":\"b.keras\",\"save_best_only\":true,\"monitor\":\"loss\"}]",
          NULL);
    epoch(&run, NAN, 1);
    CHECK_EQ(run.actions.n_checkpoints, 0);
    epoch(&run, 3, 1);
    CHECK_EQ(run.actions.n_checkpoints, 1);
    finish(&run);
}

/* Keras, 4 batches an epoch, save_freq 3: b1-3, b2-2, b3-1, b3-4. */
static void test_a_save_frequency_in_batches_runs_on_across_epochs(void)
{
    struct run run;
    struct err err = {0};
    struct str saved = {0};
    begin(&run, "[{\"class\":\"ModelCheckpoint\",\"filepath\":\"b{epoch}-{batch}.keras\",\"save_freq\":3}]", NULL);
    for (run.moment.epoch = 0; run.moment.epoch < 3; run.moment.epoch++)
        for (run.moment.batch = 0; run.moment.batch < 4; run.moment.batch++) {
            if (callbacks_batch_needs(run.callbacks) == CALLBACK_NEEDS_NOTHING)
                continue;
            logs_set(&run.logs, "loss", 1);
            CHECK_OK(callbacks_batch_end(run.callbacks, &run.moment, &run.logs, &run.actions, &err), err);
            for (int i = 0; i < run.actions.n_checkpoints; i++)
                str_addf(&saved, "%s ", run.actions.checkpoints[i].file);
        }
    CHECK_STR(str_text(&saved), "b1-3.keras b2-2.keras b3-1.keras b3-4.keras ");
    str_release(&saved);
    finish(&run);
}

static void test_early_stopping_stops_and_restores_the_best_weights(void)
{
    struct run run;
    begin(&run, "[{\"class\":\"EarlyStopping\",\"patience\":2,\"restore_best_weights\":true}]", NULL);
    CHECK_EQ(callbacks_weight_slots(run.callbacks), 1);
    epoch(&run, 1, 0.5);
    CHECK_EQ(run.actions.keep_weights, 1);
    epoch(&run, 1, 0.4);
    CHECK_EQ(run.actions.keep_weights, 1);
    epoch(&run, 1, 0.4);
    CHECK_EQ(run.actions.keep_weights, 0);
    CHECK(!run.actions.stop);
    epoch(&run, 1, 0.45);
    CHECK(run.actions.stop);
    CHECK_STR(run.actions.stop_reason, "EarlyStopping: val_loss has not improved for 2 epochs");
    struct err err = {0};
    CHECK_OK(callbacks_train_end(run.callbacks, &run.moment, &run.actions, &err), err);
    CHECK_EQ(run.actions.restore_weights, 0);
    finish(&run);
}

static void test_early_stopping_without_patience_waits_for_the_second_epoch(void)
{
    struct run run;
    begin(&run, "[{\"class\":\"EarlyStopping\",\"monitor\":\"loss\"}]", NULL);
    epoch(&run, NAN, 1);
    CHECK(!run.actions.stop);
    epoch(&run, NAN, 1);
    CHECK(run.actions.stop);
    finish(&run);
}

static void test_a_learning_rate_falls_on_a_plateau_and_goes_on_after_a_restart(void)
{
    static const char *config = "[{\"class\":\"ReduceLROnPlateau\",\"factor\":0.5,\"patience\":2,\"cooldown\":1,\"min_"
                                "lr\":0.03,\"verbose\":1}]";
    static const double losses[] = {1, 1, 1, 1, 1, 1, 1, 0.5, 0.5, 0.5};
    double whole[10], value;
    struct run run;
    struct err err = {0};
    begin(&run, config, NULL);
    for (int i = 0; i < 10; i++) {
        epoch(&run, 1, losses[i]);
        CHECK(logs_get(&run.logs, "learning_rate", &value));
        whole[i] = run.moment.learning_rate;
    }
    CHECK_NEAR(whole[1], 0.1, 1e-7);
    CHECK_NEAR(whole[2], 0.05, 1e-7);
    CHECK_NEAR(whole[4], 0.03, 1e-7);
    finish(&run);
    begin(&run, config, NULL);
    for (int i = 0; i < 10; i++) {
        epoch(&run, 1, losses[i]);
        CHECK_EQ(run.moment.learning_rate == whole[i], true);
        json_t *state = callbacks_state(run.callbacks);
        callbacks_free(run.callbacks);
        run.callbacks = callbacks_new(run.config, &compile, NULL, "callbacks", &err);
        CHECK_OK(callbacks_restore(run.callbacks, state, &err), err);
        json_decref(state);
    }
    finish(&run);
}

static void test_a_learning_rate_follows_an_expression(void)
{
    struct run run;
    begin(&run, "[{\"class\":\"LearningRateScheduler\",\"schedule\":\"lr * 0.5 if epoch > 0 else lr\"}]", NULL);
    epoch(&run, 1, 1);
    CHECK_NEAR(run.moment.learning_rate, 0.1, 1e-7);
    epoch(&run, 1, 1);
    CHECK_NEAR(run.moment.learning_rate, 0.05, 1e-7);
    CHECK_STR(run.logs.entries[run.logs.n - 1].name, "learning_rate");
    finish(&run);
}

static void test_a_nan_loss_ends_the_training_in_its_batch(void)
{
    struct run run;
    struct err err = {0};
    begin(&run, "[{\"class\":\"TerminateOnNaN\"}]", NULL);
    CHECK_EQ(callbacks_batch_needs(run.callbacks), CALLBACK_NEEDS_LOSS);
    logs_set(&run.logs, "loss", 1);
    CHECK_OK(callbacks_batch_end(run.callbacks, &run.moment, &run.logs, &run.actions, &err), err);
    CHECK(!run.actions.stop);
    logs_set(&run.logs, "loss", INFINITY);
    CHECK_OK(callbacks_batch_end(run.callbacks, &run.moment, &run.logs, &run.actions, &err), err);
    CHECK(run.actions.stop);
    CHECK_HAS(run.actions.stop_reason, "infinite in batch 1 of epoch 1");
    finish(&run);
}

static char *file_text(const char *name)
{
    struct err err = {0};
    char *text = NULL;
    size_t size;
    CHECK_OK(io_read_file(check_path(name), 1 << 20, &text, &size, &err), err);
    return text;
}

static void test_the_csv_file_is_that_of_keras(void)
{
    struct run run;
    begin(&run, "[{\"class\":\"CSVLogger\",\"filename\":\"log.csv\"}]", check_tmp());
    epoch(&run, 0.1, 1e-5);
    epoch(&run, 2, NAN);
    finish(&run);
    char *text = file_text("log.csv");
    CHECK_STR(text, "epoch,loss,val_loss\r\n0,0.1,1e-05\r\n1,2.0,NA\r\n");
    free(text);
    begin(&run, "[{\"class\":\"CSVLogger\",\"filename\":\"log.csv\",\"separator\":\";\"}]", check_tmp());
    epoch(&run, 0.5, NAN);
    finish(&run);
    text = file_text("log.csv");
    CHECK_STR(text, "epoch;loss;val_loss\r\n0;0.5;NA\r\n");
    free(text);
}

static void test_a_resumed_run_cuts_the_csv_file_where_its_state_was(void)
{
    static const char *config = "[{\"class\":\"CSVLogger\",\"filename\":\"cut.csv\"}]";
    struct run run, again;
    struct err err = {0};
    begin(&run, config, check_tmp());
    epoch(&run, 1, 1);
    json_t *state = callbacks_state(run.callbacks);
    epoch(&run, 2, 2);
    epoch(&run, 3, 3);
    finish(&run);
    CHECK_OK(start(&again, config, &(struct callback_options){.run_folder = check_tmp()}, &err), err);
    CHECK_OK(callbacks_restore(again.callbacks, state, &err), err);
    CHECK_OK(callbacks_train_begin(again.callbacks, &again.moment, &again.actions, &err), err);
    again.moment.epoch = 1;
    epoch(&again, 7, 7);
    finish(&again);
    char *text = file_text("cut.csv");
    CHECK_STR(text, "epoch,loss,val_loss\r\n0,1.0,1.0\r\n1,7.0,7.0\r\n");
    free(text);
    json_decref(state);
}

static void refused(const char *json, const char *because)
{
    struct run run;
    struct err err = {0};
    CHECK(!start(&run, json, NULL, &err));
    CHECK_HAS(err.text, because);
    CHECK_HAS(err.text, "callbacks[0]");
    CHECK_EQ(err.code, ERR_USAGE);
    finish(&run);
}

static void test_wrong_callbacks_are_named_with_their_place(void)
{
    refused("[{\"class\":\"EarlyStoping\"}]", "did you mean 'EarlyStopping'?");
    refused("[{\"class\":\"TensorBoard\"}]", "not available here");
    refused("[{\"class\":\"EarlyStopping\",\"patince\":3}]", "patience");
    refused("[{\"class\":\"EarlyStopping\",\"monitor\":\"val_acuracy\"}]", "did you mean 'val_accuracy'?");
    refused("[{\"class\":\"ModelCheckpoint\",\"filepath\":\"../x.keras\"}]", "plain file name");
    refused("[{\"class\":\"ModelCheckpoint\",\"filepath\":\"final.keras\"}]", "the run's own file");
    refused("[{\"class\":\"ModelCheckpoint\",\"filepath\":\"antler-backup.keras\"}]", "the run's own file");
    refused("[{\"class\":\"ModelCheckpoint\",\"filepath\":\"x.h5\"}]", "must end in '.keras'");
    refused("[{\"class\":\"ModelCheckpoint\",\"filepath\":\"x.keras\",\"save_weights_only\":true}]",
            "must end in '.weights.h5'");
    refused("[{\"class\":\"ModelCheckpoint\",\"filepath\":\"{val_los:.2f}.keras\"}]", "did you mean 'val_loss'?");
    refused("[{\"class\":\"ModelCheckpoint\",\"filepath\":\"{batch}.keras\"}]", "there is no 'batch'");
    refused("[{\"class\":\"ModelCheckpoint\",\"filepath\":\"x.keras\",\"save_freq\":0}]", "save_freq");
    refused("[{\"class\":\"ReduceLROnPlateau\",\"factor\":1.0}]", "below 1");
    refused("[{\"class\":\"LearningRateScheduler\",\"schedule\":\"lr * epochs\"}]", "epoch");
    refused("[{\"class\":\"CSVLogger\",\"filename\":\"history.log\"}]", "a file of the run itself");
}

static void test_a_damaged_state_is_refused(void)
{
    struct run run;
    struct err err = {0};
    begin(&run, "[{\"class\":\"EarlyStopping\"}]", NULL);
    json_t *state = js_parse("[{\"class\":\"EarlyStopping\",\"best\":\"x\"}]", 38, "state", JS_STRICT, &err);
    CHECK(state && !callbacks_restore(run.callbacks, state, &err));
    CHECK_EQ(err.code, ERR_FORMAT);
    json_decref(state);
    finish(&run);
}

static void test_learning_rate_callbacks_are_refused_with_a_schedule(void)
{
    compile.learning_rate = NULL;
    refused("[{\"class\":\"ReduceLROnPlateau\"}]", "is a schedule");
    compile.learning_rate = &variable;
}

static void test_logs_are_sorted_as_keras_sorts_its_history(void)
{
    struct logs logs = {0};
    static const char *const keys[] = {"val_loss", "loss", "val_accuracy", "accuracy"}, *const sorted[] = {
                                                                                            "accuracy", "loss",
                                                                                            "val_accuracy", "val_loss"};
    for (int i = 0; i < 4; i++)
        logs_set(&logs, keys[i], i);
    logs_sort(&logs);
    for (int i = 0; i < 4; i++)
        CHECK_STR(logs.entries[i].name, sorted[i]);
    logs_release(&logs);
}

int main(void)
{
    RUN(test_a_checkpoint_is_asked_for_after_every_epoch);
    RUN(test_only_better_values_are_kept_and_the_best_survives_a_restart);
    RUN(test_a_nan_is_never_the_best);
    RUN(test_a_save_frequency_in_batches_runs_on_across_epochs);
    RUN(test_early_stopping_stops_and_restores_the_best_weights);
    RUN(test_early_stopping_without_patience_waits_for_the_second_epoch);
    RUN(test_a_learning_rate_falls_on_a_plateau_and_goes_on_after_a_restart);
    RUN(test_a_learning_rate_follows_an_expression);
    RUN(test_a_nan_loss_ends_the_training_in_its_batch);
    RUN(test_the_csv_file_is_that_of_keras);
    RUN(test_a_resumed_run_cuts_the_csv_file_where_its_state_was);
    RUN(test_wrong_callbacks_are_named_with_their_place);
    RUN(test_a_damaged_state_is_refused);
    RUN(test_learning_rate_callbacks_are_refused_with_a_schedule);
    RUN(test_logs_are_sorted_as_keras_sorts_its_history);
    return check_done();
}
