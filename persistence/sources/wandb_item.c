/* wandb_item.c - see wandb_item.h */
#include "persistence/sources/wandb_item.h"

#include "base/decimal.h"

#include <math.h>
#include <string.h>

static void take_part(struct wandb_item *item, const struct wire_field *f)
{
    if (item->parts++ == 0) {
        item->key = f->data;
        item->key_length = f->size_bytes;
        return;
    }
    if (item->key_length + f->size_bytes + 1 > WANDB_KEY_MAX_BYTES) {
        item->key_length = SIZE_MAX / 2;
        return;
    }
    if (item->key != (const uint8_t *)item->joined)
        memcpy(item->joined, item->key, item->key_length);
    item->joined[item->key_length++] = '.';
    memcpy(item->joined + item->key_length, f->data, f->size_bytes);
    item->key_length += f->size_bytes;
    item->key = (const uint8_t *)item->joined;
}

bool wandb_item_read(const struct wire_field *message, struct wandb_item *item)
{
    struct wire w = wire_of(message->data, message->size_bytes);
    struct wire_field f;
    item->key_length = item->json_length = item->parts = 0;
    item->is_number = false;
    while (wire_next(&w, &f)) {
        if ((f.number == 1 || f.number == 2) && f.type == WIRE_BYTES && f.size_bytes)
            take_part(item, &f);
        else if ((f.number == 16 || f.number == 8) && f.type == WIRE_BYTES) {
            item->json = f.data;
            item->json_length = f.size_bytes;
        } else if (wire_is(&f, 5, WIRE_VARINT) || wire_is(&f, 6, WIRE_FIXED64)) {
            item->number = f.number == 5 ? (double)wire_zigzag(&f) : wire_double(&f);
            item->is_number = true;
        }
    }
    return !w.bad && item->key_length;
}

bool wandb_item_number(const struct wandb_item *item, double *value)
{
    static const struct {
        const char *word;
        double value;
    } words[] = {{"NaN", NAN},     {"Infinity", INFINITY},     {"-Infinity", -INFINITY},
                 {"\"NaN\"", NAN}, {"\"Infinity\"", INFINITY}, {"\"-Infinity\"", -INFINITY}};
    if (item->is_number || decimal_parse((const char *)item->json, item->json_length, value)) {
        *value = item->is_number ? item->number : *value;
        return true;
    }
    for (size_t w = 0; w < sizeof words / sizeof *words; w++)
        if (strlen(words[w].word) == item->json_length && !memcmp(words[w].word, item->json, item->json_length)) {
            *value = words[w].value;
            return true;
        }
    return false;
}
