/* run_view_pictures.c - the tab with the pictures that another tool wrote beside the curves: tags, the steps of the
 * selected one, and its picture in half blocks. The worker decodes (docs/worker-protocol.md: picture). */
#include "base/io.h"
#include "tui/app/human.h"
#include "tui/app/views.h"
#include "tui/client/packed_picture.h"
#include "tui/views/run_view.h"
#include "tui/widgets/widget_picture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_ZOOM = 8, STEPS_A_PAGE = 10, WIDE = 64, CAPTION_ROWS = 3 };

static const struct picture_tag *tag_of(const struct picture_pane *p)
{
    return p->n_tags ? &p->tags[p->list.selected] : NULL;
}

static const struct run_picture *selected(const struct picture_pane *p)
{
    const struct picture_tag *tag = tag_of(p);
    return tag ? &tag->pictures[p->at < tag->n ? p->at : tag->n - 1] : NULL;
}

/* ---- decoding ---- */

static struct run_view *view_of_job(struct app *app, int job)
{
    for (int i = 0; i < app->depth; i++) {
        struct run_view *v = app->stack[i].state;
        if (app->stack[i].ops == &view_run && v->pictures.job == job)
            return v;
    }
    return NULL;
}

/* False: the answer is none. */
static bool take_pixels(struct picture_pane *p, const json_t *result)
{
    float *values = packed_picture(result, &p->rows, &p->columns);
    if (!values)
        return false;
    free(p->values);
    p->values = values;
    p->height = (int)js_int(result, "height", p->rows);
    p->width = (int)js_int(result, "width", p->columns);
    return true;
}

static void ask(struct app *app, struct run_view *v);

static void decoded(struct app *app, struct app_job *job)
{
    struct run_view *v = view_of_job(app, job->number);
    if (v) {
        struct picture_pane *p = &v->pictures;
        p->job = 0;
        snprintf(p->file, sizeof p->file, "%s", p->asked);
        if (job->state != JOB_DONE || !take_pixels(p, job->result)) {
            free(p->values);
            p->values = NULL;
            snprintf(p->error, sizeof p->error, "%.250s",
                     job->state == JOB_FAILED ? job->error.text : "the picture was not decoded");
        }
        ask(app, v); /* another one may be selected by now */
    }
    app_forget_job(job);
}

/* What is shown stays until the next one is there. */
static void ask(struct app *app, struct run_view *v)
{
    struct picture_pane *p = &v->pictures;
    const struct run_picture *picture = selected(p);
    const struct run_summary *run = run_view_run(app, v);
    struct err err = {0};
    if (!picture || !run || p->job || !strcmp(p->file, picture->file))
        return;
    char *folder = app_run_folder(app, run), *home = run_pictures_folder(folder);
    char *path = path_join(home, picture->file);
    snprintf(p->asked, sizeof p->asked, "%s", picture->file);
    free(p->caption);
    p->caption = run_picture_caption(home, picture->file);
    p->error[0] = 0;
    json_t *request = packed_request(path, PICTURE_MOST_COLUMNS);
    struct app_job *job = app_start_job(app, "picture", request, "picture", path, decoded, &err);
    p->job = job ? job->number : 0;
    if (!job) {
        snprintf(p->file, sizeof p->file, "%s", p->asked); /* not again at every tick */
        snprintf(p->error, sizeof p->error, "%.250s", err.text);
    }
    free(path);
    free(home);
    free(folder);
}

/* ---- what there is ---- */

/* The picture of a step, or the last one before it. */
static size_t at_step(const struct picture_tag *tag, int64_t step)
{
    size_t at = 0;
    for (size_t k = 0; k < tag->n && tag->pictures[k].step <= step; k++)
        at = k;
    return at;
}

/* The same tag and step again; at the last step, what has come since. */
static void select_again(struct picture_pane *p, const char *tag, int64_t step, bool last)
{
    p->list.count = (int)p->n_tags;
    p->list.selected = 0;
    for (size_t t = 0; tag && t < p->n_tags; t++)
        if (!strcmp(p->tags[t].tag, tag))
            p->list.selected = (int)t;
    const struct picture_tag *now = tag_of(p);
    p->at = !now ? 0 : last ? now->n - 1 : at_step(now, step);
}

void run_pictures_refresh(struct app *app, struct run_view *v, bool look)
{
    struct picture_pane *p = &v->pictures;
    const struct run_summary *run = run_view_run(app, v);
    struct arena fresh = {0};
    struct err err = {0};
    if (!run)
        return;
    char *folder = app_run_folder(app, run);
    int64_t stamp = run_pictures_stamp(folder);
    p->there = stamp != 0;
    if (look && stamp != p->stamp) {
        const struct picture_tag *before = tag_of(p), *tags;
        const struct run_picture *at = selected(p);
        bool last = !before || p->at + 1 >= before->n;
        size_t n;
        if (run_pictures_list(folder, &fresh, &tags, &n, &err)) {
            struct arena old = p->arena;
            p->tags = tags, p->n_tags = n, p->arena = fresh;
            select_again(p, before ? before->tag : NULL, at ? at->step : 0, last);
            arena_release(&old);
        } else {
            arena_release(&fresh);
            snprintf(p->error, sizeof p->error, "%.250s", err.text);
        }
        p->stamp = stamp;
    }
    free(folder);
    if (look)
        ask(app, v);
}

void run_pictures_release(struct picture_pane *p)
{
    arena_release(&p->arena);
    free(p->values);
    free(p->caption);
}

/* ---- keys ---- */

static void walk(struct picture_pane *p, int by)
{
    const struct picture_tag *tag = tag_of(p);
    int64_t at = (int64_t)p->at + by, last = tag ? (int64_t)tag->n - 1 : 0;
    p->at = (size_t)(at < 0 ? 0 : at > last ? last : at);
}

int run_pictures_action(struct app *app, struct run_view *v, enum action action)
{
    struct picture_pane *p = &v->pictures;
    const struct run_picture *now = selected(p);
    int64_t step = now ? now->step : 0;
    switch (action) {
    case ACTION_UP:
    case ACTION_DOWN:
        list_action(&p->list, action, STEPS_A_PAGE);
        p->at = tag_of(p) ? at_step(tag_of(p), step) : 0;
        break;
    case ACTION_PREVIOUS_PICTURE:
    case ACTION_NEXT_PICTURE:
        walk(p, action == ACTION_NEXT_PICTURE ? 1 : -1);
        break;
    case ACTION_PAGE_UP:
    case ACTION_PAGE_DOWN:
        walk(p, action == ACTION_PAGE_DOWN ? STEPS_A_PAGE : -STEPS_A_PAGE);
        break;
    case ACTION_HALF_UP:
    case ACTION_HALF_DOWN:
        walk(p, action == ACTION_HALF_DOWN ? STEPS_A_PAGE / 2 : -STEPS_A_PAGE / 2);
        break;
    case ACTION_TOP:
    case ACTION_BOTTOM:
        walk(p, action == ACTION_BOTTOM ? INT32_MAX : -INT32_MAX);
        break;
    default:
        return LOOP_NOTHING;
    }
    ask(app, v);
    return LOOP_DRAW;
}

/* ---- drawing ---- */

static void fill(void *context, int row, int column, struct list_cell *cell)
{
    const struct picture_tag *tag = &((const struct picture_pane *)context)->tags[row];
    cell->style = column ? STYLE_FAINT : STYLE_TEXT;
    if (column)
        snprintf(cell->text, sizeof cell->text, "%zu", tag->n);
    else
        snprintf(cell->text, sizeof cell->text, "%.190s", tag->tag);
}

static void draw_tags(const struct picture_pane *p, struct grid *grid, struct rect rect, bool focused)
{
    static const struct list_column columns[] = {{"tag", LIST_LEFT, 6, 0, 0, true},
                                                 {"steps", LIST_RIGHT, 5, 6, 1, false}};
    struct list list = p->list;
    list_draw(&list, grid, rect, columns, 2, -1, false, focused, fill, (void *)p);
}

/* "step 40   5 of 12   28 x 28   1.2 K": what does not fit is left out. */
static void draw_caption(const struct picture_pane *p, const struct run_picture *picture, bool with_tag,
                         struct grid *grid, struct rect row)
{
    const struct picture_tag *tag = tag_of(p);
    char pieces[5][80];
    int n = 0, x = 0;
    if (with_tag)
        snprintf(pieces[n++], sizeof pieces[0], p->n_tags > 1 ? "%.40s (%d/%zu)" : "%.40s", tag->tag,
                 p->list.selected + 1, p->n_tags);
    snprintf(pieces[n++], sizeof pieces[0], "step %lld", (long long)picture->step);
    snprintf(pieces[n++], sizeof pieces[0], "%zu of %zu", p->at + 1, tag->n);
    if (p->values && !strcmp(p->file, picture->file))
        snprintf(pieces[n++], sizeof pieces[0], "%d×%d", p->width, p->height);
    snprintf(pieces[n++], sizeof pieces[0], "%s", text_size(picture->size_bytes).text);
    for (int k = 0; k < n; k++) {
        int width = grid_columns(grid, pieces[k]);
        if (k && x + width > row.w)
            break;
        grid_text(grid, row, x, 0, k == with_tag ? STYLE_STRONG : k < 2 ? STYLE_TEXT : STYLE_FAINT, pieces[k]);
        x += width + 3;
    }
}

void run_pictures_draw(const struct app *app, struct run_view *v, struct grid *grid, struct rect rect)
{
    const struct picture_pane *p = &v->pictures;
    const struct run_picture *picture = selected(p);
    bool wide = rect.w >= WIDE && p->n_tags > 1;
    if (!picture) {
        grid_text(grid, rect, 0, 0, p->error[0] ? STYLE_ERROR : STYLE_FAINT, p->error[0] ? p->error : "no pictures");
        return;
    }
    if (wide) {
        draw_tags(p, grid, rect_left(&rect, rect.w / 3 < 36 ? rect.w / 3 : 36), v->focus == PANE_TABS);
        rect_left(&rect, 2);
    }
    draw_caption(p, picture, !wide, grid, rect_top(&rect, 1));
    bool old = strcmp(p->file, picture->file) != 0; /* the next one is on its way */
    if (!old && p->caption && *p->caption)
        rect_top(&rect, grid_wrap(grid, rect_part(rect, 0, 0, rect.w, CAPTION_ROWS), 0, STYLE_TEXT, p->caption));
    if (p->error[0] && !old)
        grid_wrap(grid, rect, 0, STYLE_ERROR, p->error);
    else if (p->values)
        picture_draw(p->values, p->rows, p->columns, PICTURE_CHANNELS, MOST_ZOOM, app->tiles, grid, rect);
    else
        grid_text(grid, rect, 0, 0, STYLE_FAINT, "decoding ...");
    if (!wide && v->focus == PANE_TABS)
        grid_cursor(grid, rect, 0, -1, false);
}
