/* wandb_log.h - the records of a .wandb file (Weights & Biases), one after the other, as bytes.
 *
 * A 7-byte header (":W&B", 0xBEE1, version 0), then blocks of 32 KiB (the header counts in the first) as LevelDB's log
 * has them: pieces of a record, each with u32 checksum, u16 length, u8 type (whole, first, middle, last); less than 7
 * bytes at the end of a block are padding. The checksum is zlib's CRC-32 of type and data, not masked. Records of more
 * than WANDB_RECORD_MAX_BYTES are passed over.
 */
#ifndef PERSISTENCE_SOURCES_WANDB_LOG_H
#define PERSISTENCE_SOURCES_WANDB_LOG_H

#include "persistence/sources/growing_file.h"

enum { WANDB_HEADER_BYTES = 7, WANDB_RECORD_MAX_BYTES = 64 << 20 };

struct wandb_log {
    struct growing_file file;
    uint8_t *record; /* pieces that were joined */
    size_t capacity;
    int64_t at; /* where the next record starts; file.offset may be behind it when a record is not all there */
    bool torn, passed_over;
};

bool wandb_is_log(const void *head, size_t n);
bool wandb_open(struct wandb_log *log, const char *path, struct err *err) MUST_USE;
void wandb_close(struct wandb_log *log);
/* 1 = a record, lent until the next call; 0 = no more whole ones now; -1 = err. */
int wandb_next(struct wandb_log *log, const uint8_t **data, size_t *size_bytes, struct err *err);

#endif
