/* wandb_log.c - see wandb_log.h */
#include "persistence/sources/wandb_log.h"

#include "base/arena.h"
#include "base/hash.h"
#include "persistence/files/bytes.h"

#include <stdlib.h>
#include <string.h>

enum { BLOCK_BYTES = 32768, PIECE_BYTES = 7 };
enum { PIECE_WHOLE = 1, PIECE_FIRST, PIECE_MIDDLE, PIECE_LAST };

bool wandb_is_log(const void *head, size_t n)
{
    return n >= WANDB_HEADER_BYTES && !memcmp(head, ":W&B\xe1\xbe", 6);
}

bool wandb_open(struct wandb_log *log, const char *path, struct err *err)
{
    const uint8_t *head;
    *log = (struct wandb_log){.at = WANDB_HEADER_BYTES};
    if (!growing_open(&log->file, path, err))
        return false;
    int found = growing_want(&log->file, WANDB_HEADER_BYTES, &head, err);
    bool ok = found == 1 && wandb_is_log(head, WANDB_HEADER_BYTES) && head[6] == 0;
    if (found == 1 && !ok)
        err_set(err, ERR_FORMAT, "'%s' has version %d of the format of .wandb files or is none, expected version 0",
                path, head[6]);
    if (found == 0)
        err_set(err, ERR_FORMAT, "'%s' is too short for a .wandb file", path);
    if (ok)
        growing_skip(&log->file, WANDB_HEADER_BYTES);
    else
        wandb_close(log);
    return ok;
}

void wandb_close(struct wandb_log *log)
{
    growing_close(&log->file);
    free(log->record);
    log->record = NULL;
    log->capacity = 0;
}

static int damaged(struct wandb_log *log, const char *what, struct err *err)
{
    err_set(err, ERR_FORMAT, "'%s' is damaged at byte %lld: %s; what came before is kept", log->file.path,
            (long long)log->file.offset, what);
    return -1;
}

/* The rest of a record is not there yet: next time it is read from its start. */
static int not_yet(struct wandb_log *log)
{
    log->torn = log->torn || growing_size(&log->file) > log->at;
    log->file.offset = log->at;
    return 0;
}

/* A piece that reaches to the end of the file may still be written. */
static bool is_last(const struct wandb_log *log, size_t whole)
{
    return log->file.offset + (int64_t)whole >= growing_size(&log->file);
}

/* One piece; *data is lent until the next one. */
static int next_piece(struct wandb_log *log, const uint8_t **data, size_t *size_bytes, int *type, struct err *err)
{
    int64_t left = BLOCK_BYTES - log->file.offset % BLOCK_BYTES;
    const uint8_t *p;
    if (left < PIECE_BYTES)
        growing_skip(&log->file, left);
    int found = growing_want(&log->file, PIECE_BYTES, &p, err);
    if (found != 1)
        return found;
    size_t length = (size_t)bytes_get(p + 4, 2), whole = PIECE_BYTES + length;
    if ((int64_t)whole > BLOCK_BYTES - log->file.offset % BLOCK_BYTES)
        return is_last(log, whole) ? 0 : damaged(log, "a piece reaches behind its block", err);
    found = growing_want(&log->file, whole, &p, err);
    if (found != 1)
        return found;
    if (hash_crc32(0, p + 6, length + 1) != bytes_get(p, 4))
        return is_last(log, whole) ? 0 : damaged(log, "the checksum of a piece is wrong", err);
    *type = p[6];
    *data = p + PIECE_BYTES;
    *size_bytes = length;
    growing_skip(&log->file, (int64_t)whole);
    return 1;
}

static void join(struct wandb_log *log, size_t used, const uint8_t *data, size_t size_bytes)
{
    log->record = xgrow(log->record, &log->capacity, used + size_bytes + 1, 1);
    memcpy(log->record + used, data, size_bytes);
}

int wandb_next(struct wandb_log *log, const uint8_t **data, size_t *size_bytes, struct err *err)
{
    size_t used = 0;
    bool begun = false, skipped = false;
    for (;;) {
        const uint8_t *piece;
        size_t length;
        int type, found = next_piece(log, &piece, &length, &type, err);
        if (found != 1)
            return found ? found : not_yet(log);
        if (type == PIECE_WHOLE && !begun) {
            *data = piece;
            *size_bytes = length;
            log->at = log->file.offset;
            return 1;
        }
        bool fits = type == PIECE_FIRST ? !begun : begun && (type == PIECE_MIDDLE || type == PIECE_LAST);
        if (!fits)
            return damaged(log, "the pieces of a record do not fit together", err);
        begun = true;
        skipped = skipped || used + length > WANDB_RECORD_MAX_BYTES;
        if (!skipped)
            join(log, used, piece, length);
        used += skipped ? 0 : length;
        if (type != PIECE_LAST)
            continue;
        log->at = log->file.offset;
        if (!skipped) {
            *data = log->record;
            *size_bytes = used;
            return 1;
        }
        log->passed_over = true;
        begun = skipped = false;
        used = 0;
    }
}
