/* callback_csv.c - CSVLogger: Keras' file byte for byte (keras/src/callbacks/csv_logger.py, dialect excel of Python's
 * csv).
 *
 * The file stands in the run folder. Its length is part of the state: a resumed run cuts it there and goes on, so it
 * holds what the uninterrupted run would have written. A full disk loses rows, not the run.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/io.h"
#include "engine/train/callback_class.h"
#include "engine/train/python_format.h"

static const struct argument arguments[] = {
    {"filename", ARG_STRING, NULL, NULL, 0, 0, "name of the file in the run's folder"},
    {"separator", ARG_STRING, "\",\"", NULL, 0, 0, "one character between the columns"},
    {"append", ARG_BOOL, "false", NULL, 0, 0, "keep what the file holds"},
    {NULL, ARG_ANY, NULL, NULL, 0, 0, NULL}};

struct state {
    char *path; /* NULL: nothing is written */
    int fd;     /* -1 while closed */
    char separator;
    int64_t bytes; /* of the file that belong to this run */
    bool resumed;
    json_t *keys; /* columns after "epoch"; NULL before the first row */
};

static bool build(struct callback *cb, const struct compile *compile, struct err *err)
{
    (void)compile;
    struct state *s = cb->state;
    const char *name = argument_string(arguments, cb->config, "filename"),
               *separator = argument_string(arguments, cb->config, "separator");
    s->fd = -1;
    if (strlen(separator) != 1 || strchr("\"\r\n", *separator))
        return err_set(err, ERR_USAGE, "%s.separator: expected one character, found '%s'", cb->where, separator);
    if (!*name || *name == '.' || strpbrk(name, "/\\") || strlen(name) >= CALLBACK_FILE_MAX)
        return err_set(err, ERR_USAGE, "%s.filename: '%s' must be a plain file name; it is kept in the run's folder",
                       cb->where, name);
    static const char *const taken[] = {"run.json", "config.json", "history.log", "commands.log",
                                        "log.txt",  "lock",        "live",        "checkpoints"};
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++)
        if (!strcmp(name, taken[i]))
            return err_set(err, ERR_USAGE, "%s.filename: '%s' is a file of the run itself", cb->where, name);
    s->separator = *separator;
    s->path = cb->options->run_folder ? path_join(cb->options->run_folder, name) : NULL;
    return true;
}

static bool train_begin(struct callback *cb, struct callback_event *event, struct err *err)
{
    (void)event;
    struct state *s = cb->state;
    if (!s->path)
        return true;
    s->fd = io_open(s->path, O_RDWR | O_CREAT | O_NOFOLLOW, 0666, err);
    if (s->fd < 0)
        return false;
    off_t size = lseek(s->fd, 0, SEEK_END);
    bool append = argument_bool(arguments, cb->config, "append");
    if (!s->resumed || s->bytes > size) {
        s->bytes = append ? size : 0;
        json_decref(s->keys);
        s->keys = NULL;
    }
    if (io->ftruncate(s->fd, s->bytes) || lseek(s->fd, s->bytes, SEEK_SET) < 0)
        return err_errno(err, ERR_FAILED, errno, "cannot write '%s'", s->path);
    return true;
}

static void add_field(struct str *row, const struct state *s, const char *text)
{
    char special[] = {s->separator, '"', '\r', '\n', 0};
    if (row->length)
        str_add_char(row, s->separator);
    if (!strpbrk(text, special)) {
        str_add(row, text);
        return;
    }
    str_add_char(row, '"');
    for (; *text; text++) {
        if (*text == '"')
            str_add_char(row, '"');
        str_add_char(row, *text);
    }
    str_add_char(row, '"');
}

/* Sorted keys of the first logs; without validation Keras adds a "val_" column for each. */
static void choose_keys(struct state *s, const struct logs *logs)
{
    const char **names = xcalloc((size_t)logs->n + 1, sizeof *names);
    bool validated = false;
    for (int i = 0; i < logs->n; i++) {
        names[i] = logs->entries[i].name;
        validated = validated || str_starts(names[i], "val_");
    }
    qsort(names, (size_t)logs->n, sizeof *names, str_order);
    s->keys = json_array();
    for (int i = 0; i < logs->n; i++)
        json_array_append_new(s->keys, json_string(names[i]));
    for (int i = 0; i < logs->n && !validated; i++)
        json_array_append_new(s->keys, json_sprintf("val_%s", names[i]));
    free(names);
}

static void add_header(struct str *text, const struct state *s)
{
    struct str row = {0};
    add_field(&row, s, "epoch");
    for (size_t i = 0; i < json_array_size(s->keys); i++)
        add_field(&row, s, json_string_value(json_array_get(s->keys, i)));
    str_addf(text, "%s\r\n", str_text(&row));
    str_release(&row);
}

static void add_row(struct str *text, const struct state *s, int64_t epoch, const struct logs *logs)
{
    struct str row = {0}, number = {0};
    str_addf(&number, "%lld", (long long)epoch);
    add_field(&row, s, str_text(&number));
    for (size_t i = 0; i < json_array_size(s->keys); i++) {
        double value;
        str_clear(&number);
        if (logs_get(logs, json_string_value(json_array_get(s->keys, i)), &value))
            python_repr(&number, value);
        else
            str_add(&number, "NA");
        add_field(&row, s, str_text(&number));
    }
    str_addf(text, "%s\r\n", str_text(&row));
    str_release(&row);
    str_release(&number);
}

static bool epoch_end(struct callback *cb, struct callback_event *event, struct err *err)
{
    (void)err;
    struct state *s = cb->state;
    struct str text = {0};
    struct err failure = {0};
    if (s->fd < 0)
        return true;
    if (!s->keys)
        choose_keys(s, event->logs);
    if (s->bytes == 0)
        add_header(&text, s);
    add_row(&text, s, event->moment->epoch, event->logs);
    if (io_write_all(s->fd, text.data, text.length, s->path, &failure)) {
        s->bytes += (int64_t)text.length;
    } else {
        callback_message(event, "warning: CSVLogger: %s", failure.text);
        if (io->ftruncate(s->fd, s->bytes) || lseek(s->fd, s->bytes, SEEK_SET) < 0)
            callback_message(event, "warning: CSVLogger: '%s' holds half a row", s->path);
    }
    str_release(&text);
    return true;
}

static void save_state(const struct callback *cb, json_t *state)
{
    const struct state *s = cb->state;
    json_object_set_new(state, "bytes", json_integer(s->bytes));
    json_object_set_new(state, "keys", s->keys ? json_deep_copy(s->keys) : json_null());
}

static bool load_state(struct callback *cb, const json_t *state, struct err *err)
{
    struct state *s = cb->state;
    json_t *keys = json_object_get(state, "keys");
    for (size_t i = 0; i < json_array_size(keys); i++)
        if (!json_is_string(json_array_get(keys, i)))
            return err_set(err, ERR_FORMAT, "state of callbacks: 'keys' of CSVLogger holds %s",
                           js_type_name(json_array_get(keys, i)));
    s->bytes = js_int(state, "bytes", 0);
    s->resumed = s->bytes > 0;
    json_decref(s->keys);
    s->keys = json_is_array(keys) ? json_deep_copy(keys) : NULL;
    return s->bytes >= 0 || err_set(err, ERR_FORMAT, "state of callbacks: 'bytes' of CSVLogger is negative");
}

static bool train_end(struct callback *cb, struct callback_event *event, struct err *err)
{
    (void)event;
    (void)err;
    struct state *s = cb->state;
    if (s->fd >= 0)
        io->close(s->fd);
    s->fd = -1;
    return true;
}

static void close_file(struct callback *cb)
{
    struct state *s = cb->state;
    if (s->fd >= 0)
        io->close(s->fd);
    json_decref(s->keys);
    free(s->path);
}

const struct callback_class callback_csv_logger = {
    .row = {{"CSVLogger", "writes the history of epochs as a table", arguments}, NULL},
    .state_size = sizeof(struct state),
    .build = build,
    .train_begin = train_begin,
    .epoch_end = epoch_end,
    .train_end = train_end,
    .save = save_state,
    .load = load_state,
    .close = close_file,
};
