/* The one table of keys: names, dispatch, key map files. */
#include "../check.h"

#include "tui/terminal/keys.h"

static void test_no_key_means_two_things_at_one_place(void)
{
    struct keymap map;
    struct err err = {0};
    keys_init(&map);
    CHECK_OK(keys_load(&map, "# nothing changed\n\n", "keys", &err), err);
}

static void test_every_default_key_reads_back_as_itself(void)
{
    struct keymap map;
    char text[KEY_TEXT];
    keys_init(&map);
    for (int a = 1; a < ACTION_COUNT; a++) {
        CHECK(*keys_row((enum action)a)->help);
        CHECK_EQ(keys_find(keys_row((enum action)a)->name), a);
        for (int k = 0; k < KEYS_PER_ACTION && map.key[a][k]; k++)
            CHECK_EQ(keys_parse(keys_print(map.key[a][k], text)), map.key[a][k]);
    }
    CHECK_EQ(keys_parse("ctrl-alt-pgup"), K_CTRL | K_ALT | K_PGUP);
    CHECK_EQ(keys_parse("é"), 0xE9);
    CHECK_EQ(keys_parse("ab"), 0);
    CHECK_EQ(keys_parse(""), 0);
}

static void test_capitals_change_a_run_and_nothing_else_does(void)
{
    struct keymap map;
    keys_init(&map);
    for (int a = 1; a < ACTION_COUNT; a++) {
        bool changes = str_starts(keys_row((enum action)a)->help, "CHANGES THE RUN");
        CHECK(!changes || strchr("SPKLETNDABX", map.key[a][0]));
    }
    CHECK_EQ(keys_action(&map, 'S', IN_ALL | IN_LIVE), ACTION_STOP);
    CHECK_EQ(keys_action(&map, 'S', IN_ALL | IN_LIST), ACTION_NONE);
    CHECK_EQ(keys_action(&map, K_CTRL | 'l', IN_ALL), ACTION_REDRAW);
    CHECK_EQ(keys_action(&map, 0, ~0u), ACTION_NONE);
}

static void test_a_key_map_file_changes_keys_and_explains_what_is_wrong(void)
{
    struct keymap map;
    struct err err = {0};
    char text[64];
    keys_init(&map);
    CHECK_OK(keys_load(&map, "evaluate = Alt-e F5 # mine\r\n  stop = Ctrl-S\n", "k", &err), err);
    CHECK_STR(keys_of(&map, ACTION_EVALUATE, text, sizeof text), "Alt-e F5");
    CHECK_EQ(keys_action(&map, K_CTRL | 's', IN_LIVE), ACTION_STOP);
    CHECK(!keys_load(&map, "\nevalute = e\n", "k", &err));
    CHECK_STR(err.text, "k:2: no action 'evalute', did you mean 'evaluate'");
    CHECK(!keys_load(&map, "evaluate = Strg-E\n", "k", &err));
    CHECK_HAS(err.text, "k:1: 'Strg-E' is no key");
    CHECK(!keys_load(&map, "evaluate = p\n", "k", &err));
    CHECK_HAS(err.text, "means both 'evaluate' and 'predict'");
    CHECK(!keys_load(&map, "evaluate\n", "k", &err));
    CHECK_HAS(err.text, "expected 'action = key ...'");
    CHECK_STR(keys_of(&map, ACTION_EVALUATE, text, sizeof text), "Alt-e F5");
}

int main(void)
{
    RUN(test_no_key_means_two_things_at_one_place);
    RUN(test_every_default_key_reads_back_as_itself);
    RUN(test_capitals_change_a_run_and_nothing_else_does);
    RUN(test_a_key_map_file_changes_keys_and_explains_what_is_wrong);
    return check_done();
}
