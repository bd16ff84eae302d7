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

static void test_without_files_the_defaults_hold(void)
{
    struct err err = {0};
    json_t *settings = settings_read(home(), &err);
    CHECK_EQ(js_int(settings, "queue.slots", 0), 1);
    CHECK_STR(js_string(settings, "notify.terminal", NULL), "off");
    CHECK(json_is_null(json_object_get(settings, "notify.command")));
    json_decref(settings);
}

static void test_the_home_wins_over_ones_own(void)
{
    struct err err = {0};
    write_settings("{\"queue.slots\": 3}", "{\"queue.slots\": 2, \"notify.bell\": true}");
    json_t *settings = settings_read(home(), &err);
    CHECK_EQ(js_int(settings, "queue.slots", 0), 3);
    CHECK(js_bool(settings, "notify.bell", false));
    json_decref(settings);
}

static void test_an_unknown_key_is_refused_with_the_nearest_name(void)
{
    struct err err = {0};
    write_settings("{\"queue.slot\": 3}", "{}");
    CHECK(!settings_read(home(), &err));
    CHECK_EQ(err.code, ERR_USAGE);
    CHECK_HAS(err.text, "did you mean 'queue.slots'?");
    CHECK_HAS(err.text, "runs/settings.json");
}

static void test_a_wrong_value_says_found_and_expected(void)
{
    struct err err = {0};
    write_settings("{\"queue.slots\": 0}", "{}");
    CHECK(!settings_read(home(), &err));
    CHECK_HAS(err.text, "'queue.slots' is 0, expected a whole number from 1 to 64");
    write_settings("{\"notify.terminal\": \"osc\"}", "{}");
    CHECK(!settings_read(home(), &err));
    CHECK_HAS(err.text, "expected one of off|osc9|osc777");
    write_settings("[]", "{}");
    CHECK(!settings_read(home(), &err));
    CHECK_HAS(err.text, "expected an object");
}

static void test_a_command_of_a_home_is_refused(void)
{
    struct err err = {0};
    write_settings("{\"notify.command\": \"rm -rf ~\"}", "{}");
    CHECK(!settings_read(home(), &err));
    CHECK_HAS(err.text, "taken from your own settings only");
    write_settings("{}", "{\"notify.command\": \"true\"}");
    json_t *settings = settings_read(home(), &err);
    CHECK_STR(js_string(settings, "notify.command", NULL), "true");
    json_decref(settings);
}

static void test_what_is_put_is_read_back_and_taken_out_again(void)
{
    struct err err = {0};
    write_settings("{}", "{}");
    json_t *four = json_integer(4), *text = json_string("notify-send hello");
    CHECK_OK(settings_put(home(), false, "queue.slots", four, &err), err);
    CHECK_OK(settings_put(home(), false, "notify.command", text, &err), err); /* goes to one's own */
    json_t *settings = settings_read(home(), &err), *elsewhere = settings_read(NULL, &err);
    CHECK_EQ(js_int(settings, "queue.slots", 0), 4);
    CHECK_EQ(js_int(elsewhere, "queue.slots", 0), 1);
    CHECK_STR(js_string(elsewhere, "notify.command", NULL), "notify-send hello");
    json_decref(settings);
    json_decref(elsewhere);
    CHECK_OK(settings_put(home(), false, "queue.slots", NULL, &err), err);
    settings = settings_read(home(), &err);
    CHECK_EQ(js_int(settings, "queue.slots", 0), 1);
    json_decref(settings);
    CHECK(!settings_put(home(), false, "queue.slots", text, &err));
    json_decref(four);
    json_decref(text);
}

static void test_a_file_that_could_not_be_read_afterwards_is_left(void)
{
    struct err err = {0};
    json_t *two = json_integer(2);
    write_settings("{\"queue.slot\": 3, \"queue.slots\": \"many\"}", "{}");
    CHECK(!settings_put(home(), false, "queue.slots", two, &err));
    CHECK_HAS(err.text, "there is no setting 'queue.slot'");
    err = (struct err){0};
    CHECK_OK(settings_put(home(), false, "queue.slot", NULL, &err), err);
    CHECK_OK(settings_put(home(), false, "queue.slots", two, &err), err);
    json_t *settings = settings_read(home(), &err);
    CHECK_EQ(js_int(settings, "queue.slots", 0), 2);
    CHECK(!settings_put(home(), false, "queue.slot", NULL, &err));
    json_decref(settings);
    json_decref(two);
}

int main(void)
{
    setenv("XDG_CONFIG_HOME", check_path("config"), 1);
    RUN(test_without_files_the_defaults_hold);
    RUN(test_the_home_wins_over_ones_own);
    RUN(test_an_unknown_key_is_refused_with_the_nearest_name);
    RUN(test_a_wrong_value_says_found_and_expected);
    RUN(test_a_command_of_a_home_is_refused);
    RUN(test_what_is_put_is_read_back_and_taken_out_again);
    RUN(test_a_file_that_could_not_be_read_afterwards_is_left);
    return check_done();
}
