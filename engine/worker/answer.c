/* answer.c - see answer.h */
#include "engine/worker/answer.h"
#include "base/io.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PROGRESS_INTERVAL_NS = 100000000 };

static bool write_line(const struct answer *answer, json_t *line)
{
    struct str text = {0};
    js_write(&text, line, 0);
    str_add_char(&text, '\n');
    bool ok = io_write_all(answer->fd, str_text(&text), text.length, "standard output", NULL);
    str_release(&text);
    json_decref(line);
    return ok;
}

bool answer_is_due(const struct answer *answer)
{
    return io->monotonic_ns() >= answer->next_progress_ns;
}

void answer_progress(struct answer *answer, double share, double left_s, const char *text)
{
    answer_progress_with(answer, share, left_s, text, NULL);
}

void answer_progress_with(struct answer *answer, double share, double left_s, const char *text, json_t *more)
{
    if (!answer_is_due(answer)) {
        json_decref(more);
        return;
    }
    answer->next_progress_ns = io->monotonic_ns() + PROGRESS_INTERVAL_NS;
    json_t *line = json_pack("{s:f,s:s}", "progress", share, "text", text);
    json_object_update(line, more);
    json_decref(more);
    if (isfinite(left_s))
        json_object_set_new(line, "left_s", json_real(left_s));
    if (!write_line(answer, line))
        _exit(err_exit_status(ERR_INTERRUPTED));
}

bool answer_result(struct answer *answer, json_t *result)
{
    answer->given = true;
    return write_line(answer, json_pack("{s:o}", "result", result));
}

void answer_error(struct answer *answer, const struct err *err)
{
    answer->given = true;
    write_line(answer, json_pack("{s:{s:s,s:s}}", "error", "code", err_code_name(err->code), "message", err->text));
}
