/* A stretch of a file read in one pass: every piece gets its bytes, the checksum is that of the whole, whatever the
 * sizes of the pieces, the gaps between them and the number of threads. */
#include "base/arena.h"
#include "base/hash.h"
#include "base/io.h"
#include "persistence/keras/scatter_read.h"
#include "tests/check.h"
#include "tests/fault/io_fault.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_BYTES = 41 << 20, PIECES = 400 };
static char *content;
static int fd;

static uint32_t draw(void)
{
    static uint64_t state = 88172645463325252u;
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state >> 33);
}

static void make_file(void)
{
    struct err err;
    const char *path = check_path("stretch");
    content = xmalloc(FILE_BYTES);
    for (size_t i = 0; i < FILE_BYTES; i += 4) {
        uint32_t word = draw();
        memcpy(content + i, &word, 4);
    }
    int out = io_open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600, &err);
    CHECK(out >= 0 && io_write_all(out, content, FILE_BYTES, path, &err));
    io->close(out);
    fd = io_open(path, O_RDONLY, 0, &err);
    CHECK(fd >= 0);
}

/* Pieces of nothing, of a few bytes and of megabytes, touching each other or apart. */
static size_t make_pieces(struct scatter_piece *pieces, int64_t begin, int64_t end)
{
    static const int64_t sizes[] = {0, 4, 100, 4000, 32768, 32767, 200000, 262144, 3000000, 9000001};
    size_t n = 0;
    for (int64_t at = begin; n < PIECES; n++) {
        int64_t size_bytes = sizes[draw() % 10], gap = draw() % 2 ? 0 : sizes[draw() % 8];
        if (at + gap + size_bytes > end)
            break;
        pieces[n] = (struct scatter_piece){at + gap, size_bytes, xmalloc((size_t)size_bytes + 1)};
        pieces[n].to[size_bytes] = 77;
        at += gap + size_bytes;
    }
    return n;
}

static void check_and_free(struct scatter_piece *pieces, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        CHECK(!memcmp(pieces[i].to, content + pieces[i].offset, (size_t)pieces[i].size_bytes));
        CHECK_EQ(pieces[i].to[pieces[i].size_bytes], 77);
        free(pieces[i].to);
    }
}

static void test_every_piece_gets_its_bytes(void)
{
    struct scatter_piece pieces[PIECES];
    struct err err;
    for (int round = 0; round < 12; round++) {
        int64_t begin = draw() % 5000, end = round % 3 ? FILE_BYTES - draw() % 5000 : begin + draw() % 700000;
        size_t n = make_pieces(pieces, begin, end);
        uint32_t checksum;
        CHECK_OK(scatter_read(fd, "stretch", begin, end, pieces, n, round % 2 ? &checksum : NULL, &err), err);
        if (round % 2)
            CHECK_EQ(checksum, hash_crc32(0, content + begin, (size_t)(end - begin)));
        check_and_free(pieces, n);
    }
}

static void test_without_pieces_there_is_only_the_checksum(void)
{
    struct err err;
    uint32_t checksum = 1;
    CHECK_OK(scatter_read(fd, "stretch", 3, FILE_BYTES, NULL, 0, &checksum, &err), err);
    CHECK_EQ(checksum, hash_crc32(0, content + 3, FILE_BYTES - 3));
    CHECK_OK(scatter_read(fd, "stretch", 3, 3, NULL, 0, &checksum, &err), err);
    CHECK_EQ(checksum, 0);
}

static void test_a_file_that_ends_early_is_an_error(void)
{
    struct err err = {0};
    uint32_t checksum;
    CHECK(!scatter_read(fd, "stretch", 0, FILE_BYTES + 1, NULL, 0, &checksum, &err));
    CHECK_EQ(err.code, ERR_FORMAT);
    CHECK_HAS(err.text, "'stretch' ends too early");
}

/* Of a stretch that one thread reads, every call; the errors of more threads go the same way. */
static void test_a_read_that_is_refused_is_an_error(void)
{
    static char room[3 << 20];
    const struct scatter_piece pieces[] = {{100, 8, room}, {4096, 1 << 20, room + 8}, {2 << 20, 99, room + (2 << 20)}};
    uint32_t checksum;
    int64_t n = 1;
    for (bool hit = true; hit; n++) {
        struct err err = {0};
        io_fault_arm(n, EIO, FAULT_SHORT, FAULT_READ);
        bool ok = scatter_read(fd, "stretch", 0, 3 << 20, pieces, 3, &checksum, &err);
        hit = io_fault_disarm();
        CHECK_EQ(ok, !hit);
        CHECK_EQ(err.code, hit ? ERR_FAILED : ERR_NONE);
    }
    CHECK(n > 10);
    CHECK_EQ(checksum, hash_crc32(0, content, 3 << 20));
    struct err err = {0};
    io_fault_arm(1, EIO, FAULT_FOREVER, FAULT_READ);
    CHECK(!scatter_read(fd, "stretch", 0, FILE_BYTES, NULL, 0, &checksum, &err));
    io_fault_disarm();
    CHECK_EQ(err.code, ERR_FAILED);
}

int main(void)
{
    make_file();
    RUN(test_every_piece_gets_its_bytes);
    RUN(test_without_pieces_there_is_only_the_checksum);
    RUN(test_a_file_that_ends_early_is_an_error);
    RUN(test_a_read_that_is_refused_is_an_error);
    io->close(fd);
    free(content);
    return check_done();
}
