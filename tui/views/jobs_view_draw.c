/* jobs_view_draw.c - the jobs view on the screen: a table for each section that has rows. */
#include "tui/app/human.h"
#include "tui/views/jobs_view.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { BAR_COLUMNS = 14, MOST_COLUMNS = 8, LEAST_ROWS = 3 };

struct fill_context {
    const struct app *app;
    struct jobs_view *view;
    int first; /* row of the view that is the table's first */
    uint32_t bar[BAR_COLUMNS];
    bool ascii;
};

static void say(struct list_cell *cell, enum style style, const char *text)
{
    snprintf(cell->text, sizeof cell->text, "%s", text);
    cell->style = style;
}

static void fill_bar(struct fill_context *f, struct list_cell *cell, double share)
{
    if (isnan(share))
        return;
    tile_bar(share, f->ascii, f->bar, BAR_COLUMNS);
    cell->points = f->bar;
    cell->n_points = BAR_COLUMNS;
    cell->points_style = STYLE_ACCENT;
    cell->track = true;
}

static void fill_epoch(struct list_cell *cell, int64_t epoch, int64_t epochs)
{
    snprintf(cell->text, sizeof cell->text, "%lld/%lld", (long long)epoch, (long long)epochs);
}

/* ---- what trains ---- */

static const struct list_column train_columns[] = {
    {"trains", LIST_LEFT, 18, 60, 0, true},  {"", LIST_LEFT, BAR_COLUMNS, BAR_COLUMNS, 6, false},
    {"epoch", LIST_RIGHT, 5, 13, 1, false},  {"left", LIST_RIGHT, 5, 8, 2, false},
    {"steps/s", LIST_RIGHT, 6, 8, 7, false}, {"CPU", LIST_RIGHT, 4, 6, 3, false},
    {"memory", LIST_RIGHT, 6, 8, 4, false},  {"on", LIST_LEFT, 3, 8, 5, false}};

static void fill_train(struct fill_context *f, const struct jobs_row *row, int column, struct list_cell *cell)
{
    const struct queue_item *item = row->item;
    const struct run_live *live = &item->live;
    const struct run_summary *run = item->run;
    switch (column) {
    case 0:
        snprintf(cell->text, sizeof cell->text, "%s %.150s%s", human_state_sign(run->state), run->name,
                 run->state == RUN_QUEUED   ? "  starting"
                 : run->state == RUN_PAUSED ? "  paused"
                                            : "");
        cell->style = human_state_style(run->state == RUN_QUEUED ? RUN_RUNNING : run->state);
        break;
    case 1:
        fill_bar(f, cell, queue_item_share(item));
        break;
    case 2:
        fill_epoch(cell, item->has_live && live->epoch > 0 ? live->epoch : run->epoch, run->epochs);
        break;
    case 3:
        say(cell, STYLE_TEXT, text_duration(item->left_s).text);
        break;
    case 4:
        if (item->has_live && live->steps_per_second > 0)
            snprintf(cell->text, sizeof cell->text, "%.*f", live->steps_per_second < 10, live->steps_per_second);
        break;
    case 5:
        if (item->has_live)
            snprintf(cell->text, sizeof cell->text, "%.0f%%", live->cpu_share * 100);
        break;
    case 6:
        if (item->has_live && live->resident_bytes > 0)
            say(cell, STYLE_TEXT, text_size(live->resident_bytes).text);
        break;
    default:
        say(cell, STYLE_FAINT, item->device);
        break;
    }
}

/* ---- what waits ---- */

static const struct list_column wait_columns[] = {
    {"waits", LIST_LEFT, 18, 60, 0, true},     {"epochs", LIST_RIGHT, 6, 13, 3, false},
    {"starts in", LIST_RIGHT, 9, 9, 1, false}, {"takes", LIST_RIGHT, 5, 8, 2, false},
    {"parent", LIST_LEFT, 6, 24, 5, false},    {"on", LIST_LEFT, 3, 8, 4, false}};

static void fill_wait(struct fill_context *f, const struct jobs_row *row, int column, struct list_cell *cell)
{
    const struct queue_item *item = row->item;
    const struct run_summary *run = item->run;
    switch (column) {
    case 0:
        snprintf(cell->text, sizeof cell->text, "%2d %.150s", item->place, run->name);
        break;
    case 1:
        if (run->epoch)
            fill_epoch(cell, run->epoch, run->epochs);
        else
            snprintf(cell->text, sizeof cell->text, "%lld", (long long)run->epochs);
        break;
    case 2:
        say(cell, f->view->plan.held ? STYLE_WARNING : STYLE_TEXT,
            f->view->plan.held   ? "held"
            : item->starts_s < 1 ? "now"
                                 : text_duration(item->starts_s).text);
        break;
    case 3:
        say(cell, STYLE_FAINT, text_duration(item->left_s).text);
        break;
    case 4:
        if (run->parent_run) {
            const struct run_summary *parent = app_find_run(f->app, run->parent_run);
            snprintf(cell->text, sizeof cell->text, "%.100s:%lld", parent ? parent->name : run->parent_run,
                     (long long)run->parent_epoch);
            cell->style = STYLE_FAINT;
        }
        break;
    default:
        say(cell, STYLE_FAINT, item->device);
        break;
    }
}

/* ---- what was asked from here ---- */

static const struct list_column asked_columns[] = {{"asked from here", LIST_LEFT, 20, 60, 0, true},
                                                   {"", LIST_LEFT, 9, 12, 1, false},
                                                   {"", LIST_LEFT, BAR_COLUMNS, BAR_COLUMNS, 4, false},
                                                   {"time", LIST_RIGHT, 4, 8, 2, false},
                                                   {"left", LIST_RIGHT, 4, 8, 3, false}};

static const struct {
    const char *text;
    enum style style;
} job_states[] = {[JOB_RUNNING] = {"▶ running", STYLE_RUNNING},
                  [JOB_DONE] = {"✓ done", STYLE_FINISHED},
                  [JOB_FAILED] = {"✗ failed", STYLE_FAILED},
                  [JOB_CANCELLED] = {"■ cancelled", STYLE_STOPPED}};

static void fill_asked(struct fill_context *f, const struct jobs_row *row, int column, struct list_cell *cell)
{
    const struct app_job *job = app_find_job((struct app *)f->app, row->job);
    if (!job)
        return;
    bool runs = job->state == JOB_RUNNING;
    switch (column) {
    case 0:
        snprintf(cell->text, sizeof cell->text, "%.90s%s%.90s", job->title, job->state == JOB_FAILED ? ": " : "",
                 job->state == JOB_FAILED ? job->error.text : "");
        cell->style = job->state == JOB_FAILED ? STYLE_ERROR : STYLE_TEXT;
        break;
    case 1:
        say(cell, job_states[job->state].style, job_states[job->state].text);
        break;
    case 2:
        fill_bar(f, cell, runs ? job->share : NAN);
        break;
    case 3:
        say(cell, STYLE_TEXT, text_duration((runs ? f->app->now : job->ended) - job->started).text);
        break;
    default:
        if (runs && isfinite(job->left_s))
            say(cell, STYLE_TEXT, text_duration(job->left_s).text);
        break;
    }
}

/* ---- what ended ---- */

static const struct list_column ended_columns[] = {{"ended lately", LIST_LEFT, 18, 32, 0, false},
                                                   {"", LIST_LEFT, 10, 0, 1, true},
                                                   {"epoch", LIST_RIGHT, 5, 13, 2, false},
                                                   {"took", LIST_RIGHT, 4, 8, 3, false},
                                                   {"ago", LIST_RIGHT, 3, 5, 4, false}};

static void say_result(const struct run_summary *run, struct list_cell *cell)
{
    if (run->error) {
        snprintf(cell->text, sizeof cell->text, "%.180s", run->error);
        cell->style = STYLE_ERROR;
        return;
    }
    for (size_t m = 0; m < run->n_metrics; m++)
        if (run->monitor && !strcmp(run->metrics[m].name, run->monitor) && isfinite(run->metrics[m].best))
            snprintf(cell->text, sizeof cell->text, "%.80s %s at %lld", run->monitor,
                     human_metric(run->metrics[m].best).text, (long long)run->metrics[m].best_epoch);
    for (size_t m = 0; m < run->n_metrics; m++)
        if (run->monitor && !strcmp(run->metrics[m].name, run->monitor) && !isfinite(run->metrics[m].last)) {
            size_t used = strlen(cell->text);
            snprintf(cell->text + used, sizeof cell->text - used, "%s%.80s is %s", used ? ", in the end it is " : "",
                     used ? "" : run->monitor, human_metric(run->metrics[m].last).text);
            cell->style = STYLE_ERROR;
        }
    if (!cell->text[0])
        say(cell, STYLE_FAINT, run_state_name(run->state));
}

static void fill_ended(struct fill_context *f, const struct jobs_row *row, int column, struct list_cell *cell)
{
    const struct run_summary *run = app_find_run(f->app, row->run_id);
    if (!run)
        return;
    switch (column) {
    case 0:
        snprintf(cell->text, sizeof cell->text, "%s %.150s", human_state_sign(run->state), run->name);
        cell->style = human_state_style(run->state);
        break;
    case 1:
        say_result(run, cell);
        break;
    case 2:
        fill_epoch(cell, run->epoch, run->epochs);
        break;
    case 3:
        say(cell, STYLE_TEXT, text_duration(run->duration_s).text);
        break;
    default:
        say(cell, STYLE_FAINT, human_age(f->app->wall - row->ended).text);
        break;
    }
}

/* ---- all of them ---- */

static const struct {
    const struct list_column *columns;
    int n;
    void (*fill)(struct fill_context *f, const struct jobs_row *row, int column, struct list_cell *cell);
} sections[JOBS_SECTIONS] = {
    [JOBS_TRAINS] = {train_columns, sizeof train_columns / sizeof *train_columns, fill_train},
    [JOBS_WAITS] = {wait_columns, sizeof wait_columns / sizeof *wait_columns, fill_wait},
    [JOBS_ASKED] = {asked_columns, sizeof asked_columns / sizeof *asked_columns, fill_asked},
    [JOBS_ENDED] = {ended_columns, sizeof ended_columns / sizeof *ended_columns, fill_ended},
};

static void fill(void *context, int row, int column, struct list_cell *cell)
{
    struct fill_context *f = context;
    const struct jobs_row *r = &f->view->rows[f->first + row];
    cell->style = STYLE_TEXT;
    sections[r->section].fill(f, r, column, cell);
}

/* Rows of each table, its header included: all of them where there is room; else at least LEAST_ROWS each, then what
 * trains and waits before the rest. */
static void divide(const struct jobs_view *v, int height, int rows[JOBS_SECTIONS])
{
    int left = height;
    for (int s = 0; s < JOBS_SECTIONS; s++) {
        int whole = v->first[s + 1] - v->first[s] + 1;
        rows[s] = whole == 1 ? 0 : whole < LEAST_ROWS ? whole : LEAST_ROWS;
        left -= rows[s] ? rows[s] + 1 : 0;
    }
    for (int s = 0; s < JOBS_SECTIONS && left > 0; s++) {
        int missing = rows[s] ? v->first[s + 1] - v->first[s] + 1 - rows[s] : 0, more = missing < left ? missing : left;
        rows[s] += more;
        left -= more;
    }
}

static void say_places(const struct jobs_view *v, char *text, size_t size)
{
    size_t trains = v->plan.n - v->plan.n_waiting;
    snprintf(text, size, "%zu %s  %zu %s  %lld at a time%s", trains, trains == 1 ? "trains" : "train",
             v->plan.n_waiting, v->plan.n_waiting == 1 ? "waits" : "wait", (long long)v->plan.slots,
             v->plan.held ? "  HELD" : "");
}

static void draw_section(struct fill_context *f, enum jobs_section s, struct grid *grid, struct rect rect)
{
    struct jobs_view *v = f->view;
    int at = v->list.selected - v->first[s], n = v->first[s + 1] - v->first[s];
    bool active = at >= 0 && at < n;
    struct list *list = &v->shown[s];
    list->count = n, list->selected = active ? at : 0, list->unmarked = !active;
    f->first = v->first[s];
    list_draw(list, grid, rect, sections[s].columns, sections[s].n, -1, false, active, fill, f);
}

void jobs_view_draw(const struct app *app, const void *state, struct grid *grid, struct rect rect)
{
    struct jobs_view *v = (struct jobs_view *)state;
    struct fill_context f = {.app = app, .view = v, .ascii = grid->ascii};
    char right[96];
    int rows[JOBS_SECTIONS];
    say_places(v, right, sizeof right);
    app_header(app, grid, &rect, "jobs", right);
    rect_left(&rect, 1);
    if (!v->plan.n) {
        rect_top(&rect, 1);
        rect_top(&rect, 1 + grid_wrap(grid, rect_part(rect, 0, 0, rect.w - 1, rect.h), 0, STYLE_FAINT,
                                      "Nothing runs and nothing waits. n starts a run or lets it wait for a place."));
    }
    divide(v, rect.h, rows);
    for (int s = 0; s < JOBS_SECTIONS; s++) {
        v->shown[s].drawn = (struct rect){0};
        if (!rows[s])
            continue;
        draw_section(&f, (enum jobs_section)s, grid, rect_top(&rect, rows[s]));
        rect_top(&rect, 1);
    }
}
