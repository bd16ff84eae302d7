/* wandb_item.h - a key with its value, as the records of Weights & Biases hold them (HistoryItem, StatsItem,
 * ConfigItem).
 *
 * Keys of several parts are joined with a dot; one that would be longer than WANDB_KEY_MAX_BYTES has a larger length
 * than that and no text. Values are JSON text, or numbers of their own.
 */
#ifndef PERSISTENCE_SOURCES_WANDB_ITEM_H
#define PERSISTENCE_SOURCES_WANDB_ITEM_H

#include "persistence/sources/wire.h"

enum { WANDB_KEY_MAX_BYTES = 900 };

struct wandb_item {
    const uint8_t *key, *json;
    size_t key_length, json_length, parts;
    char joined[WANDB_KEY_MAX_BYTES + 1]; /* a key of several parts */
    bool is_number;                       /* written as one, not as JSON */
    double number;
};

/* What it points to is lent: the bytes of the message, or the item's own. False: a message that is none. */
bool wandb_item_read(const struct wire_field *message, struct wandb_item *item);
/* The number of an item; false when it is another kind of value. */
bool wandb_item_number(const struct wandb_item *item, double *value);

#endif
