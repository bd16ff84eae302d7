/* hdf5_message.c - object headers of both versions as flat lists of messages; see hdf5_internal.h */
#include "persistence/hdf5/hdf5_internal.h"

#include "base/arena.h"

#include <stdlib.h>

enum { MAX_BLOCKS = 1024, SHARED = 2, REFUSE_IF_UNKNOWN = 0x80, LAST_KNOWN = 0x18 };

struct header { /* how the messages of one object are framed */
    int version;
    uint8_t flags;
    uint32_t declared; /* version 1: number of messages in all blocks */
};

void hdf5_messages_release(struct hdf5_messages *messages)
{
    for (size_t i = 0; i < messages->n_blocks; i++)
        free(messages->blocks[i]);
    free(messages->blocks);
    free(messages->list);
    *messages = (struct hdf5_messages){0};
}

const struct hdf5_message *hdf5_messages_find(const struct hdf5_messages *messages, enum hdf5_message_type type)
{
    for (size_t i = 0; i < messages->n; i++)
        if (messages->list[i].type == type)
            return &messages->list[i];
    return NULL;
}

static bool check_message(struct hdf5 *h5, const struct hdf5_message *message)
{
    if (message->type == HDF5_EXTERNAL)
        return hdf5_refuse(h5, "its values are in another file (external storage), which is not followed");
    if (message->type == HDF5_SHARED_TABLE || (message->flags & SHARED))
        return hdf5_refuse(h5, "it uses shared messages or named types, which no model file does");
    if (message->type > LAST_KNOWN && (message->flags & REFUSE_IF_UNKNOWN))
        return hdf5_refuse(h5, "it has a message of unknown type %d that must be understood", message->type);
    struct cursor body = message->body;
    if (message->type == HDF5_REFERENCES && (cursor_u8(&body) != 0 || cursor_u32(&body) != 1))
        return hdf5_refuse(h5, "more than one link leads to it");
    return true;
}

/* One block of messages at address, without signature and checksum. */
static bool read_block(struct hdf5 *h5, const struct header *header, struct cursor c, uint64_t address,
                       struct hdf5_messages *messages)
{
    size_t frame = header->version == 1 ? 8 : header->flags & 4 ? 6 : 4;
    while (cursor_left(&c) >= frame) {
        struct hdf5_message message = {0};
        size_t n;
        message.type = header->version == 1 ? cursor_u16(&c) : cursor_u8(&c);
        n = cursor_u16(&c);
        message.flags = cursor_u8(&c);
        cursor_bytes(&c, header->version == 1 ? 3 : header->flags & 4 ? 2 : 0);
        message.address = address + c.used;
        message.body = (struct cursor){cursor_bytes(&c, n), n, 0, false};
        if (c.bad)
            return hdf5_refuse(h5, "a message of its object header is longer than the header");
        if (!check_message(h5, &message))
            return false;
        messages->list = xgrow(messages->list, &messages->capacity, messages->n + 1, sizeof *messages->list);
        messages->list[messages->n++] = message;
    }
    if (header->version == 1 && cursor_left(&c))
        return hdf5_refuse(h5, "its object header ends in the middle of a message");
    return true;
}

static void keep_block(struct hdf5_messages *messages, uint8_t *block)
{
    messages->blocks =
        xgrow(messages->blocks, &messages->blocks_capacity, messages->n_blocks + 1, sizeof *messages->blocks);
    messages->blocks[messages->n_blocks++] = block;
}

static bool read_first_v1(struct hdf5 *h5, uint64_t address, struct header *header, struct hdf5_messages *messages)
{
    uint8_t prefix[16];
    if (!hdf5_peek(h5, address, prefix, sizeof prefix, "an object header"))
        return false;
    uint64_t n = bytes_get(prefix + 8, 4);
    header->declared = (uint32_t)bytes_get(prefix + 2, 2);
    if (prefix[0] != 1)
        return hdf5_refuse(h5, "no object header at address %llu", (unsigned long long)address);
    if (bytes_get(prefix + 4, 4) != 1)
        return hdf5_refuse(h5, "%llu links lead to it, expected 1", (unsigned long long)bytes_get(prefix + 4, 4));
    uint8_t *block = hdf5_load(h5, address, 16 + n, "an object header");
    if (!block)
        return false;
    keep_block(messages, block);
    return read_block(h5, header, (struct cursor){block + 16, (size_t)n, 0, false}, address + 16, messages);
}

static bool read_first_v2(struct hdf5 *h5, uint64_t address, struct header *header, struct hdf5_messages *messages)
{
    uint8_t prefix[6 + 16 + 4 + 8] = {0};
    if (!hdf5_peek(h5, address, prefix, 6, "an object header"))
        return false;
    header->flags = prefix[5];
    size_t width = (size_t)1 << (header->flags & 3),
           at = 6 + (header->flags & 0x20 ? 16u : 0u) + (header->flags & 0x10 ? 4u : 0u);
    if (prefix[4] != 2 || !hdf5_peek(h5, address, prefix, at + width, "an object header"))
        return prefix[4] == 2 ? false : hdf5_refuse(h5, "its object header has version %d, expected 1 or 2", prefix[4]);
    uint64_t n = bytes_get(prefix + at, width);
    if (n > (uint64_t)h5->size_bytes)
        return hdf5_refuse(h5, "its object header is larger than the file");
    uint8_t *block = hdf5_load_checked(h5, address, at + width + n + 4, "OHDR", "an object header");
    if (!block)
        return false;
    keep_block(messages, block);
    return read_block(h5, header, (struct cursor){block + at + width, (size_t)n, 0, false}, address + at + width,
                      messages);
}

static bool read_continuation(struct hdf5 *h5, const struct header *header, struct cursor body,
                              struct hdf5_messages *messages)
{
    uint64_t address = cursor_u64(&body), n = cursor_u64(&body);
    if (body.bad || messages->n_blocks >= MAX_BLOCKS)
        return hdf5_refuse(h5, "its object header continues in too many places");
    bool checked = header->version == 2;
    uint8_t *block = checked ? hdf5_load_checked(h5, address, n, "OCHK", "a part of an object header")
                             : hdf5_load(h5, address, n, "a part of an object header");
    if (!block)
        return n < 8 ? hdf5_refuse(h5, "its object header continues nowhere") : false;
    keep_block(messages, block);
    struct cursor c = {checked ? block + 4 : block, (size_t)n - (checked ? 8 : 0), 0, false};
    return read_block(h5, header, c, address + (checked ? 4 : 0), messages);
}

static bool check_repeats(struct hdf5 *h5, const struct hdf5_messages *messages)
{
    bool seen[LAST_KNOWN + 1] = {0};
    for (size_t i = 0; i < messages->n; i++) {
        uint16_t type = messages->list[i].type;
        bool once = type == HDF5_DATASPACE || type == HDF5_DATATYPE || type == HDF5_LAYOUT || type == HDF5_FILTERS ||
                    type == HDF5_SYMBOLS || type == HDF5_LINK_INFO;
        if (once && seen[type])
            return hdf5_refuse(h5, "its object header describes the same thing twice (message %d)", type);
        if (type <= LAST_KNOWN)
            seen[type] = true;
    }
    return true;
}

bool hdf5_messages_read(struct hdf5 *h5, uint64_t address, struct hdf5_messages *messages)
{
    uint8_t magic[4];
    struct header header = {0};
    if (!hdf5_peek(h5, address, magic, 4, "an object header"))
        return false;
    header.version = memcmp(magic, "OHDR", 4) ? 1 : 2;
    bool ok = header.version == 1 ? read_first_v1(h5, address, &header, messages)
                                  : read_first_v2(h5, address, &header, messages);
    for (size_t i = 0; ok && i < messages->n; i++) /* the list grows meanwhile */
        if (messages->list[i].type == HDF5_CONTINUATION)
            ok = read_continuation(h5, &header, messages->list[i].body, messages);
    if (ok && header.version == 1 && messages->n != header.declared)
        return hdf5_refuse(h5, "its object header has %zu messages, expected %u", messages->n, header.declared);
    return ok && check_repeats(h5, messages);
}
