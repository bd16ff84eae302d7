/* data_text.c - format text: windows of tokens over one long array; the target is the same window one token later. */
#include "base/io.h"
#include "engine/data/csv_reader.h"
#include "engine/data/dataset.h"
#include "engine/data/table.h"

#include <stdlib.h>
#include <string.h>

enum { CODES = 0x110000, BYTES = 256 };

/* token[code] = token + 1 for every character that occurs, in order of code points; fills the table's vocabulary. */
static void learn(struct table *t, const unsigned char *text, size_t length, int32_t *token)
{
    uint32_t code;
    int32_t n = 0;
    for (size_t i = 0; i < length; token[code] = 1)
        i += (size_t)utf8_read(text + i, length - i, &code);
    for (uint32_t c = 0; c < CODES; c++)
        if (token[c])
            token[c] = ++n;
    t->n_vocabulary = n;
    t->vocabulary = arena_array(&t->arena, (size_t)n + 1, sizeof *t->vocabulary);
    char character[5];
    for (uint32_t c = 0; c < CODES; c++)
        if (token[c]) {
            utf8_write(c, character);
            t->vocabulary[token[c] - 1] = arena_strdup(&t->arena, character);
        }
}

/* The vocabulary of a trained model, from its list. */
static bool recall(struct table *t, const json_t *list, int32_t *token, const char *source, struct err *err)
{
    t->n_vocabulary = (int64_t)json_array_size(list);
    t->vocabulary = arena_array(&t->arena, (size_t)t->n_vocabulary + 1, sizeof *t->vocabulary);
    for (int64_t k = 0; k < t->n_vocabulary; k++) {
        const char *text = json_string_value(json_array_get(list, (size_t)k));
        uint32_t code;
        int n = text ? utf8_read((const unsigned char *)text, strlen(text), &code) : 0;
        if (!n || text[n])
            return err_set(err, ERR_FORMAT, "the vocabulary kept for %s: entry %lld is not one character", source,
                           (long long)k);
        t->vocabulary[k] = arena_strdup(&t->arena, text);
        token[code] = (int32_t)k + 1;
    }
    return true;
}

static bool encode(const unsigned char *text, size_t length, const int32_t *token, int32_t *tokens, int64_t *n_tokens,
                   const char *source, struct err *err)
{
    size_t line = 1, column = 1;
    *n_tokens = 0;
    for (size_t i = 0; i < length;) {
        uint32_t code;
        i += (size_t)utf8_read(text + i, length - i, &code);
        if (!token[code])
            return err_set(err, ERR_FORMAT,
                           "%s line %zu column %zu: the character U+%04X is not in the vocabulary of the training part",
                           source, line, column, code);
        tokens[(*n_tokens)++] = token[code] - 1;
        column = code == '\n' ? 1 : column + 1;
        line += code == '\n';
    }
    return true;
}

static bool tokens_of_chars(struct table *t, const struct source *from, const char *text, size_t length,
                            const char *source, struct npy *a, struct err *err)
{
    const json_t *known = json_object_get(from->state, "vocabulary");
    int32_t *token = xcalloc(CODES, sizeof *token), *tokens = io_allocate(length * sizeof *tokens, source, err);
    int64_t n = 0;
    bool ok = tokens != NULL;
    if (ok && json_is_array(known))
        ok = recall(t, known, token, source, err);
    else if (ok)
        learn(t, (const unsigned char *)text, length, token);
    ok = ok && encode((const unsigned char *)text, length, token, tokens, &n, source, err);
    *a = (struct npy){.type = NPY_I32, .rank = 1, .dim = {n}, .n_elements = n, .data = tokens, .owned = tokens};
    if (ok && t->n_vocabulary <= BYTES) {
        uint8_t *narrow = (uint8_t *)tokens;
        for (int64_t i = 0; i < n; i++)
            narrow[i] = (uint8_t)tokens[i];
        a->type = NPY_U8;
    }
    free(token);
    return ok;
}

/* Windows of `sequence` tokens, `stride` apart, `offset` behind the start. */
static void make_windows(struct samples *s, const struct npy *a, int64_t n_samples, int64_t sequence, int64_t stride,
                         int64_t offset, const char *source)
{
    *s = (struct samples){.source = source,
                          .array = *a,
                          .shape = SHAPE(sequence),
                          .stride = stride,
                          .offset = offset,
                          .lent = offset > 0};
    s->array.dim[0] = n_samples;
}

bool load_text(struct table *t, const struct source *from, struct err *err)
{
    const char *path = source_path(t, from, "path"), *source = arena_printf(&t->arena, "'%s'", path);
    int64_t sequence = js_int(from->data, "sequence_length", TEXT_SEQUENCE_LENGTH);
    int64_t stride = js_int(from->data, "stride", sequence);
    char *text;
    size_t length;
    struct npy a = {0};
    t->bytes = !strcmp(js_string(from->data, "vocabulary", "chars"), "bytes");
    if (!text_read(path, source, !t->bytes, &text, &length, err))
        return err_prefix(err, "data.path");
    bool ok = true;
    if (t->bytes)
        a = (struct npy){.type = NPY_U8,
                         .rank = 1,
                         .dim = {(int64_t)length},
                         .n_elements = (int64_t)length,
                         .data = text,
                         .owned = text};
    else
        ok = tokens_of_chars(t, from, text, length, source, &a, err);
    if (!t->bytes)
        free(text);
    int64_t need = sequence + !from->want;
    if (ok && a.n_elements < need)
        ok = err_set(err, ERR_FORMAT, "%s has %lld tokens, expected at least %lld for one sample", source,
                     (long long)a.n_elements, (long long)need);
    if (!ok) {
        npy_release(&a);
        return false;
    }
    t->n_samples = (a.n_elements - need) / stride + 1;
    t->inputs = table_reserve(t, 1);
    t->targets = table_reserve(t, 1);
    t->n_inputs = 1;
    t->n_targets = !from->want;
    make_windows(&t->inputs[0], &a, t->n_samples, sequence, stride, 0, source);
    make_windows(&t->targets[0], &a, t->n_samples, sequence, stride, 1, source);
    if (t->bytes)
        t->n_vocabulary = BYTES;
    t->class_names = t->vocabulary;
    t->n_class_names = t->vocabulary ? t->n_vocabulary : 0;
    return true;
}
