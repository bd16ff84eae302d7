/* subject.c - see subject.h */
#include "base/arena.h"
#include "base/io.h"
#include "tui/app/human.h"
#include "tui/results/subject.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* <home>/<run>/checkpoints/<file>: the folder of the run. free() it. */
static char *folder_of_run(const char *path)
{
    char *checkpoints = path_folder(path), *run = path_folder(checkpoints);
    free(checkpoints);
    return run;
}

void subject_refresh(struct subject *subject, struct app *app)
{
    struct err ignored = {0}; /* without a list the file itself is still there */
    arena_release(&subject->arena);
    subject->list = NULL;
    subject->n = 0;
    subject->at = -1;
    if (!subject->run_id[0] ||
        !index_checkpoints(app->index, subject->run_id, &subject->arena, &subject->list, &subject->n, &ignored))
        subject->n = 0;
    for (size_t i = 0; i < subject->n; i++)
        if (!strcmp(subject->list[i].path, subject->path))
            subject->at = (int)i;
}

void subject_open(struct subject *subject, struct app *app, const char *path)
{
    char *kept = xstrdup(path), *folder = folder_of_run(path); /* path may be one of the old list */
    subject_close(subject);
    subject->path = kept;
    const struct run_summary *run = app_find_run(app, path_name(folder));
    snprintf(subject->run_id, sizeof subject->run_id, "%s", run ? run->id : "");
    free(folder);
    subject_refresh(subject, app);
}

void subject_close(struct subject *subject)
{
    free(subject->path);
    arena_release(&subject->arena);
    *subject = (struct subject){.at = -1};
}

const char *subject_neighbour(const struct subject *subject, int by)
{
    int n = (int)subject->n;
    for (int i = subject->at + by; by && subject->at >= 0 && i >= 0 && i < n; i += by)
        if (!subject->list[i].missing)
            return subject->list[i].path;
    for (int i = 0; !by && i < n; i++)
        if (subject->list[i].best && !subject->list[i].missing)
            return subject->list[i].path;
    return NULL;
}

bool subject_leads(const struct subject *subject, struct app *app, enum action action, const char **path)
{
    int by = action == ACTION_PREVIOUS_CHECKPOINT ? -1 : action == ACTION_NEXT_CHECKPOINT ? 1 : 0;
    if (!by && action != ACTION_BEST)
        return false;
    *path = subject_neighbour(subject, by);
    if (!*path)
        app_say(app, STYLE_FAINT, "there is no checkpoint further on");
    return true;
}

const struct run_summary *subject_run(const struct subject *subject, const struct app *app)
{
    return app_find_run(app, subject->run_id);
}

const struct checkpoint_summary *subject_checkpoint(const struct subject *subject)
{
    return subject->at >= 0 ? &subject->list[subject->at] : NULL;
}

const struct run_summary *subject_view_run(const struct app *app, const void *state)
{
    return subject_run(state, app);
}

const struct checkpoint_summary *subject_view_checkpoint(const struct app *app, const void *state)
{
    (void)app;
    return subject_checkpoint(state);
}

char *subject_name(const struct subject *subject, const struct app *app, char *text, size_t size)
{
    const struct run_summary *run = subject_run(subject, app);
    const struct checkpoint_summary *checkpoint = subject_checkpoint(subject);
    if (run && checkpoint)
        snprintf(text, size, "%s:%lld", run->name, (long long)checkpoint->epoch);
    else
        snprintf(text, size, "%s", path_name(subject->path));
    return text;
}

bool subject_metric(const struct subject *subject, const char *name, double *value)
{
    const struct checkpoint_summary *checkpoint = subject_checkpoint(subject);
    for (size_t i = 0; checkpoint && i < checkpoint->n_metrics; i++)
        if (!strcmp(checkpoint->metrics[i].name, name)) {
            *value = checkpoint->metrics[i].last;
            return true;
        }
    return false;
}

json_t *subject_request(const struct subject *subject)
{
    json_t *request = json_pack("{s:s}", "checkpoint", subject->path);
    if (subject->run_id[0]) {
        char *folder = folder_of_run(subject->path);
        json_object_set_new(request, "run", json_string(folder));
        free(folder);
    }
    return request;
}

void subject_draw(const struct subject *subject, const struct app *app, struct grid *grid, struct rect *rect)
{
    char name[300];
    struct rect row = rect_top(rect, 1);
    const struct checkpoint_summary *checkpoint = subject_checkpoint(subject);
    int x = 1 + grid_text(grid, row, 1, 0, STYLE_STRONG, subject_name(subject, app, name, sizeof name));
    if (!checkpoint)
        return;
    if (checkpoint->best)
        x += grid_text(grid, row, x + 2, 0, STYLE_MARK_BEST, "◆ best") + 2;
    if (checkpoint->last)
        x += grid_text(grid, row, x + 2, 0, STYLE_MARK, "● last") + 2;
    grid_textf(grid, row, x + 2, 0, STYLE_FAINT, "step %lld  %s  %s  %s", (long long)checkpoint->step, checkpoint->name,
               text_size(checkpoint->size_bytes).text,
               checkpoint->missing ? "the file is gone" : text_age(checkpoint->created).text);
}
