/* run_commands.c - see run_commands.h */
#include "base/arena.h"
#include "base/io.h"
#include "persistence/runs/run_commands.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 4096, TAIL_BYTES = 65536 };

#define X(name, word, value) word,
static const char *const known_commands[] = {RUN_COMMANDS(X)};
#undef X
enum { N_KNOWN = sizeof known_commands / sizeof known_commands[0] };

static bool is_known(const char *command)
{
    for (size_t k = 0; k < N_KNOWN; k++)
        if (!strcmp(command, known_commands[k]))
            return true;
    return false;
}

/* One line without its end; false for anything that is no command. A word not known here is one: the worker answers it.
 */
static bool parse_line(const char *line, size_t length, struct run_command *command)
{
    json_t *json = js_parse(line, length, "commands.log", JS_STRICT, NULL);
    const char *name = js_string(json, "command", "");
    bool ok = *name && strlen(name) < sizeof command->command && js_int(json, "number", 0) > 0;
    if (ok) {
        *command = (struct run_command){.number = js_int(json, "number", 0), .value = js_double(json, "value", NAN)};
        strncpy(command->command, name, sizeof command->command - 1);
    }
    json_decref(json);
    return ok;
}

/* The highest number in the file's last lines, and whether the file ends with a whole line. */
static bool read_tail(int fd, off_t size, const char *path, int64_t *number, bool *whole, struct err *err)
{
    *number = 0;
    *whole = true;
    if (!size)
        return true;
    off_t start = size > TAIL_BYTES ? size - TAIL_BYTES : 0;
    size_t n = (size_t)(size - start);
    char *text = xmalloc(n);
    if (!io_pread_all(fd, text, n, start, path, err)) {
        free(text);
        return false;
    }
    *whole = text[n - 1] == '\n';
    for (size_t from = 0; from < n;) {
        const char *end = memchr(text + from, '\n', n - from);
        size_t length = end ? (size_t)(end - text) - from : n - from;
        struct run_command command;
        if (parse_line(text + from, length, &command) && command.number > *number)
            *number = command.number;
        from += length + 1;
    }
    free(text);
    return true;
}

static bool append(int fd, const char *path, const char *command, double value, int64_t *number, struct err *err)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int failed;
    do
        failed = fcntl(fd, F_OFD_SETLKW, &lock);
    while (failed && errno == EINTR);
    struct stat st;
    if (failed || fstat(fd, &st))
        return err_errno(err, ERR_FAILED, errno, "cannot lock '%s'", path);
    int64_t last;
    bool whole;
    if (!read_tail(fd, st.st_size, path, &last, &whole, err))
        return false;
    json_t *json = json_pack("{s:I, s:s}", "number", (json_int_t)(last + 1), "command", command);
    if (!isnan(value))
        json_object_set_new(json, "value", js_number(value));
    json_object_set_new(json, "time", json_real(io_wall_seconds()));
    struct str line = {0};
    if (!whole)
        str_add_char(&line, '\n');
    js_write(&line, json, 0);
    str_add_char(&line, '\n');
    json_decref(json);
    bool ok = io_write_all(fd, line.data, line.length, path, err);
    if (!ok && io->ftruncate(fd, st.st_size))
        err_prefix(err, "a torn command stays in the file");
    str_release(&line);
    *number = last + 1;
    return ok;
}

bool run_command_add(const char *run_folder, const char *command, double value, int64_t *number, struct err *err)
{
    if (!is_known(command))
        return err_set(err, ERR_USAGE, "there is no command '%s' to a run", command);
    char *path = path_join(run_folder, "commands.log");
    int fd = io_open(path, O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW, 0666, err);
    bool ok = fd >= 0 && append(fd, path, command, value, number, err);
    if (fd >= 0)
        io->close(fd);
    free(path);
    return ok;
}

int64_t run_command_end(const char *run_folder)
{
    char *path = path_join(run_folder, "commands.log");
    struct stat st;
    int64_t size = stat(path, &st) ? 0 : st.st_size;
    free(path);
    return size;
}

/* Reads the line at *offset. 1 = command, 0 = no whole line there, 2 = a line that is no command was passed over. */
static int next_line(int fd, int64_t *offset, struct run_command *command)
{
    char line[LINE_MAX_BYTES];
    ssize_t n = io->pread(fd, line, sizeof line, *offset);
    if (n <= 0)
        return 0;
    const char *end = memchr(line, '\n', (size_t)n);
    if (!end && n < LINE_MAX_BYTES)
        return 0;
    size_t length = end ? (size_t)(end - line) : (size_t)n;
    *offset += (int64_t)length + (end != NULL);
    return end && parse_line(line, length, command) ? 1 : 2;
}

int run_command_next(const char *run_folder, int64_t *offset, struct run_command *command, struct err *err)
{
    char *path = path_join(run_folder, "commands.log");
    int found = 0;
    struct err failed = {0};
    int fd = io_open(path, O_RDONLY | O_NOFOLLOW, 0, &failed);
    if (fd >= 0) {
        do
            found = next_line(fd, offset, command);
        while (found == 2);
        io->close(fd);
    } else if (failed.code != ERR_NOT_FOUND) {
        err_set(err, failed.code, "%s", failed.text);
        found = -1;
    }
    free(path);
    return found;
}

double run_event_learning_rate(const json_t *event)
{
    bool order = !strcmp(js_string(event, "command", ""), "learning_rate") && js_bool(event, "ok", false);
    return js_double(event, order ? "value" : "learning_rate", NAN);
}
