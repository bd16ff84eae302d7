/* Every view, walked at random, as six kinds of terminal show it: an emulator that is fed the painter's bytes shows the
 * grid, cell by cell. */
#include "tests/screen/emulator.h"
#include "tests/screen/screen_zoo.h"

#include "base/rng.h"

/* ncurses keeps a block of its own when it does not know a terminal; read by the leak checker, where there is one. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:new_prescr";
}

static const struct {
    const char *name;
    bool ascii;
} terminals[] = {{"xterm-256color", false}, {"screen-256color", false},
                 {"tmux-256color", false},  {"linux", false},
                 {"vt100", true},           {"xterm", false}};
enum { TERMINALS = sizeof terminals / sizeof *terminals, STEPS = 24, SIZES = 4 };

static uint32_t draw(uint32_t *n, uint32_t below)
{
    return rng_u32(23, RNG_STREAM_DATA, 0, (*n)++) % below;
}

static void resize(struct emulator *e, uint32_t *n)
{
    static const int sizes[SIZES][2] = {{80, 24}, {100, 30}, {60, 16}, {40, 10}};
    const int *size = sizes[draw(n, SIZES)];
    screen_size(size[0], size[1]);
    vterm_set_size(e->vterm, size[1], size[0]);
}

static void step(struct emulator *e, uint32_t *n)
{
    static const char keys[] = "jkhl\t+-sxyvmz[]0gG/?>o";
    if (draw(n, 6) == 0)
        resize(e, n);
    else
        driver_send(&screen, (struct event){.kind = EVENT_KEY, .key = keys[draw(n, sizeof keys - 1)]});
}

static void check_terminal(const char *name, bool ascii, uint32_t *n)
{
    struct painter *painter = painter_for(name, 80, 24);
    struct emulator e = emulator_new(80, 24);
    for (int k = 0; k < ZOO_VIEWS; k++) {
        zoo_show(&zoo_views[k], 80, 24);
        screen.grid.ascii = ascii;
        screen.app->rung = ascii ? RUNG_ASCII : RUNG_BRAILLE;
        screen.app->tiles = ascii ? TILE_ASCII : painter_depth(painter) == COLORS_256 ? TILE_256 : TILE_BLOCKS;
        vterm_set_size(e.vterm, 24, 80);
        painter_repaint(painter); /* as the loop does: it may have been this size before */
        for (int i = 0; i < STEPS; i++) {
            driver_screen(&screen);
            emulator_show(&e, painter, &screen.grid);
            int wrong = differences(&e, &screen.grid, painter_depth(painter));
            if (wrong)
                CHECK_FAIL("%s: %d cells of '%s' differ after %d steps", name, wrong, zoo_views[k].name, i);
            step(&e, n);
        }
        screen_close();
    }
    vterm_free(e.vterm);
    painter_close(painter);
}

static void test_an_emulator_shows_every_view_on_every_terminal(void)
{
    uint32_t n = 0;
    for (int t = 0; t < TERMINALS; t++)
        check_terminal(terminals[t].name, terminals[t].ascii, &n);
}

int main(void)
{
    zoo_make();
    RUN(test_an_emulator_shows_every_view_on_every_terminal);
    free(zoo_digits);
    free(zoo_branch);
    return check_done();
}
