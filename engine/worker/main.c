/* main.c - antler-worker JOB: reads one request from standard input, does the job, answers on standard output
 * (docs/worker-protocol.md). */
#include "base/arena.h"
#include "base/io.h"
#include "engine/worker/jobs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { REQUEST_MAX_BYTES = 16 << 20 };

const struct job jobs[] = {
    {"describe", "every class with its arguments, defaults and help", job_describe},
    {"check", "shapes, parameters, memory and data of a config", job_check},
    {"inspect", "what is in a model file", job_inspect},
    {"evaluate", "metrics of a checkpoint on a part of the data", job_evaluate},
    {"predict", "outputs of a checkpoint", job_predict},
    {"generate", "text that a checkpoint of a language model writes", job_generate},
    {"picture", "a picture file as pixels to draw", job_picture},
    {"doctor", "sandbox, BLAS, processor, devices", job_doctor},
    {"train", "a new run", job_train},
    {"resume", "goes on with a run, or from a checkpoint", job_resume},
    {"start", "a run that waited in the queue of its home", job_start},
    {NULL, NULL, NULL},
};

const char *request_path(const json_t *request, const char *key, struct err *err)
{
    const char *path = js_string(request, key, NULL);
    if (!path || path[0] != '/')
        return err_null(err, ERR_USAGE, "the request has no '%s', or it is no absolute path", key);
    return path;
}

int request_threads(const json_t *request)
{
    int64_t threads = js_int(request, "threads", 0);
    return threads < 0 ? 0 : threads > 1024 ? 1024 : (int)threads;
}

json_t *lines_json(const char *text)
{
    json_t *lines = json_array();
    while (*text) {
        size_t n = strcspn(text, "\n");
        if (n)
            json_array_append_new(lines, json_stringn(text, n));
        text += n + (text[n] == '\n');
    }
    return lines;
}

static json_t *read_request(struct err *err)
{
    struct str text = {0};
    char block[65536];
    ssize_t n;
    while ((n = io->read(STDIN_FILENO, block, sizeof block)) != 0 && text.length <= REQUEST_MAX_BYTES) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            err_errno(err, ERR_FAILED, errno, "cannot read the request");
            break;
        }
        str_add_bytes(&text, block, (size_t)n);
    }
    json_t *request = NULL;
    if (n >= 0 && text.length > REQUEST_MAX_BYTES)
        err_set(err, ERR_USAGE, "the request is larger than %d bytes", REQUEST_MAX_BYTES);
    else if (n >= 0)
        request = js_parse(str_text(&text), text.length, "the request", JS_PYTHON, err);
    str_release(&text);
    if (request && !json_is_object(request)) {
        err_set(err, ERR_USAGE, "the request is a %s, expected an object", js_type_name(request));
        json_decref(request);
        request = NULL;
    }
    return request;
}

static int usage(FILE *out)
{
    fputs("usage: antler-worker JOB < REQUEST.json\n"
          "Runs one job for antler; people use antler instead. The answer is JSON on standard output.\n\n",
          out);
    for (const struct job *job = jobs; job->name; job++)
        fprintf(out, "  %-10s %s\n", job->name, job->help);
    return out == stdout ? 0 : err_exit_status(ERR_USAGE);
}

static int run(const struct job *job)
{
    struct err err = {0};
    struct answer answer = {.fd = STDOUT_FILENO};
    json_t *request = read_request(&err);
    bool ok = request && job->run(request, &answer, &err);
    if (!ok && !answer.given)
        answer_error(&answer, &err);
    json_decref(request);
    return ok ? 0 : err_exit_status(err.code);
}

int main(int argc, char **argv)
{
    if (argc == 2 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")))
        return usage(stdout);
    if (argc == 2 && !strcmp(argv[1], "--version")) {
        puts("antler-worker " ANTLER_VERSION);
        return 0;
    }
    for (const struct job *job = jobs; argc == 2 && job->name; job++)
        if (!strcmp(job->name, argv[1]))
            return run(job);
    return usage(stderr);
}
