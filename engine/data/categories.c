/* categories.c - see categories.h */
#include "engine/data/categories.h"
#include "base/arena.h"
#include "base/hash.h"

#include <stdlib.h>
#include <string.h>

static size_t slot_of(const struct categories *c, const char *text)
{
    size_t slot = hash_mix(0, text, strlen(text)) & (c->n_slots - 1);
    while (c->slots[slot] && strcmp(c->texts[c->slots[slot] - 1], text))
        slot = (slot + 1) & (c->n_slots - 1);
    return slot;
}

static void grow(struct categories *c)
{
    free(c->slots);
    c->n_slots = c->n_slots ? c->n_slots * 2 : 64;
    c->slots = xcalloc(c->n_slots, sizeof *c->slots);
    for (size_t i = 0; i < c->n; i++)
        c->slots[slot_of(c, c->texts[i])] = (int32_t)i + 1;
}

int32_t categories_add(struct categories *c, const char *text)
{
    if (c->n * 2 >= c->n_slots)
        grow(c);
    size_t slot = slot_of(c, text);
    if (!c->slots[slot]) {
        c->texts = xgrow(c->texts, &c->capacity, c->n + 1, sizeof *c->texts);
        c->texts[c->n++] = text;
        c->slots[slot] = (int32_t)c->n;
    }
    return c->slots[slot] - 1;
}

struct ranked {
    const char *text;
    int32_t number;
};

static int by_text(const void *a, const void *b)
{
    return strcmp(((const struct ranked *)a)->text, ((const struct ranked *)b)->text);
}

void categories_sort(struct categories *c, int32_t *rank)
{
    struct ranked *sorted = xcalloc(c->n + 1, sizeof *sorted);
    for (size_t i = 0; i < c->n; i++)
        sorted[i] = (struct ranked){c->texts[i], (int32_t)i};
    qsort(sorted, c->n, sizeof *sorted, by_text);
    for (size_t i = 0; i < c->n; i++) {
        rank[sorted[i].number] = (int32_t)i;
        c->texts[i] = sorted[i].text;
    }
    free(sorted);
}

void categories_release(struct categories *c)
{
    free(c->texts);
    free(c->slots);
    *c = (struct categories){0};
}
