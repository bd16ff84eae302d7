/* An atomic file is the old one or the new one, whatever call fails. */
#include "persistence/files/atomic_file.h"

#include "base/arena.h"
#include "base/str.h"
#include "tests/check.h"
#include "tests/fault/io_fault.h"

#include <sys/stat.h>

static char *contents(const char *path)
{
    static char *data;
    struct err err;
    size_t n;
    free(data);
    data = NULL;
    return io_read_file(path, 1 << 26, &data, &n, &err) ? data : NULL;
}

static bool save_in_pieces(const char *path, struct err *err)
{
    static char big[3 << 20];
    memset(big, 'n', sizeof big);
    struct atomic_file *file = atomic_file_open(path, err);
    bool ok = file && atomic_file_reserve(file, 4 << 20, err) && atomic_file_write(file, "????", 4, err) &&
              atomic_file_write(file, big, sizeof big, err) && atomic_file_write(file, "end", 4, err) &&
              atomic_file_patch(file, "new!", 4, 0, err) && atomic_file_commit(&file, err);
    atomic_file_abort(&file);
    return ok;
}

static void test_saving_replaces_the_file_and_leaves_nothing_else(void)
{
    struct err err;
    const char *path = check_path("a/run.json");
    CHECK_OK(io_make_folders(check_path("a"), &err), err);
    CHECK_OK(atomic_file_save(path, "old", 3, &err), err);
    CHECK_STR(contents(path), "old");
    CHECK_OK(atomic_file_save(path, "newer", 5, &err), err);
    CHECK_STR(contents(path), "newer");
    CHECK_EQ(check_entries(check_path("a")), 1);
}

static void test_blocks_and_patches_arrive_in_order(void)
{
    struct err err;
    const char *path = check_path("pieces");
    CHECK_OK(save_in_pieces(path, &err), err);
    const char *text = contents(path);
    CHECK(text && str_starts(text, "new!nnn"));
    CHECK_EQ(text ? strlen(text) : 0, 4 + (3 << 20) + 3);
}

static void test_an_aborted_file_leaves_the_old_one(void)
{
    struct err err;
    const char *path = check_path("b/x");
    CHECK_OK(io_make_folders(check_path("b"), &err), err);
    CHECK_OK(atomic_file_save(path, "old", 3, &err), err);
    struct atomic_file *file = atomic_file_open(path, &err);
    CHECK(file && atomic_file_write(file, "new", 3, &err));
    atomic_file_abort(&file);
    CHECK(!file);
    CHECK_STR(contents(path), "old");
    CHECK_EQ(check_entries(check_path("b")), 1);
}

static void test_a_planted_link_at_the_temporary_name_is_not_followed(void)
{
    struct err err;
    char name[64];
    char *path = xstrdup(check_path("c/x")), *victim = xstrdup(check_path("victim"));
    CHECK_OK(io_make_folders(check_path("c"), &err), err);
    CHECK_OK(atomic_file_save(victim, "keep", 4, &err), err);
    for (int i = 0; i < 60; i++) {
        snprintf(name, sizeof name, "c/.x.%ld-%d.tmp", (long)getpid(), i);
        CHECK(!symlink(victim, check_path(name)));
    }
    CHECK_OK(atomic_file_save(path, "new", 3, &err), err);
    CHECK_STR(contents(victim), "keep");
    CHECK_STR(contents(path), "new");
    free(path);
    free(victim);
}

/* Every call refused once, from then on, and after short transfers: the old file stays, except when the last step (the
 * folder's fsync) is refused, which says so. */
static void sweep(int error, enum fault_mode mode)
{
    struct err err = {0};
    char *path = xstrdup(check_path("d/x")); /* check_path's buffers rotate */
    CHECK_OK(io_make_folders(check_path("d"), &err), err);
    int64_t n = 1;
    for (;; n++) {
        CHECK_OK(atomic_file_save(path, "old", 3, &err), err);
        io_fault_arm(n, error, mode, FAULT_ALL);
        bool ok = save_in_pieces(path, &err);
        if (!io_fault_disarm())
            break;
        const char *text = contents(path);
        bool visible = text && str_starts(text, "new!");
        CHECK(visible || (text && !strcmp(text, "old")));
        CHECK(!ok || visible); /* a refused close of the folder is not worth a failure */
        CHECK(ok || !visible || strstr(err.text, "unknown"));
        CHECK(ok || strstr(err.text, "d/"));
        CHECK_EQ(check_entries(check_path("d")), 1);
    }
    CHECK(n > 8);
    free(path);
}

static void test_any_refused_call_leaves_the_old_file_and_no_temporary(void)
{
    sweep(ENOSPC, FAULT_ONCE);
    sweep(EIO, FAULT_FOREVER);
    sweep(EIO, FAULT_SHORT);
    sweep(EACCES, FAULT_ONCE);
}

static void test_interrupted_calls_are_repeated(void)
{
    struct err err;
    const char *path = check_path("interrupted");
    for (int64_t n = 1; n < 4; n++) {
        io_fault_arm(n, EINTR, FAULT_ONCE, FAULT_WRITE | FAULT_OPEN);
        CHECK_OK(save_in_pieces(path, &err), err);
        CHECK(io_fault_disarm());
    }
}

static void test_a_full_disk_is_reported_as_such(void)
{
    struct err err;
    io_fault_arm(1, ENOSPC, FAULT_ONCE, FAULT_TRUNCATE);
    CHECK(!save_in_pieces(check_path("full"), &err));
    io_fault_disarm();
    CHECK_EQ(err.code, ERR_NOMEM);
}

static char order[16]; /* of the calls that make a file durable: f its bytes, r its name, d the folder */

static void note_call(char call)
{
    order[strlen(order)] = call;
}

static int noting_fsync(int fd)
{
    struct stat st;
    note_call(!fstat(fd, &st) && S_ISDIR(st.st_mode) ? 'd' : 'f');
    return io_system.fsync(fd);
}

static int noting_rename(const char *from, const char *to)
{
    note_call('r');
    return io_system.rename(from, to);
}

static void test_bytes_are_on_the_disk_before_the_name_and_the_name_before_the_end(void)
{
    struct err err;
    struct io_table noting = io_system;
    noting.fsync = noting_fsync;
    noting.rename = noting_rename;
    io = &noting;
    CHECK_OK(save_in_pieces(check_path("durable"), &err), err);
    CHECK_STR(order, "frd");
    memset(order, 0, sizeof order);
    CHECK_OK(atomic_file_save_for_now(check_path("hint"), "x", 1, &err), err);
    CHECK_STR(order, "r");
    io = &io_system;
}

int main(void)
{
    RUN(test_bytes_are_on_the_disk_before_the_name_and_the_name_before_the_end);
    RUN(test_saving_replaces_the_file_and_leaves_nothing_else);
    RUN(test_blocks_and_patches_arrive_in_order);
    RUN(test_an_aborted_file_leaves_the_old_one);
    RUN(test_a_planted_link_at_the_temporary_name_is_not_followed);
    RUN(test_any_refused_call_leaves_the_old_file_and_no_temporary);
    RUN(test_interrupted_calls_are_repeated);
    RUN(test_a_full_disk_is_reported_as_such);
    return check_done();
}
