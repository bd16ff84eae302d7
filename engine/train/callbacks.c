/* callbacks.c - the table of callbacks and the calls to all of them in order, see callbacks.h */
#include "engine/train/callbacks.h"

#include "engine/train/callback_class.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { CALLBACKS_MAX = 64 };

static const struct callback_class *const classes[] = {&callback_model_checkpoint, &callback_early_stopping,
                                                       &callback_reduce_lr,        &callback_lr_scheduler,
                                                       &callback_csv_logger,       &callback_terminate_on_nan};
enum { N_CLASSES = sizeof classes / sizeof *classes };

struct callbacks {
    struct arena arena;
    struct callback_options options;
    struct callback *list;
    int n, n_slots;
};

/* The rows by value: what named_table walks over. */
static void fill_table(struct named_table *table, struct named_row *rows)
{
    for (int i = 0; i < N_CLASSES; i++)
        rows[i] = classes[i]->row;
    *table = (struct named_table){
        .kind = "callback",
        .rows = rows,
        .n = N_CLASSES,
        .row_size = sizeof *rows,
        .elsewhere = "BackupAndRestore|CallbackList|History|LambdaCallback|OrbaxCheckpoint|ProgbarLogger|"
                     "RemoteMonitor|SwapEMAWeights|TensorBoard"};
}

static bool build_one(struct callbacks *all, struct callback *cb, const json_t *json, const struct compile *compile,
                      struct err *err)
{
    static const char *const common[] = {"class", NULL};
    struct named_row rows[N_CLASSES];
    struct named_table table;
    const char *name;
    fill_table(&table, rows);
    if (!class_reference(json, &name, &cb->config))
        return err_set(err, ERR_USAGE, "%s: expected {\"class\": \"EarlyStopping\", ...}, found %s", cb->where,
                       js_type_name(json));
    const struct named_row *row = named_get(&table, name, cb->where, err);
    if (!row || !arguments_check(row->class.name, row->class.arguments, common, cb->config, cb->where, err))
        return false;
    cb->class = classes[row - rows];
    cb->options = &all->options;
    cb->arena = &all->arena;
    cb->state = arena_alloc(&all->arena, cb->class->state_size);
    cb->slot = -1;
    if (cb->class == &callback_early_stopping &&
        argument_bool(row->class.arguments, cb->config, "restore_best_weights"))
        cb->slot = all->n_slots++;
    all->n++; /* from here on callbacks_free closes it */
    return cb->class->build ? cb->class->build(cb, compile, err) : true;
}

struct callbacks *callbacks_new(const json_t *list, const struct compile *compile,
                                const struct callback_options *options, const char *where, struct err *err)
{
    size_t n = json_array_size(list);
    if (list && !json_is_null(list) && !json_is_array(list))
        return err_null(err, ERR_USAGE, "%s: expected a list, found %s", where, js_type_name(list));
    if (n > CALLBACKS_MAX)
        return err_null(err, ERR_USAGE, "%s: at most %d callbacks, found %zu", where, CALLBACKS_MAX, n);
    BUG_ON(n && !compile);
    struct callbacks *all = xcalloc(1, sizeof *all);
    all->options = options ? *options : (struct callback_options){0};
    all->list = arena_array(&all->arena, n, sizeof *all->list);
    for (size_t i = 0; i < n; i++) {
        all->list[i].where = arena_printf(&all->arena, "%s[%zu]", where, i);
        if (!build_one(all, &all->list[i], json_array_get(list, i), compile, err)) {
            callbacks_free(all);
            return NULL;
        }
    }
    return all;
}

void callbacks_free(struct callbacks *all)
{
    if (!all)
        return;
    for (int i = 0; i < all->n; i++)
        if (all->list[i].class->close)
            all->list[i].class->close(&all->list[i]);
    arena_release(&all->arena);
    free(all);
}

bool callbacks_save_checkpoints(const struct callbacks *all)
{
    for (int i = 0; i < all->n; i++)
        if (all->list[i].class == &callback_model_checkpoint)
            return true;
    return false;
}

int callbacks_weight_slots(const struct callbacks *all)
{
    return all->n_slots;
}

json_t *callbacks_state(const struct callbacks *all)
{
    json_t *list = json_array();
    for (int i = 0; i < all->n; i++) {
        json_t *state = json_object();
        json_object_set_new(state, "class", json_string(all->list[i].class->row.class.name));
        if (all->list[i].class->save)
            all->list[i].class->save(&all->list[i], state);
        json_array_append_new(list, state);
    }
    return list;
}

/* The state of the k-th callback of a class. */
static const json_t *find_state(const json_t *list, const char *class, int k)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (!strcmp(js_string(json_array_get(list, i), "class", ""), class) && k-- == 0)
            return json_array_get(list, i);
    return NULL;
}

bool callbacks_restore(struct callbacks *all, const json_t *state, struct err *err)
{
    if (state && !json_is_null(state) && !json_is_array(state))
        return err_set(err, ERR_FORMAT, "state of callbacks: expected a list, found %s", js_type_name(state));
    for (int i = 0; i < all->n; i++) {
        int k = 0;
        for (int j = 0; j < i; j++)
            k += all->list[j].class == all->list[i].class;
        const struct callback_class *class = all->list[i].class;
        const json_t *one = find_state(state, class->row.class.name, k);
        if (one && class->load && !class->load(&all->list[i], one, err))
            return false;
    }
    return true;
}

void callbacks_train_on(struct callbacks *all)
{
    for (int i = 0; i < all->n; i++)
        if (all->list[i].class->train_on)
            all->list[i].class->train_on(&all->list[i]);
}

static void clear(struct callback_actions *actions)
{
    actions->stop = actions->set_learning_rate = false;
    actions->stop_reason = NULL;
    actions->keep_weights = 0;
    actions->restore_weights = -1;
    actions->n_checkpoints = 0;
    str_clear(&actions->messages);
    str_clear(&actions->reason);
}

void callback_actions_release(struct callback_actions *actions)
{
    free(actions->checkpoints);
    str_release(&actions->messages);
    str_release(&actions->reason);
    *actions = (struct callback_actions){0};
}

typedef bool handler(struct callback *, struct callback_event *, struct err *);

/* Calls the handler at this offset of each class. */
static bool call_all(struct callbacks *all, size_t offset, struct callback_event *event, struct err *err)
{
    clear(event->actions);
    for (int i = 0; i < all->n; i++) {
        handler *const *at = (handler *const *)(const void *)((const char *)all->list[i].class + offset);
        if (*at && !(*at)(&all->list[i], event, err))
            return false;
    }
    if (event->actions->stop)
        event->actions->stop_reason = str_text(&event->actions->reason);
    return true;
}

#define CALL(all, which, event, err) call_all(all, offsetof(struct callback_class, which), event, err)

bool callbacks_train_begin(struct callbacks *all, struct callback_moment *moment, struct callback_actions *actions,
                           struct err *err)
{
    return CALL(all, train_begin, (&(struct callback_event){.moment = moment, .actions = actions}), err);
}

bool callbacks_epoch_begin(struct callbacks *all, struct callback_moment *moment, struct callback_actions *actions,
                           struct err *err)
{
    return CALL(all, epoch_begin, (&(struct callback_event){.moment = moment, .actions = actions}), err);
}

enum callback_needs callbacks_batch_needs(struct callbacks *all)
{
    enum callback_needs most = CALLBACK_NEEDS_NOTHING;
    for (int i = 0; i < all->n; i++) {
        enum callback_needs one =
            all->list[i].class->batch ? all->list[i].class->batch(&all->list[i]) : CALLBACK_NEEDS_NOTHING;
        most = one > most ? one : most;
    }
    return most;
}

bool callbacks_batch_end(struct callbacks *all, struct callback_moment *moment, const struct logs *logs,
                         struct callback_actions *actions, struct err *err)
{
    return CALL(all, batch_end, (&(struct callback_event){.moment = moment, .batch_logs = logs, .actions = actions}),
                err);
}

bool callbacks_epoch_end(struct callbacks *all, struct callback_moment *moment, struct logs *logs,
                         struct callback_actions *actions, struct err *err)
{
    return CALL(all, epoch_end, (&(struct callback_event){.moment = moment, .logs = logs, .actions = actions}), err);
}

bool callbacks_train_end(struct callbacks *all, struct callback_moment *moment, struct callback_actions *actions,
                         struct err *err)
{
    return CALL(all, train_end, (&(struct callback_event){.moment = moment, .actions = actions}), err);
}

json_t *callbacks_describe(void)
{
    struct named_row rows[N_CLASSES];
    struct named_table table;
    fill_table(&table, rows);
    return named_describe(&table);
}

void callback_set_learning_rate(struct callback_event *event, double learning_rate)
{
    event->moment->learning_rate = (double)(float)learning_rate;
    event->actions->set_learning_rate = true;
}

bool callback_wants_learning_rate(const struct callback *cb, const struct compile *compile, struct err *err)
{
    const char *name = cb->class->row.class.name;
    if (compile->learning_rate)
        return true;
    return err_set(err, ERR_USAGE, "%s: %s sets the learning rate, but %s", cb->where, name,
                   compile->iteration ? "the optimizer's is a schedule; use a number there" : "there is no optimizer");
}

void callback_message(struct callback_event *event, const char *format, ...)
{
    char *text = NULL;
    va_list args;
    va_start(args, format);
    if (vasprintf(&text, format, args) < 0)
        text = NULL;
    va_end(args);
    if (text)
        str_addf(&event->actions->messages, "%s\n", text);
    free(text);
}

bool callback_verbose(const struct callback *cb)
{
    return argument_int(callback_arguments(cb), cb->config, "verbose") > 0;
}
