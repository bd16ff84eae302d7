/* cli_pictures.c - antler pictures: the pictures that came with a run's history, listed, or one of them drawn. */
#include "base/arena.h"
#include "base/io.h"
#include "persistence/runs/run_pictures.h"
#include "plots/tile.h"
#include "tui/cli/cli_commands.h"
#include "tui/client/cli_request.h"
#include "tui/client/cli_text.h"
#include "tui/client/packed_picture.h"
#include "tui/terminal/term.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WIDTH = 80 };

static json_t *pictures_json(const char *folder, const struct picture_tag *tags, size_t n)
{
    json_t *all = json_array();
    char *home = run_pictures_folder(folder);
    for (size_t t = 0; t < n; t++) {
        json_t *pictures = json_array();
        for (size_t k = 0; k < tags[t].n; k++) {
            char *path = path_join(home, tags[t].pictures[k].file),
                 *caption = run_picture_caption(home, tags[t].pictures[k].file);
            json_t *one = json_pack("{s:I, s:o, s:I}", "step", (json_int_t)tags[t].pictures[k].step, "path",
                                    js_text_value(path), "size_bytes", (json_int_t)tags[t].pictures[k].size_bytes);
            if (*caption)
                json_object_set_new(one, "caption", js_text_value(caption));
            json_array_append_new(pictures, one);
            free(caption);
            free(path);
        }
        json_array_append_new(all, json_pack("{s:o, s:o}", "tag", js_text_value(tags[t].tag), "pictures", pictures));
    }
    free(home);
    return all;
}

static void print_table(const struct picture_tag *tags, size_t n)
{
    static const char *const titles[] = {"tag", "pictures", "first step", "last step", "size"};
    struct text_table table = {0};
    char number[32];
    for (size_t c = 0; c < sizeof titles / sizeof *titles; c++)
        text_table_column(&table, titles[c], c > 0);
    for (size_t t = 0; t < n; t++) {
        const struct picture_tag *tag = &tags[t];
        int64_t numbers[] = {(int64_t)tag->n, tag->pictures[0].step, tag->pictures[tag->n - 1].step}, size_bytes = 0;
        text_table_row(&table);
        text_table_cell(&table, TEXT_BOLD, tag->tag);
        for (size_t c = 0; c < 3; c++) {
            snprintf(number, sizeof number, "%lld", (long long)numbers[c]);
            text_table_cell(&table, TEXT_PLAIN, number);
        }
        for (size_t k = 0; k < tag->n; k++)
            size_bytes += tag->pictures[k].size_bytes;
        text_table_cell(&table, TEXT_DIM, text_size(size_bytes).text);
    }
    if (n)
        text_table_print(&table);
    else
        puts("no pictures");
    text_table_release(&table);
}

/* ---- one of them ---- */

static const struct picture_tag *find_tag(const struct picture_tag *tags, size_t n, const char *wanted, struct err *err)
{
    const char **names = xcalloc(n + 1, sizeof *names);
    const struct picture_tag *found = NULL;
    for (size_t t = 0; t < n; t++) {
        names[t] = tags[t].tag;
        found = strcmp(tags[t].tag, wanted) ? found : &tags[t];
    }
    if (!found) {
        err_set(err, ERR_NOT_FOUND, "there are no pictures of the tag '%s'", wanted);
        err_nearest(err, str_nearest(wanted, names, n));
    }
    free(names);
    return found;
}

static const struct run_picture *find_step(const struct cli *cli, const struct picture_tag *tag, struct err *err)
{
    double step = NAN;
    if (!cli_number(cli, "--step", -0x1p53, 0x1p53, &step, err))
        return NULL;
    if (isnan(step))
        return &tag->pictures[tag->n - 1];
    for (size_t k = 0; k < tag->n; k++)
        if ((double)tag->pictures[k].step == step)
            return &tag->pictures[k];
    return err_null(err, ERR_NOT_FOUND, "'%s' has no picture of step %.0f: the %zu there are go from step %lld to %lld",
                    tag->tag, step, tag->n, (long long)tag->pictures[0].step,
                    (long long)tag->pictures[tag->n - 1].step);
}

static enum tile_depth depth_here(bool ascii)
{
    struct term_facts facts;
    term_look(COLOR_AUTO, ascii, &facts);
    bool colors = isatty(STDOUT_FILENO) && facts.usable && facts.depth != COLORS_NONE;
    return facts.ascii                 ? TILE_ASCII
           : !colors                   ? TILE_BLOCKS
           : facts.true_color          ? TILE_TRUE
           : strstr(facts.type, "256") ? TILE_256
                                       : TILE_16;
}

static void add_color(struct str *out, uint32_t color, int base)
{
    if (color >= TILE_RGB)
        str_addf(out, ";%d;2;%u;%u;%u", base + 8, color >> 16 & 255, color >> 8 & 255, color & 255);
    else if (color >= 16)
        str_addf(out, ";%d;5;%u", base + 8, color);
    else
        str_addf(out, ";%u", color < 8 ? (uint32_t)base + color : (uint32_t)base + 52 + color);
}

/* ASCII or a block element. */
static void add_point(struct str *out, uint32_t point)
{
    const uint8_t bytes[] = {(uint8_t)(0xE0 | point >> 12), (uint8_t)(0x80 | (point >> 6 & 63)),
                             (uint8_t)(0x80 | (point & 63))};
    if (point < 0x80)
        str_add_char(out, (char)point);
    else
        str_add_bytes(out, bytes, sizeof bytes);
}

static void print_cells(const struct tile_cell *cells, int rows, int columns)
{
    struct str out = {0};
    for (int row = 0; row < rows; row++) {
        const struct tile_cell *shown = NULL;
        for (const struct tile_cell *c = cells + row * columns; c < cells + (row + 1) * columns; c++) {
            if (c->colored && (!shown || c->ink != shown->ink || c->ground != shown->ground)) {
                str_add(&out, "\033[0");
                add_color(&out, c->ink, 30);
                add_color(&out, c->ground, 40);
                str_add_char(&out, 'm');
                shown = c;
            }
            add_point(&out, c->ch);
        }
        str_add(&out, shown ? "\033[0m\n" : "\n");
    }
    fputs(str_text(&out), stdout);
    str_release(&out);
}

static bool print_picture(const struct cli *cli, const json_t *result, int width, struct err *err)
{
    int height_px, width_px, rows, columns;
    float *values = packed_picture(result, &height_px, &width_px);
    if (!values)
        return err_set(err, ERR_FORMAT, "the worker's answer is no picture");
    tile_fit(height_px, width_px, PICTURE_MOST_ROWS, width, &rows, &columns);
    struct tile_cell *cells = xcalloc((size_t)rows * (size_t)columns, sizeof *cells);
    tile_image(values, height_px, width_px, PICTURE_CHANNELS, depth_here(cli_option(cli, "--ascii") != NULL), cells,
               rows, columns);
    print_cells(cells, rows, columns);
    free(cells);
    free(values);
    return true;
}

static bool draw(const struct cli *cli, const char *folder, const struct picture_tag *tags, size_t n, struct err *err)
{
    const char *wanted = cli_option(cli, "--tag");
    double width = text_width() > 0 ? text_width() : WIDTH;
    if (!wanted && n == 1)
        wanted = tags[0].tag;
    if (!wanted)
        return err_set(err, ERR_USAGE, "--step: there are %zu tags, say which with --tag", n);
    const struct picture_tag *tag = find_tag(tags, n, wanted, err);
    const struct run_picture *picture = tag ? find_step(cli, tag, err) : NULL;
    if (!picture || !cli_number(cli, "--width", 1, PICTURE_MOST_COLUMNS, &width, err))
        return false;
    width = width > PICTURE_MOST_COLUMNS ? PICTURE_MOST_COLUMNS : width;
    char *home = run_pictures_folder(folder), *path = path_join(home, picture->file);
    json_t *request = packed_request(path, (int)width);
    json_t *result = cli_ask("picture", request, err);
    if (result)
        printf("step %lld, %lldx%lld pixels, %s\n", (long long)picture->step, (long long)js_int(result, "width", 0),
               (long long)js_int(result, "height", 0), text_size(picture->size_bytes).text);
    bool ok = result && print_picture(cli, result, (int)width, err);
    json_decref(result);
    json_decref(request);
    free(path);
    free(home);
    return ok;
}

bool cli_pictures(struct cli *cli, struct err *err)
{
    struct arena arena = {0};
    const struct picture_tag *tags;
    size_t n;
    char *folder = cli_find_run(cli, cli->arguments[0], err);
    bool one = cli_option(cli, "--tag") || cli_option(cli, "--step"),
         ok = folder && run_pictures_list(folder, &arena, &tags, &n, err);
    if (ok && one && cli->json)
        ok = err_set(err, ERR_USAGE, "--json lists all pictures with their files: --tag and --step draw one of them");
    else if (ok && cli->json)
        cli_print_json(pictures_json(folder, tags, n));
    else if (ok && one)
        ok = draw(cli, folder, tags, n, err);
    else if (ok)
        print_table(tags, n);
    arena_release(&arena);
    free(folder);
    return ok;
}
