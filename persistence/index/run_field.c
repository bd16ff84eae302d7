/* run_field.c - what a run has under a name. See run_filter.h */
#include "base/json.h"
#include "persistence/index/run_filter.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static const char *const plain_fields[] = {"id",     "name",   "state",   "tag",      "note",
                                           "device", "parent", "source",  "error",    "epoch",
                                           "epochs", "step",   "created", "duration", "learning_rate"};
enum { N_FIELDS = sizeof plain_fields / sizeof plain_fields[0] };

bool run_field_check(const char *field, struct err *err)
{
    static const char *const prefixes[] = {"last.", "best.", "config."};
    for (size_t p = 0; p < 3; p++)
        if (str_starts(field, prefixes[p]) && field[strlen(prefixes[p])])
            return true;
    for (size_t f = 0; f < N_FIELDS; f++)
        if (!strcmp(field, plain_fields[f]))
            return true;
    const char *near = str_nearest(field, plain_fields, N_FIELDS);
    if (near)
        return err_set(err, ERR_USAGE, "there is no field '%s', did you mean '%s'?", field, near);
    return err_set(
        err, ERR_USAGE,
        "there is no field '%s'; expected id, name, state, tag, note, device, parent, epoch, epochs, step, created, "
        "duration, learning_rate, last.METRIC, best.METRIC or config.PATH",
        field);
}

static struct run_value number_value(double number)
{
    return (struct run_value){.kind = RUN_VALUE_NUMBER, .number = number};
}

static struct run_value text_value(const char *text)
{
    struct run_value value = {.kind = text ? RUN_VALUE_TEXT : RUN_VALUE_NONE};
    snprintf(value.text, sizeof value.text, "%s", text ? text : "");
    return value;
}

static struct run_value metric_value(const struct run_summary *run, const char *name, bool best)
{
    for (size_t m = 0; m < run->n_metrics; m++)
        if (!strcmp(run->metrics[m].name, name)) {
            double value = best ? run->metrics[m].best : run->metrics[m].last;
            return best && isnan(value) ? (struct run_value){0} : number_value(value);
        }
    return (struct run_value){0};
}

/* A parameter's JSON text as a value: numbers are numbers, strings lose their quotes. */
static struct run_value param_value(const char *json)
{
    double number;
    if (!json)
        return (struct run_value){0};
    if (str_to_double(json, &number))
        return number_value(number);
    struct run_value value = text_value(json);
    size_t length = strlen(value.text);
    if (value.text[0] == '"') {
        json_t *string = js_parse(json, strlen(json), "parameter", JS_STRICT, NULL);
        value = text_value(json_is_string(string) ? json_string_value(string) : value.text);
        json_decref(string);
    } else if (!length) {
        value.kind = RUN_VALUE_NONE;
    }
    return value;
}

static struct run_value created_value(double created)
{
    time_t seconds = (time_t)created;
    struct tm tm;
    struct run_value value = {.kind = RUN_VALUE_TEXT};
    if (!localtime_r(&seconds, &tm) || !strftime(value.text, sizeof value.text, "%Y-%m-%dT%H:%M:%S", &tm))
        value.kind = RUN_VALUE_NONE;
    return value;
}

struct run_value run_field(const char *field, const struct run_summary *run, run_param_lookup *param, void *context)
{
    if (str_starts(field, "last."))
        return metric_value(run, field + 5, false);
    if (str_starts(field, "best."))
        return metric_value(run, field + 5, true);
    if (str_starts(field, "config."))
        return param_value(param ? param(context, run->id, field + 7) : NULL);
    const char *texts[][2] = {{"id", run->id},         {"name", run->name},     {"state", run_state_name(run->state)},
                              {"note", run->note},     {"device", run->device}, {"parent", run->parent_run},
                              {"source", run->source}, {"error", run->error}};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (!strcmp(field, texts[i][0]))
            return text_value(texts[i][1]);
    const struct {
        const char *name;
        double value;
    } numbers[] = {{"epoch", (double)run->epoch},
                   {"epochs", (double)run->epochs},
                   {"step", (double)run->step},
                   {"duration", run->duration_s},
                   {"learning_rate", run->learning_rate}};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        if (!strcmp(field, numbers[i].name))
            return isnan(numbers[i].value) ? (struct run_value){0} : number_value(numbers[i].value);
    return !strcmp(field, "created") ? created_value(run->created) : (struct run_value){0};
}
