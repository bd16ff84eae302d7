/* name_table.c - see name_table.h */
#include "base/name_table.h"

#include "base/arena.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Names are short and there are many of them to find: a multiplication for eight bytes. */
static size_t hash_of(const char *name, size_t length)
{
    uint64_t h = length, word;
    for (; length >= 8; length -= 8, name += 8) {
        memcpy(&word, name, 8);
        h = (h ^ word) * 0x9E3779B97F4A7C15u;
        h ^= h >> 32;
    }
    for (word = 0; length; length--)
        word = word << 8 | (unsigned char)name[length - 1];
    h = (h ^ word) * 0x9E3779B97F4A7C15u;
    return (size_t)(h ^ h >> 29);
}

/* memcmp for names: of 8 to 16 bytes, as most have, two words are all of it. */
static bool same_bytes(const char *a, const char *b, size_t n)
{
    uint64_t head[2], tail[2];
    if (n < 8 || n > 16)
        return !memcmp(a, b, n);
    memcpy(&head[0], a, 8);
    memcpy(&head[1], b, 8);
    memcpy(&tail[0], a + n - 8, 8);
    memcpy(&tail[1], b + n - 8, 8);
    return head[0] == head[1] && tail[0] == tail[1];
}

/* The slot of a name, or the free one where it belongs. */
static size_t slot_of(const struct name_table *table, const char *name, size_t length)
{
    size_t mask = table->n_slots - 1, slot = hash_of(name, length) & mask;
    for (;; slot = (slot + 1) & mask) {
        uint32_t id = table->slots[slot];
        if (!id || (table->lengths[id - 1] == length && same_bytes(table->list[id - 1], name, length)))
            return slot;
    }
}

static void fill_slots(struct name_table *table, size_t n_slots)
{
    free(table->slots);
    table->slots = xcalloc(n_slots, sizeof *table->slots);
    table->n_slots = n_slots;
    for (size_t id = 0; id < table->n; id++)
        table->slots[slot_of(table, table->list[id], table->lengths[id])] = (uint32_t)id + 1;
}

size_t name_table_find(const struct name_table *table, const char *name, size_t length)
{
    uint32_t id = table->n_slots ? table->slots[slot_of(table, name, length)] : 0;
    return id ? id - 1 : SIZE_MAX;
}

size_t name_table_id(struct name_table *table, const char *name, size_t length)
{
    if (2 * (table->n + 1) > table->n_slots)
        fill_slots(table, table->n_slots ? 2 * table->n_slots : 64);
    size_t slot = slot_of(table, name, length);
    if (table->slots[slot])
        return table->slots[slot] - 1;
    table->list = xgrow(table->list, &table->capacity, table->n + 1, sizeof *table->list);
    table->lengths = xgrow(table->lengths, &table->lengths_capacity, table->n + 1, sizeof *table->lengths);
    table->list[table->n] = xstrndup(name, length);
    table->lengths[table->n] = (uint32_t)length;
    table->slots[slot] = (uint32_t)table->n + 1;
    return table->n++;
}

void name_table_cut(struct name_table *table, size_t n)
{
    if (n >= table->n)
        return;
    while (table->n > n)
        free(table->list[--table->n]);
    fill_slots(table, table->n_slots);
}

void name_table_release(struct name_table *table)
{
    for (size_t id = 0; id < table->n; id++)
        free(table->list[id]);
    free(table->list);
    free(table->lengths);
    free(table->slots);
    *table = (struct name_table){0};
}
