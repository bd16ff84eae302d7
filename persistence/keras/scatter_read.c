/* scatter_read.c - see scatter_read.h */
#include "persistence/keras/scatter_read.h"

#include "base/arena.h"
#include "base/hash.h"
#include "base/io.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum {
    STRIP_BYTES = 4 << 20,  /* longer than a huge page: two threads seldom wait for the same one */
    BLOCK_BYTES = 1 << 18,  /* still in the cache for its checksum */
    DIRECT_BYTES = 1 << 15, /* from here on a call of its own is cheaper than a copy */
    READERS_MAX = 4,
    STRIPS_PER_READER = 2
};

struct pass {
    int fd;
    const char *path;
    int64_t begin, end; /* bytes of the file */
    const struct scatter_piece *pieces;
    size_t n_pieces;
    int64_t n_strips;
    uint32_t *checksums; /* of the strips; NULL: what is nobody's is not read */
    atomic_llong next;   /* strip to take */
};

struct reader {
    struct pass *pass;
    char *block;
    pthread_t thread;
    bool ok;
    struct err err;
};

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t end_of(const struct scatter_piece *piece)
{
    return piece->offset + piece->size_bytes;
}

/* The first piece that ends behind `at`. */
static size_t piece_behind(const struct pass *pass, int64_t at)
{
    size_t low = 0, high = pass->n_pieces;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (end_of(&pass->pieces[middle]) > at)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

/* Where the bytes that pass through the block end: in front of the next piece that is read directly. */
static int64_t block_end(const struct pass *pass, size_t i, int64_t at, int64_t end)
{
    end = least(end, at + BLOCK_BYTES);
    for (; i < pass->n_pieces && pass->pieces[i].offset < end; i++)
        if (pass->pieces[i].offset > at && pass->pieces[i].size_bytes >= DIRECT_BYTES)
            return pass->pieces[i].offset;
    return end;
}

static bool read_through_block(struct reader *reader, size_t i, int64_t at, int64_t end)
{
    const struct pass *pass = reader->pass;
    if (!pass->checksums && (i == pass->n_pieces || pass->pieces[i].offset >= end))
        return true;
    if (!io_pread_all(pass->fd, reader->block, (size_t)(end - at), at, pass->path, &reader->err))
        return false;
    for (; i < pass->n_pieces && pass->pieces[i].offset < end; i++) {
        const struct scatter_piece *p = &pass->pieces[i];
        int64_t from = p->offset > at ? p->offset : at, to = least(end_of(p), end);
        memcpy(p->to + (from - p->offset), reader->block + (from - at), (size_t)(to - from));
    }
    return true;
}

static bool read_strip(struct reader *reader, int64_t strip)
{
    const struct pass *pass = reader->pass;
    int64_t at = pass->begin + strip * STRIP_BYTES, end = least(at + STRIP_BYTES, pass->end), next;
    uint32_t checksum = 0;
    for (size_t i = piece_behind(pass, at); at < end; at = next) {
        while (i < pass->n_pieces && end_of(&pass->pieces[i]) <= at)
            i++;
        const struct scatter_piece *p = i < pass->n_pieces ? &pass->pieces[i] : NULL;
        char *to = reader->block;
        if (p && p->offset <= at && p->size_bytes >= DIRECT_BYTES) {
            next = least(least(end_of(p), end), at + BLOCK_BYTES);
            to = p->to + (at - p->offset);
            if (!io_pread_all(pass->fd, to, (size_t)(next - at), at, pass->path, &reader->err))
                return false;
        } else {
            next = block_end(pass, i, at, end);
            if (!read_through_block(reader, i, at, next))
                return false;
        }
        if (pass->checksums)
            checksum = hash_crc32(checksum, to, (size_t)(next - at));
    }
    if (pass->checksums)
        pass->checksums[strip] = checksum;
    return true;
}

static void *read_strips(void *argument)
{
    struct reader *reader = argument;
    struct pass *pass = reader->pass;
    reader->block = xmalloc(BLOCK_BYTES);
    reader->ok = true;
    for (int64_t strip; reader->ok && (strip = atomic_fetch_add(&pass->next, 1)) < pass->n_strips;)
        reader->ok = read_strip(reader, strip);
    if (!reader->ok)
        atomic_store(&pass->next, pass->n_strips);
    free(reader->block);
    return NULL;
}

static int64_t processors(void)
{
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) ? 1 : CPU_COUNT(&set);
}

/* A thread that cannot be started is not missed: the others take its strips. */
static bool run(struct pass *pass, struct err *err)
{
    struct reader readers[READERS_MAX];
    int64_t most = least(least(processors(), READERS_MAX), pass->n_strips / STRIPS_PER_READER);
    int n = 1;
    for (int i = 0; i < READERS_MAX; i++)
        readers[i] = (struct reader){.pass = pass};
    while (n < most && !pthread_create(&readers[n].thread, NULL, read_strips, &readers[n]))
        n++;
    read_strips(&readers[0]);
    bool ok = readers[0].ok;
    const struct err *why = &readers[0].err;
    for (int i = 1; i < n; i++) {
        pthread_join(readers[i].thread, NULL);
        why = ok && !readers[i].ok ? &readers[i].err : why;
        ok = ok && readers[i].ok;
    }
    return ok || err_set(err, why->code, "%s", why->text);
}

static uint32_t whole_checksum(const struct pass *pass)
{
    uint32_t checksum = 0;
    for (int64_t i = 0; i < pass->n_strips; i++) {
        int64_t begin = pass->begin + i * STRIP_BYTES;
        checksum =
            hash_crc32_join(checksum, pass->checksums[i], (uint64_t)(least(begin + STRIP_BYTES, pass->end) - begin));
    }
    return checksum;
}

bool scatter_read(int fd, const char *path, int64_t begin, int64_t end, const struct scatter_piece *pieces,
                  size_t n_pieces, uint32_t *checksum, struct err *err)
{
    struct pass pass = {.fd = fd, .path = path, .begin = begin, .end = end, .pieces = pieces, .n_pieces = n_pieces};
    pass.n_strips = (end - begin) / STRIP_BYTES + ((end - begin) % STRIP_BYTES != 0);
    pass.checksums = checksum ? xcalloc((size_t)pass.n_strips + 1, sizeof *pass.checksums) : NULL;
    bool ok = run(&pass, err);
    if (ok && checksum)
        *checksum = whole_checksum(&pass);
    free(pass.checksums);
    return ok;
}
