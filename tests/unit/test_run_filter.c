/* The filter language: what matches, what does not, and where errors point. */
#include "tests/check.h"

#include "base/arena.h"
#include "persistence/index/run_filter.h"

static const char *const tags[] = {"paper", "First Try"};
static const struct metric_summary metrics[] = {
    {"loss", 0.5, 0.25, 3}, {"val_loss", NAN, 0.19, 2}, {"broken", NAN, NAN, 0}};
static const struct run_summary run = {.id = "2026-11-23_14-30-12_digits-mlp",
                                       .name = "digits-mlp",
                                       .note = "the one with dropout",
                                       .device = "cpu",
                                       .state = RUN_RUNNING,
                                       .epoch = 7,
                                       .epochs = 20,
                                       .step = 700,
                                       .created = 1.7e9,
                                       .duration_s = 125,
                                       .tags = tags,
                                       .n_tags = 2,
                                       .metrics = metrics,
                                       .n_metrics = 3,
                                       .parent_run = "2026-11-20_base"};

static const char *param(void *context, const char *run_id, const char *path)
{
    (void)context;
    (void)run_id;
    if (!strcmp(path, "compile.optimizer.learning_rate"))
        return "0.001";
    return !strcmp(path, "compile.optimizer.class") ? "\"Adam\"" : NULL;
}

static void expect(const char *text, bool expected)
{
    struct err err = {0};
    struct run_filter *filter = run_filter_parse(text, &err);
    if (!filter) {
        CHECK_FAIL("'%s' was refused: %s", text, err.text);
        return;
    }
    if (run_filter_matches(filter, &run, param, NULL) != expected)
        CHECK_FAIL("'%s': expected %s", text, expected ? "a match" : "no match");
    run_filter_free(filter);
}

static void test_words_search_name_id_tags_and_note(void)
{
    const char *const yes[] = {"",        "  ",           "digits", "MLP",       "14-30",          "pap",
                               "dropout", "\"one with\"", "d*mlp",  "'first t'", "digits dropout", "d?gits",
                               "-cnn",    "!cnn",         "NOT cnn"};
    for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++)
        expect(yes[i], true);
    const char *const no[] = {"cnn", "digits cnn", "-digits", "d?its", "\"with one\""};
    for (size_t i = 0; i < sizeof no / sizeof no[0]; i++)
        expect(no[i], false);
}

static void test_fields_compare_numbers_and_texts(void)
{
    const char *const yes[] = {"state:running",
                               "state:run",
                               "state=running",
                               "state!=failed",
                               "tag:paper",
                               "tag:\"first try\"",
                               "tag:p*",
                               "tag!=x",
                               "best.val_loss<0.2",
                               "best.val_loss<=0.19",
                               "last.loss>=0.5",
                               "last.loss=5e-1",
                               "epoch>5",
                               "epoch:7",
                               "epochs=20",
                               "step!=5",
                               "duration>2m",
                               "duration<=125s",
                               "duration<1h",
                               "created>=2023-11-14",
                               "created:2023-11",
                               "created<2024",
                               "config.compile.optimizer.learning_rate=0.001",
                               "config.compile.optimizer.learning_rate<1e-2",
                               "config.compile.optimizer.class=adam",
                               "config.compile.optimizer.class:da",
                               "last.val_loss=nan",
                               "parent:base",
                               "name=DIGITS-MLP",
                               "id:14-30"};
    for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++)
        expect(yes[i], true);
    const char *const no[] = {"state:failed",     "tag:pap",           "best.val_loss<0.19", "last.val_loss<1",
                              "last.val_loss>0",  "best.broken<9",     "best.nothing<1",     "last.nothing!=1",
                              "config.nothing=1", "config.nothing!=1", "duration>5m",        "error:x",
                              "note=the"};
    for (size_t i = 0; i < sizeof no / sizeof no[0]; i++)
        expect(no[i], false);
}

static void test_and_binds_tighter_than_or(void)
{
    expect("cnn AND mlp OR digits", true);
    expect("cnn AND (mlp OR digits)", false);
    expect("digits | cnn", true);
    expect("(digits|cnn) AND -tag:x", true);
    expect("NOT (digits OR cnn)", false);
    expect("NOT NOT digits", true);
    expect("ORB OR digits", true);
    expect("-(state:running epoch>5)", false);
}

static void test_errors_point_at_the_column(void)
{
    const char *const cases[][2] = {{"best.loss<", "column 11: a value is missing"},
                                    {"a (b", "column 3: this parenthesis is not closed"},
                                    {"a) b", "column 2: this parenthesis was not opened"},
                                    {"stat:running", "column 1: there is no field 'stat', did you mean 'state'?"},
                                    {"state:runing", "column 7: there is no state 'runing', did you mean 'running'?"},
                                    {"a state=x", "column 9: there is no state 'x'; there are queued, running"},
                                    {"digits epoch>x", "column 14: expected a number"},
                                    {"a OR", "column 5: a condition is missing"},
                                    {"a AND OR b", "column 7: a condition is missing"},
                                    {"AND b", "column 1: a condition is missing"},
                                    {"\"abc", "column 1: a quote"},
                                    {"=3", "there is no field ''"},
                                    {"| a", "column 1: a condition is missing"},
                                    {"epoch!3", "column 6: expected !="},
                                    {"-", "column 2: a condition is missing"},
                                    {"last.=3", "there is no field 'last.'"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct err err = {0};
        struct run_filter *filter = run_filter_parse(cases[i][0], &err);
        if (filter)
            CHECK_FAIL("'%s' was accepted", cases[i][0]);
        else {
            CHECK_HAS(err.text, cases[i][1]);
            CHECK_EQ(err.code, ERR_USAGE);
        }
        run_filter_free(filter);
    }
}

static void test_random_bytes_are_answered(void)
{
    static const char alphabet[] = "ab.:=<>!()|-\"' ANDORNOT1";
    srand(3);
    for (int round = 0; round < 100000; round++) {
        size_t n = (size_t)(rand() % 23);
        char *text = xcalloc(n + 1, 1); /* of its exact size: a sanitizer sees a step behind the end */
        for (size_t i = 0; i < n; i++)
            text[i] = alphabet[(size_t)rand() % (sizeof alphabet - 1)];
        struct err err = {0};
        struct run_filter *filter = run_filter_parse(text, &err);
        if (filter)
            run_filter_matches(filter, &run, param, NULL);
        else
            CHECK_HAS(err.text, "column");
        run_filter_free(filter);
        free(text);
    }
    char deep[4001];
    memset(deep, '(', 4000);
    deep[4000] = 0;
    CHECK(!run_filter_parse(deep, NULL));
    memset(deep, '-', 4000);
    CHECK(!run_filter_parse(deep, NULL));
}

int main(void)
{
    RUN(test_words_search_name_id_tags_and_note);
    RUN(test_fields_compare_numbers_and_texts);
    RUN(test_and_binds_tighter_than_or);
    RUN(test_errors_point_at_the_column);
    RUN(test_random_bytes_are_answered);
    return check_done();
}
