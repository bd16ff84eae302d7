/* The wrappers over the io table: short transfers, EINTR, errors that name the path. And err, arena, hash. */
#include "base/arena.h"
#include "base/hash.h"
#include "base/io.h"
#include "tests/check.h"

#include <errno.h>
#include <fcntl.h>

static int interruptions;

static ssize_t stubborn_write(int fd, const void *data, size_t size_bytes)
{
    if (interruptions++ % 2 == 0) {
        errno = EINTR;
        return -1;
    }
    return write(fd, data, size_bytes > 3 ? 3 : size_bytes);
}

static ssize_t full_write(int fd, const void *data, size_t size_bytes)
{
    (void)fd, (void)data, (void)size_bytes;
    errno = ENOSPC;
    return -1;
}

static bool write_text(const char *path, const char *text, struct err *err)
{
    int fd = io_open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600, err);
    bool ok = fd >= 0 && io_write_all(fd, text, strlen(text), path, err);
    if (fd >= 0)
        io->close(fd);
    return ok;
}

static void test_short_and_interrupted_writes_are_invisible(void)
{
    struct err err;
    struct io_table table = io_system;
    table.write = stubborn_write;
    io = &table;
    CHECK_OK(write_text(check_path("a"), "the whole text", &err), err);
    io = &io_system;
    char *data;
    size_t size;
    CHECK_OK(io_read_file(check_path("a"), 100, &data, &size, &err), err);
    CHECK_STR(data, "the whole text");
    CHECK_EQ(size, 14);
    free(data);
}

static void test_a_full_disk_is_out_of_disk(void)
{
    struct err err;
    struct io_table table = io_system;
    table.write = full_write;
    io = &table;
    CHECK(!write_text(check_path("b"), "x", &err));
    io = &io_system;
    CHECK_EQ(err.code, ERR_NOMEM);
    CHECK_EQ(err_exit_status(err.code), 5);
    CHECK_HAS(err.text, "No space left");
    CHECK_HAS(err.text, check_path("b"));
}

static void test_reading_is_bounded_and_names_what_is_wrong(void)
{
    struct err err;
    char *data;
    size_t size;
    CHECK_OK(write_text(check_path("c"), "0123456789", &err), err);
    CHECK(!io_read_file(check_path("c"), 9, &data, &size, &err));
    CHECK_EQ(err.code, ERR_FORMAT);
    CHECK(!io_read_file(check_path("none"), 9, &data, &size, &err));
    CHECK_EQ(err.code, ERR_NOT_FOUND);
    CHECK(!io_read_file(check_tmp(), 9, &data, &size, &err));
    CHECK_HAS(err.text, "is a folder");
    int fd = io_open(check_path("c"), O_RDONLY, 0, &err);
    char some[8];
    CHECK(!io_pread_all(fd, some, 8, 6, "c", &err));
    CHECK_HAS(err.text, "4 bytes missing");
    size_t n;
    CHECK_OK(io_pread_some(fd, some, 3, 8, 6, "c", &n, &err), err);
    CHECK(n == 4 && !memcmp(some, "6789", 4)); /* what comes at once is taken */
    CHECK_OK(io_pread_some(fd, some, 8, 8, 6, "c", &n, &err), err);
    CHECK_EQ(n, 4); /* the file ends */
    io->close(fd);
    CHECK(!io_pread_some(fd, some, 1, 8, 0, "c", &n, &err));
    CHECK(n == 0 && strstr(err.text, "cannot read 'c'"));
}

static void test_folders_are_made_with_their_parents(void)
{
    struct err err;
    CHECK_OK(io_make_folders(check_path("x/y/z"), &err), err);
    CHECK(path_is_folder(check_path("x/y/z")));
    CHECK_OK(io_make_folders(check_path("x/y/z"), &err), err);
    CHECK_OK(write_text(check_path("x/file"), "", &err), err);
    CHECK(!io_make_folders(check_path("x/file/z"), &err));
    CHECK_HAS(err.text, "x/file");
    char *joined = path_join("a/", "b"), *folder = path_folder("/top");
    CHECK_STR(joined, "a/b");
    CHECK_STR(folder, "/");
    CHECK_STR(path_name("/a/b.keras"), "b.keras");
    free(joined);
    free(folder);
}

static void test_an_error_keeps_its_code_and_gains_a_prefix(void)
{
    struct err err = {0};
    CHECK(!err_set(&err, ERR_FORMAT, "no '%s' in '%s'", "config.json", "m.keras"));
    CHECK(!err_prefix(&err, "cannot resume run '%s'", "r"));
    CHECK_STR(err.text, "cannot resume run 'r': no 'config.json' in 'm.keras'");
    CHECK_EQ(err.code, ERR_FORMAT);
    CHECK(!err_set(&err, ERR_USAGE, "again: %s", err.text));
    CHECK_HAS(err.text, "again: cannot resume");
    CHECK(!err_errno(&err, ERR_FAILED, EACCES, "cannot open"));
    CHECK_STR(err.text, "cannot open: Permission denied");
    CHECK_EQ(err_code_parse("format"), ERR_FORMAT);
    CHECK_STR(err_code_name(ERR_NOT_FOUND), "not_found");
    char long_text[4000];
    memset(long_text, 'x', sizeof long_text);
    long_text[3999] = 0;
    CHECK(!err_set(&err, ERR_FAILED, "%s", long_text));
    CHECK_EQ(strlen(err.text), sizeof err.text - 1);
}

static void test_an_arena_gives_zeroed_aligned_memory_until_reset(void)
{
    struct arena arena = {0};
    for (int i = 1; i < 3000; i += 7) {
        unsigned char *memory = arena_alloc(&arena, (size_t)i);
        CHECK_EQ((uintptr_t)memory % 16, 0);
        CHECK(!memory[0] && !memory[i - 1]);
        memset(memory, 0xAA, (size_t)i);
    }
    CHECK_STR(arena_printf(&arena, "%s_%d", "conv", 2), "conv_2");
    const int numbers[] = {3, 1, 2};
    CHECK(!memcmp(arena_copy(&arena, numbers, 3, sizeof *numbers), numbers, sizeof numbers));
    CHECK(arena_copy(&arena, NULL, 0, sizeof *numbers) != NULL);
    arena_reset(&arena);
    unsigned char *memory = arena_alloc(&arena, 1000);
    CHECK(!memory[0] && !memory[999]);
    arena_release(&arena);
    CHECK_EQ(arena.total_bytes, 0);
}

static void test_hashes_see_every_piece(void)
{
    CHECK_EQ(hash_crc32(0, "123456789", 9), 0xCBF43926);
    CHECK_EQ(hash_crc32(hash_crc32(0, "1234", 4), "56789", 5), 0xCBF43926);
    CHECK(hash_mix(1, "abc", 3) != hash_mix(1, "abd", 3));
    CHECK(hash_mix(1, "a\0", 2) != hash_mix(1, "a", 1));
    CHECK(hash_mix(hash_mix(1, "ab", 2), "c", 1) != hash_mix(hash_mix(1, "a", 1), "bc", 2));
}

int main(void)
{
    RUN(test_short_and_interrupted_writes_are_invisible);
    RUN(test_a_full_disk_is_out_of_disk);
    RUN(test_reading_is_bounded_and_names_what_is_wrong);
    RUN(test_folders_are_made_with_their_parents);
    RUN(test_an_error_keeps_its_code_and_gains_a_prefix);
    RUN(test_an_arena_gives_zeroed_aligned_memory_until_reset);
    RUN(test_hashes_see_every_piece);
    return check_done();
}
