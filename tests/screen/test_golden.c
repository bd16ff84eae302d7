/* The screens as they stood when somebody looked at them and found them good: literal text, one file per view and size
 * in tests/screen/golden. After a change that is meant: ANTLER_UPDATE_GOLDEN=1 ctest -R screen_golden, and read the
 * diff.
 */
#include "tests/screen/screen_zoo.h"

static const struct {
    const char *name;
    int width, height;
    bool ascii;
} looks[] = {{"80x24", 80, 24, false}, {"100x30", 100, 30, false}, {"60x16", 60, 16, false},
             {"40x10", 40, 10, false}, {"200x50", 200, 50, false}, {"ascii", 80, 24, true}};
enum { LOOKS = sizeof looks / sizeof *looks };

/* The folder of the test is another one every time. */
static char *without_folder(const char *text)
{
    struct str out = {0};
    const char *folder = check_tmp();
    size_t n = strlen(folder);
    for (const char *c = text; *c; c++)
        if (!strncmp(c, folder, n)) {
            str_add(&out, "/tmp/test");
            c += n - 1;
        } else
            str_add_char(&out, *c);
    return str_take(&out);
}

static char *read_golden(const char *path)
{
    char *text;
    size_t size;
    struct err ignored;
    return io_read_file(path, 1 << 20, &text, &size, &ignored) ? text : xstrdup("");
}

static void check_golden(const struct zoo_view *of, int look)
{
    char *path = xprintf("%s/tests/screen/golden/%s-%s.txt", SOURCE_DIR, of->name, looks[look].name);
    zoo_show(of, looks[look].width, looks[look].height);
    screen.grid.ascii = looks[look].ascii;
    screen.app->rung = looks[look].ascii ? RUNG_ASCII : RUNG_BRAILLE;
    screen.app->tiles = looks[look].ascii ? TILE_ASCII : TILE_BLOCKS;
    driver_screen(&screen); /* scrolling follows the size */
    char *shown = without_folder(screen_text()), *golden = read_golden(path);
    if (getenv("ANTLER_UPDATE_GOLDEN")) {
        FILE *file = fopen(path, "w");
        CHECK(file && fputs(shown, file) >= 0 && !fclose(file));
    } else if (strcmp(shown, golden) != 0) {
        fprintf(stderr, "%s\n", path);
        CHECK_STR(shown, golden);
    }
    free(shown);
    free(golden);
    free(path);
    screen_close();
}

static void test_every_view_looks_as_it_did(void)
{
    for (int k = 0; k < ZOO_VIEWS; k++)
        for (int look = 0; look < LOOKS; look++)
            check_golden(&zoo_views[k], look);
}

int main(void)
{
    zoo_make();
    RUN(test_every_view_looks_as_it_did);
    free(zoo_digits);
    free(zoo_branch);
    return check_done();
}
