/* What holds for every view, at every size: nothing is drawn outside of its rectangle, every cell can be shown, help
 * and keys agree, and nothing that is typed, pasted, clicked or resized breaks anything.
 *
 * ANTLER_LONG=1 draws at every size; ANTLER_MONKEY=100000 lets the monkey play so many events, ANTLER_SEED=2 other
 * ones.
 */
#include "tests/screen/screen_zoo.h"

#include "base/rng.h"

#include <wchar.h>

static bool is_long(void)
{
    const char *wanted = getenv("ANTLER_LONG");
    return wanted && *wanted;
}

static void use_ascii(bool ascii)
{
    screen.grid.ascii = ascii;
    screen.app->rung = ascii ? RUNG_ASCII : RUNG_BRAILLE;
    screen.app->tiles = ascii ? TILE_ASCII : TILE_256;
}

static uint32_t number_from(const char *name, uint32_t otherwise)
{
    const char *text = getenv(name);
    int64_t number;
    return text && str_to_int64(text, &number) && number >= 0 ? (uint32_t)number : otherwise;
}

/* Every cell holds what a terminal shows in just its place. */
static int bad_cells(const struct grid *grid)
{
    int bad = 0;
    for (int y = 0; y < grid->height; y++)
        for (int x = 0; x < grid->width; x++) {
            uint32_t ch = grid_at(grid, x, y)->ch;
            const struct cell *next = grid_at(grid, x + 1, y), *before = grid_at(grid, x - 1, y);
            int width = ch ? wcwidth((wchar_t)ch) : 0;
            if (ch == 0)
                bad += !before || !before->ch || wcwidth((wchar_t)before->ch) != 2;
            else
                bad += width < 1 || (width == 2 && (!next || next->ch)) || (grid->ascii && (ch < 32 || ch > 126));
            bad += grid_at(grid, x, y)->style >= STYLE_COUNT;
        }
    return bad;
}

static const struct cell guard = {.ch = 'G', .style = STYLE_MARK};

/* The view alone, with a margin around its rectangle that it must not touch. */
static int touched_outside(int width, int height)
{
    static struct grid grid;
    const struct screen_view_ops *ops = screen.app->stack[screen.app->depth - 1].ops;
    struct rect inside = {3, 2, width, height};
    int touched = 0;
    grid.ascii = screen.grid.ascii;
    grid_resize(&grid, width + 5, height + 4);
    for (int i = 0; i < grid.width * grid.height; i++)
        grid.cells[i] = guard;
    grid_fill(&grid, inside, STYLE_TEXT, ' ');
    ops->view(screen.app, screen.app->stack[screen.app->depth - 1].state, &grid, inside);
    for (int y = 0; y < grid.height; y++)
        for (int x = 0; x < grid.width; x++)
            touched += !rect_has(inside, x, y) && memcmp(grid_at(&grid, x, y), &guard, sizeof guard) != 0;
    return touched;
}

static void check_size(const struct zoo_view *of, int width, int height)
{
    screen_size(width, height);
    driver_screen(&screen);
    int bad = bad_cells(&screen.grid), touched = touched_outside(width, height);
    if (bad || touched)
        CHECK_FAIL("%s at %dx%d: %d cells cannot be shown so, %d were written outside", of->name, width, height, bad,
                   touched);
}

static void test_every_view_stays_inside_at_every_size(void)
{
    for (int k = 0; k < ZOO_VIEWS; k++) {
        zoo_show(&zoo_views[k], 100, 30);
        for (int height = 1; height <= 100; height++)
            for (int width = 1; width <= 300; width++) {
                bool sampled = (width * 31 + height * 17 + k * 7) % 211 == 0 || (width <= 12 && height <= 6);
                if (!is_long() && !sampled)
                    continue;
                use_ascii((width + height) % 3 == 0);
                check_size(&zoo_views[k], width, height);
            }
        screen_close();
    }
}

/* ---- keys and help ---- */

static unsigned places(void)
{
    const struct screen_view_ops *ops = screen.app->stack[screen.app->depth - 1].ops;
    const struct run_summary *run = app_run(screen.app);
    return IN_ALL | ops->places(screen.app, screen.app->stack[screen.app->depth - 1].state) |
           (run && run_lives(run) ? IN_LIVE : 0);
}

static bool leaves(enum action action)
{
    return action == ACTION_BACK || action == ACTION_CANCEL || action == ACTION_SUSPEND;
}

/* Whether help has a line for the action that this key has here. */
static bool help_lists(int key)
{
    char *keys = NULL, text[KEY_TEXT];
    enum action action = keys_action(&screen.app->map, key, places());
    bool listed = false;
    if (action == ACTION_NONE)
        return false;
    driver_keys(&screen, "?");
    for (const char *c = keys_row(action)->name; *c; c++)
        driver_send(&screen, (struct event){.kind = EVENT_KEY, .key = *c});
    keys_print(key, text);
    keys = xstrdup(driver_screen(&screen));
    listed = strstr(keys, text) != NULL;
    free(keys);
    driver_keys(&screen, "Esc");
    screen.app->help.open = false;
    return listed;
}

static bool changes_the_screen(int key)
{
    struct grid before = {0};
    driver_screen(&screen);
    grid_copy(&before, &screen.grid);
    bool quit = screen.app->quit;
    driver_send(&screen, (struct event){.kind = EVENT_KEY, .key = key});
    driver_screen(&screen);
    bool changed = !grid_equal(&before, &screen.grid) || screen.app->quit != quit || screen.app->copy != NULL;
    grid_release(&before);
    screen.app->quit = false;
    return changed;
}

/* A key that help does not list does nothing. Typed into a fresh view, one after the other. */
static void test_a_key_that_help_does_not_list_does_nothing(void)
{
    char text[KEY_TEXT];
    for (int k = 0; k < ZOO_VIEWS; k++) {
        zoo_show(&zoo_views[k], 100, 30);
        for (int key = 33; key < 127 + 26; key++) {
            int typed = key < 127 ? key : K_CTRL | ('a' + key - 127);
            if (keys_action(&screen.app->map, typed, places() | IN_LIVE) == ACTION_NONE && changes_the_screen(typed))
                CHECK_FAIL("%s: '%s' does something that help does not list", zoo_views[k].name,
                           keys_print(typed, text));
        }
        screen_close();
    }
}

static void test_every_key_in_help_is_listed_and_does_something(void)
{
    char text[KEY_TEXT];
    for (int k = 0; k < ZOO_VIEWS; k++)
        for (int a = ACTION_NONE + 1; a < ACTION_COUNT; a++) {
            zoo_show(&zoo_views[k], 100, 30);
            int key = screen.app->map.key[a][0];
            if (!leaves((enum action)a) && keys_action(&screen.app->map, key, places()) == (enum action)a) {
                if (!help_lists(key))
                    CHECK_FAIL("%s: help does not list '%s'", zoo_views[k].name, keys_print(key, text));
                if (!app_action(screen.app, (enum action)a))
                    CHECK_FAIL("%s: '%s' (%s) does nothing", zoo_views[k].name, keys_print(key, text),
                               keys_row((enum action)a)->name);
            }
            screen_close();
        }
}

/* ---- the monkey ---- */

static uint32_t draw(uint32_t *n, uint32_t below)
{
    return rng_u32(number_from("ANTLER_SEED", 1), RNG_STREAM_DATA, 0, (*n)++) % below;
}

static void take(void *context, const struct event *event)
{
    (void)context;
    driver_send(&screen, *event);
}

static void type_key(uint32_t *n)
{
    enum action action = (enum action)(1 + draw(n, ACTION_COUNT - 1));
    int key = screen.app->map.key[action][draw(n, 2)], typed = draw(n, 3) ? key : (int)(32 + draw(n, 95));
    driver_send(&screen, (struct event){.kind = EVENT_KEY, .key = typed});
}

/* Bytes as a terminal sends them, whole or torn. */
static void feed_bytes(struct input *input, uint32_t *n)
{
    static const char *const pieces[] = {"\033[A",    "\033OB",  "\033[<0;",  "12;7M",     "\033[<64;40;12M",
                                         "\033[200~", "a\tb\nc", "\033[201~", "\033[1;5C", "\xe6\x97",
                                         "\xa5",      "\033",    "[",         "\x80\xff",  "\033]11;rgb:0/0/0\a"};
    char bytes[16];
    const char *piece = pieces[draw(n, sizeof pieces / sizeof *pieces)];
    size_t length = strlen(piece);
    if (draw(n, 4) == 0) {
        length = 1 + draw(n, sizeof bytes - 1);
        for (size_t i = 0; i < length; i++)
            bytes[i] = (char)draw(n, 256);
        piece = bytes;
    }
    input_feed(input, piece, length, take, NULL);
    if (draw(n, 3) == 0)
        input_timeout(input, take, NULL);
}

static void click(uint32_t *n)
{
    screen_mouse((enum mouse_action)draw(n, MOUSE_WHEEL_DOWN + 1), (int)draw(n, (uint32_t)screen.grid.width + 3) - 1,
                 (int)draw(n, (uint32_t)screen.grid.height + 3) - 1);
}

static void play(struct input *input, uint32_t *n)
{
    switch (draw(n, 16)) {
    case 0:
        screen_size(1 + (int)draw(n, 300), 1 + (int)draw(n, 100));
        break;
    case 1:
        screen_size(80, 24);
        break;
    case 2:
        driver_send(&screen, (struct event){.kind = EVENT_PASTE, .text = "pasted \xe6\x97\xa5 text\nof two lines"});
        break;
    case 3:
    case 4:
        click(n);
        break;
    case 5:
    case 6:
        feed_bytes(input, n);
        break;
    case 7:
        screen_tick();
        break;
    default:
        type_key(n);
        break;
    }
}

static void test_a_monkey_breaks_nothing(void)
{
    struct input input = {0};
    uint32_t n = 0, events = number_from("ANTLER_MONKEY", 4000);
    driver_open(&screen, "runs", 80, 24);
    for (uint32_t i = 0; i < events; i++) {
        if (i % 100 == 0) { /* as when a run has started: whatever is open */
            struct err ignored;
            const struct zoo_view *of = &zoo_views[draw(&n, ZOO_VIEWS)];
            char *argument = of->argument ? of->argument() : NULL;
            if (!app_open(screen.app, of->view, argument, &ignored))
                CHECK(ignored.code != 0); /* what it was opened on may have been deleted by then */
            free(argument);
        }
        play(&input, &n);
        screen.app->quit = false;
        driver_screen(&screen);
        if (i % 16 == 0 && bad_cells(&screen.grid))
            CHECK_FAIL("after %u events: cells that cannot be shown", i);
        CHECK(screen.app->depth >= 1);
        free(screen.app->copy);
        screen.app->copy = NULL;
    }
    input_release(&input);
    screen_close();
}

/* Its config has another name than the run. */
static void test_a_branch_is_named_after_its_parent_run(void)
{
    char *path = zoo_checkpoint(zoo_branch, 8), *argument = xprintf("checkpoint:%s:%s", zoo_branch, path);
    driver_open(&screen, "runs", 100, 30);
    CHECK_OK(app_open(screen.app, "form", argument, &screen_err), screen_err);
    CHECK_HAS(screen_text(), "name                digits-branch-");
    screen_close();
    free(argument);
    free(path);
}

int main(void)
{
    zoo_make();
    RUN(test_a_branch_is_named_after_its_parent_run);
    RUN(test_every_view_stays_inside_at_every_size);
    RUN(test_a_key_that_help_does_not_list_does_nothing);
    RUN(test_every_key_in_help_is_listed_and_does_something);
    RUN(test_a_monkey_breaks_nothing);
    free(zoo_digits);
    free(zoo_branch);
    return check_done();
}
