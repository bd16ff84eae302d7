/* name_table.h - names get numbers 0, 1, 2, ... in the order of their first appearance, and are found again in constant
 * time. Names are copied.
 *
 *     struct name_table names = {0};
 *     size_t id = name_table_id(&names, "val_loss", 8);
 *     names.list[id]
 */
#ifndef BASE_NAME_TABLE_H
#define BASE_NAME_TABLE_H

#include <stddef.h>
#include <stdint.h>

struct name_table {
    char **list; /* n names, terminated; they stay where they are */
    size_t n, capacity, lengths_capacity;
    uint32_t *lengths; /* of the names */
    uint32_t *slots;   /* id + 1, 0 = free; a power of two of them, at most half full */
    size_t n_slots;
};

/* The number of a name, which is added when it is not there. */
size_t name_table_id(struct name_table *table, const char *name, size_t length);
/* The number of a name, SIZE_MAX when it is not there. */
size_t name_table_find(const struct name_table *table, const char *name, size_t length);
/* Forgets all names but the first n. */
void name_table_cut(struct name_table *table, size_t n);
void name_table_release(struct name_table *table);

#endif
