/* job_generate.c - text that a checkpoint of a language model writes behind a prompt. */
#include "base/io.h"
#include "engine/data/table.h"
#include "engine/train/generate.h"
#include "engine/worker/checkpoint_session.h"
#include "engine/worker/jobs.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BYTES = 256, MOST_TOKENS = 1000000, DEFAULT_TOKENS = 200 };
static const double DEFAULT_TEMPERATURE = 0.8;

struct vocabulary {
    json_t *list; /* of characters; a string: tokens are bytes */
    int64_t n;
};

/* What the checkpoint keeps of its training data; of a file that is not ours, what its data hold now. */
static bool find_vocabulary(const struct checkpoint_session *cs, const json_t *request, struct vocabulary *v,
                            struct err *err)
{
    const json_t *kept = json_object_get(json_object_get(cs->session->antler, "data_scale"), "vocabulary");
    if (kept && (json_object_get(request, "config") || json_object_get(request, "data")))
        return err_set(err, ERR_USAGE,
                       "'%s' keeps the vocabulary that it was trained on: with a prompt, other data (--config, --data) "
                       "mean nothing",
                       cs->checkpoint);
    if (kept) {
        v->list = json_incref((json_t *)kept);
    } else if (!strcmp(js_string(cs->data, "format", ""), "text")) {
        struct dataset *data = dataset_open(cs->data, cs->folder, 0, NULL, err);
        if (!data)
            return err_prefix(err, "%s", cs->checkpoint);
        json_t *learnt = dataset_scale(data);
        v->list = json_incref(json_object_get(learnt, "vocabulary"));
        json_decref(learnt);
        dataset_close(data);
    }
    v->n = json_is_array(v->list) ? (int64_t)json_array_size(v->list) : BYTES;
    return (v->list && v->n) ||
           err_set(err, ERR_USAGE,
                   "'%s' keeps no vocabulary: text is written by models that were trained on data of format text (for "
                   "a model from elsewhere say which: --data format=text --data path=...)",
                   cs->checkpoint);
}

static const char *character(const struct vocabulary *v, int64_t token)
{
    const char *text = json_string_value(json_array_get(v->list, (size_t)token));
    return text ? text : "";
}

/* The character at the start of text as a token, -1; *used: its bytes. */
static int32_t token_at(const struct vocabulary *v, const char *text, size_t length, int *used)
{
    uint32_t code;
    *used = 1;
    if (!json_is_array(v->list))
        return (unsigned char)text[0];
    *used = utf8_read((const unsigned char *)text, length, &code);
    for (int64_t k = 0; *used && k < v->n; k++)
        if (strlen(character(v, k)) == (size_t)*used && !memcmp(character(v, k), text, (size_t)*used))
            return (int32_t)k;
    *used = *used ? *used : 1;
    return -1;
}

/* "'é' (U+00E9), '€' (U+20AC)": every character of the prompt that is unknown, once. */
static void add_unknown(struct str *out, const struct vocabulary *v, const char *prompt)
{
    size_t length = strlen(prompt);
    int used;
    for (size_t i = 0; i < length; i += (size_t)used) {
        uint32_t code = 0;
        char one[5] = "";
        if (token_at(v, prompt + i, length - i, &used) >= 0)
            continue;
        utf8_read((const unsigned char *)prompt + i, length - i, &code);
        memcpy(one, prompt + i, (size_t)used);
        struct str name = {0};
        str_add_char(&name, '\'');
        str_add_visible(&name, one);
        str_addf(&name, "' (U+%04X)", code);
        if (!strstr(str_text(out), str_text(&name)))
            str_addf(out, "%s%s", out->length ? ", " : "", str_text(&name));
        str_release(&name);
    }
}

static bool check_prompt(const struct vocabulary *v, const char *prompt, struct err *err)
{
    struct str unknown = {0}, known = {0};
    add_unknown(&unknown, v, prompt);
    bool ok = !unknown.length;
    if (!ok) {
        struct str all = {0};
        for (int64_t k = 0; k < v->n && k < 200; k++)
            str_add(&all, character(v, k));
        str_add_visible(&known, str_text(&all));
        str_release(&all);
        err_set(err, ERR_USAGE, "the prompt holds what the model has never read: %s; its %lld characters are %s",
                str_text(&unknown), (long long)v->n, str_text(&known));
    }
    str_release(&unknown);
    str_release(&known);
    return ok;
}

/* What a text most likely begins behind, and what stands for nothing in a window: a new line, else a blank. */
static int32_t neutral_token(const struct vocabulary *v)
{
    int used;
    int32_t line = token_at(v, "\n", 1, &used), blank = token_at(v, " ", 1, &used);
    return line >= 0 ? line : blank >= 0 ? blank : 0;
}

/* Bytes that are no UTF-8 become U+FFFD; the unfinished character at the end waits unless it is `all`. free() it. */
static char *bytes_as_text(const struct str *bytes, bool all)
{
    struct str out = {0};
    const unsigned char *at = (const unsigned char *)str_text(bytes);
    for (size_t i = 0; i < bytes->length;) {
        uint32_t code;
        int n = at[i] ? utf8_read(at + i, bytes->length - i, &code) : 0;
        if (!n && !all && at[i] >= 0xC0 && bytes->length - i < 4)
            break;
        str_add_bytes(&out, n ? (const char *)at + i : "\xEF\xBF\xBD", n ? (size_t)n : 3);
        i += n ? (size_t)n : 1;
    }
    return str_take(&out);
}

struct text_job {
    struct vocabulary vocabulary;
    struct generator *generator;
    struct answer *answer;
    struct str written; /* behind the prompt, as characters or bytes */
    json_t *tokens;
    bool padded;
};

static void read_prompt(struct text_job *job, const char *prompt)
{
    size_t length = strlen(prompt);
    int used;
    for (size_t i = 0; i < length; i += (size_t)used)
        generator_read(job->generator, token_at(&job->vocabulary, prompt + i, length - i, &used));
    if (!length)
        generator_read(job->generator, neutral_token(&job->vocabulary));
}

static void report(struct text_job *job, int64_t done, int64_t n, int64_t start_ns)
{
    if (!answer_is_due(job->answer))
        return;
    double elapsed = (double)(io->monotonic_ns() - start_ns) / 1e9;
    char *text = bytes_as_text(&job->written, false);
    answer_progress_with(job->answer, (double)done / (double)n, elapsed / (double)done * (double)(n - done), "writing",
                         json_pack("{s:s}", "written", text));
    free(text);
}

static bool write_tokens(struct text_job *job, int64_t n, struct err *err)
{
    int64_t start_ns = io->monotonic_ns();
    for (int64_t i = 0; i < n; i++) {
        int32_t token;
        if (!generator_next(job->generator, &token, err))
            return false;
        job->padded = job->padded || generator_is_padded(job->generator);
        json_array_append_new(job->tokens, json_integer(token));
        if (json_is_array(job->vocabulary.list))
            str_add(&job->written, character(&job->vocabulary, token));
        else
            str_add_char(&job->written, (char)token);
        report(job, i + 1, n, start_ns);
    }
    return true;
}

struct wishes {
    const char *prompt;
    int64_t tokens, seed;
    double temperature;
};

static bool read_wishes(const json_t *request, struct wishes *w, struct err *err)
{
    *w = (struct wishes){.prompt = js_string(request, "prompt", NULL),
                         .tokens = js_int(request, "tokens", DEFAULT_TOKENS),
                         .seed = js_int(request, "seed", 0),
                         .temperature = js_double(request, "temperature", DEFAULT_TEMPERATURE)};
    if (!w->prompt)
        return err_set(err, ERR_USAGE, "the request has no 'prompt'");
    if (w->tokens < 1 || w->tokens > MOST_TOKENS)
        return err_set(err, ERR_USAGE, "tokens is %lld, expected 1 to %d", (long long)w->tokens, MOST_TOKENS);
    if (!(w->temperature >= 0 && w->temperature <= 100))
        return err_set(err, ERR_USAGE, "temperature is %g, expected 0 (always the most probable) to 100",
                       w->temperature);
    return true;
}

static json_t *result_json(const struct text_job *job, const struct wishes *w, const char *checkpoint)
{
    char *text = bytes_as_text(&job->written, true);
    json_t *result = json_pack("{s:s,s:s,s:s,s:O,s:f,s:I,s:I}", "checkpoint", checkpoint, "prompt", w->prompt, "text",
                               text, "tokens", job->tokens, "temperature", w->temperature, "seed", (json_int_t)w->seed,
                               "window", (json_int_t)generator_window(job->generator));
    json_object_set_new(result, "padded", json_boolean(job->padded));
    free(text);
    return result;
}

bool job_generate(const json_t *request, struct answer *answer, struct err *err)
{
    struct wishes w;
    struct checkpoint_session cs;
    if (!read_wishes(request, &w, err) || !checkpoint_session_open(&cs, request, true, err))
        return false;
    struct text_job job = {.answer = answer, .tokens = json_array()};
    bool ok = find_vocabulary(&cs, request, &job.vocabulary, err) && check_prompt(&job.vocabulary, w.prompt, err);
    const struct generator_options options = {.n_vocabulary = job.vocabulary.n,
                                              .pad = ok ? neutral_token(&job.vocabulary) : 0,
                                              .temperature = w.temperature,
                                              .seed = (uint64_t)w.seed};
    job.generator = ok ? generator_new(cs.session, &options, err) : NULL;
    if (job.generator) {
        read_prompt(&job, w.prompt);
        ok = write_tokens(&job, w.tokens, err);
    }
    ok = ok && job.generator;
    if (ok)
        answer_result(answer, result_json(&job, &w, cs.checkpoint));
    generator_free(job.generator);
    str_release(&job.written);
    json_decref(job.vocabulary.list);
    json_decref(job.tokens);
    checkpoint_session_close(&cs);
    return ok;
}
