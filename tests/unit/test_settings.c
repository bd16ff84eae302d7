/* test_settings.c - settings of a home and one's own: which wins, what is refused, what may never come from a home. */
#include "base/io.h"
#include "persistence/config/settings.h"
#include "tests/check.h"

static const char *home(void)
{
    static char path[300];
    struct err err = {0};
    snprintf(path, sizeof path, "%s/runs", check_tmp());
    CHECK_OK(io_make_folders(path, &err), err);
    return path;
}

static void write_file(const char *path, const char *text)
{
    struct err err = {0};
    char *folder = path_folder(path);
    CHECK_OK(io_make_folders(folder, &err), err);
    free(folder);
    FILE *f = fopen(path, "w");
    CHECK(f && fputs(text, f) >= 0 && !fclose(f));
}

static void write_settings(const char *shared, const char *own)
{
    char *path = settings_home_path(home()), *mine = settings_own_path();
    write_file(path, shared);
    write_file(mine, own);
    free(path);
    free(mine);
}

/* What holds, and, in `said`, what does not: one text, or "" for nothing. */
static json_t *read_said(char *said, size_t room)
{
    json_t *problems = json_array(), *settings = settings_read(home(), problems);
    CHECK(json_array_size(problems) <= 1);
    snprintf(said, room, "%s", json_array_size(problems) ? json_string_value(json_array_get(problems, 0)) : "");
    json_decref(problems);
    return settings;
}

static void check_said(const char *expected)
{
    char said[1600];
    json_decref(read_said(said, sizeof said));
    CHECK_HAS(said, expected);
}

static void test_without_files_the_defaults_hold(void)
{
    char said[1600];
    json_t *settings = read_said(said, sizeof said);
    CHECK_EQ(js_int(settings, "queue.slots", 0), 1);
    CHECK_STR(js_string(settings, "notify.terminal", NULL), "off");
    CHECK(json_is_null(json_object_get(settings, "notify.command")));
    CHECK_STR(said, "");
    json_decref(settings);
}

static void test_the_home_wins_over_ones_own(void)
{
    write_settings("{\"queue.slots\": 3}", "{\"queue.slots\": 2, \"notify.bell\": true}");
    json_t *settings = settings_read(home(), NULL);
    CHECK_EQ(js_int(settings, "queue.slots", 0), 3);
    CHECK(js_bool(settings, "notify.bell", false));
    json_decref(settings);
}

static void test_an_unknown_key_is_said_and_the_rest_holds(void)
{
    char said[1600];
    write_settings("{\"queue.slot\": 3, \"queue.slots\": 5, \"new.in.1999\\u001b[2J\": {}}", "{\"notify.bell\": true}");
    json_t *problems = json_array(), *settings = settings_read(home(), problems);
    CHECK_EQ(js_int(settings, "queue.slots", 0), 5);
    CHECK(js_bool(settings, "notify.bell", false));
    CHECK(!json_object_get(settings, "queue.slot"));
    CHECK_EQ(json_array_size(problems), 2);
    snprintf(said, sizeof said, "%s", json_string_value(json_array_get(problems, 0)));
    CHECK_HAS(said, "did you mean 'queue.slots'?");
    CHECK_HAS(said, "runs/settings.json");
    CHECK(!strchr(json_string_value(json_array_get(problems, 1)), '\033'));
    json_decref(settings);
    json_decref(problems);
}

static void test_a_wrong_value_says_found_and_expected(void)
{
    char said[1600];
    write_settings("{\"queue.slots\": 0, \"notify.bell\": true}", "{\"queue.slots\": 2}");
    json_t *settings = read_said(said, sizeof said);
    CHECK_HAS(said, "'queue.slots' is 0, expected a whole number from 1 to 64");
    CHECK_EQ(js_int(settings, "queue.slots", 0), 2); /* one's own, which is right */
    CHECK(js_bool(settings, "notify.bell", false));
    json_decref(settings);
    write_settings("{\"notify.terminal\": \"osc\"}", "{}");
    check_said("expected one of off|osc9|osc777");
}

static void test_a_file_that_is_no_object_sets_nothing(void)
{
    char said[1600];
    write_settings("[]", "{\"queue.slots\": 2}");
    json_t *settings = read_said(said, sizeof said);
    CHECK_HAS(said, "expected an object");
    CHECK_EQ(js_int(settings, "queue.slots", 0), 2);
    json_decref(settings);
    write_settings("{\"queue.slots\": 3", "{}");
    check_said("settings.json");
}

static void test_a_command_of_a_home_does_not_hold(void)
{
    char said[1600];
    write_settings("{\"notify.command\": \"rm -rf ~\", \"queue.slots\": 3}", "{\"notify.command\": \"true\"}");
    json_t *settings = read_said(said, sizeof said);
    CHECK_HAS(said, "taken from your own settings only");
    CHECK_STR(js_string(settings, "notify.command", NULL), "true");
    CHECK_EQ(js_int(settings, "queue.slots", 0), 3);
    json_decref(settings);
}

static void test_what_is_put_is_read_back_and_taken_out_again(void)
{
    struct err err = {0};
    write_settings("{}", "{}");
    json_t *four = json_integer(4), *text = json_string("notify-send hello");
    CHECK_OK(settings_put(home(), false, "queue.slots", four, &err), err);
    CHECK_OK(settings_put(home(), false, "notify.command", text, &err), err); /* goes to one's own */
    json_t *settings = settings_read(home(), NULL), *elsewhere = settings_read(NULL, NULL);
    CHECK_EQ(js_int(settings, "queue.slots", 0), 4);
    CHECK_EQ(js_int(elsewhere, "queue.slots", 0), 1);
    CHECK_STR(js_string(elsewhere, "notify.command", NULL), "notify-send hello");
    json_decref(settings);
    json_decref(elsewhere);
    CHECK_OK(settings_put(home(), false, "queue.slots", NULL, &err), err);
    settings = settings_read(home(), NULL);
    CHECK_EQ(js_int(settings, "queue.slots", 0), 1);
    json_decref(settings);
    CHECK(!settings_put(home(), false, "queue.slots", text, &err));
    json_decref(four);
    json_decref(text);
}

static void test_putting_keeps_what_else_the_file_holds(void)
{
    struct err err = {0};
    json_t *two = json_integer(2);
    write_settings("{\"of.a.newer.antler\": 3}", "{}");
    CHECK_OK(settings_put(home(), false, "queue.slots", two, &err), err);
    check_said("there is no setting 'of.a.newer.antler'");
    CHECK_OK(settings_put(home(), false, "of.a.newer.antler", NULL, &err),
             err); /* taken out, though it is no setting */
    CHECK(!settings_put(home(), false, "of.a.newer.antler", NULL, &err));
    CHECK(!settings_put(home(), false, "queue.slot", two, &err));
    CHECK_HAS(err.text, "did you mean 'queue.slots'?");
    json_t *settings = settings_read(home(), NULL);
    CHECK_EQ(js_int(settings, "queue.slots", 0), 2);
    json_decref(settings);
    json_decref(two);
}

static void test_a_damaged_file_is_not_written_over(void)
{
    struct err err = {0};
    json_t *two = json_integer(2);
    char *path = settings_home_path(home()), *text;
    size_t size;
    write_settings("{\"queue.slots\": 3", "{}");
    CHECK(!settings_put(home(), false, "queue.slots", two, &err));
    CHECK_EQ(err.code, ERR_USAGE);
    CHECK_OK(io_read_file(path, 1000, &text, &size, &err), err);
    CHECK_STR(text, "{\"queue.slots\": 3");
    free(text);
    free(path);
    json_decref(two);
}

int main(void)
{
    setenv("XDG_CONFIG_HOME", check_path("config"), 1);
    RUN(test_without_files_the_defaults_hold);
    RUN(test_the_home_wins_over_ones_own);
    RUN(test_an_unknown_key_is_said_and_the_rest_holds);
    RUN(test_a_wrong_value_says_found_and_expected);
    RUN(test_a_file_that_is_no_object_sets_nothing);
    RUN(test_a_command_of_a_home_does_not_hold);
    RUN(test_what_is_put_is_read_back_and_taken_out_again);
    RUN(test_putting_keeps_what_else_the_file_holds);
    RUN(test_a_damaged_file_is_not_written_over);
    return check_done();
}
