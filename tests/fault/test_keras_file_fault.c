/* Saving over a good checkpoint while every call in turn is refused: the good one stays, no temporary file is left, the
 * error names the file. */
#include "tests/fault/io_fault.h"
#include "tests/unit/sample_model.h"

#include "persistence/keras/keras_open.h"

/* The epoch that a whole, readable file holds; -1 when it is not whole. */
static int64_t epoch_of(const char *path)
{
    struct err err;
    struct keras_file *file = keras_file_open_unprotected(path, &err);
    int64_t epoch = file && sample_matches(file, &err)
                        ? js_int(json_object_get(keras_file_metadata(file), "antler"), "epoch", -1)
                        : -1;
    keras_file_close(file);
    return epoch;
}

static void sweep(const char *name, int error, enum fault_mode mode)
{
    char *folder = xstrdup(check_path("faults")), *path = path_join(folder, name);
    bool archive = str_ends(name, ".keras");
    struct err err;
    int64_t n = 1;
    CHECK_OK(io_make_folders(folder, &err), err);
    for (;; n++) {
        CHECK_OK(sample_save_as(path, 1, &err), err);
        io_fault_arm(n, error, mode, FAULT_ALL);
        bool ok = sample_save_as(path, 2, &err);
        if (!io_fault_disarm())
            break;
        int64_t epoch = archive ? epoch_of(path) : 1;
        CHECK(epoch == 1 || epoch == 2);
        CHECK(!ok || !archive || epoch == 2);
        CHECK(ok || strstr(err.text, "faults"));
        CHECK(ok || epoch == 1 || strstr(err.text, "unknown"));
        CHECK_EQ(check_entries(folder), 1);
    }
    CHECK(n > 5);
    CHECK_EQ(remove(path), 0);
    free(path);
    free(folder);
}

static void test_a_refused_call_never_costs_the_old_checkpoint(void)
{
    static const int errors[] = {ENOSPC, EIO, EDQUOT, EROFS, EACCES};
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        sweep("m.keras", errors[i], FAULT_ONCE);
        sweep("m.keras", errors[i], FAULT_FOREVER);
    }
    sweep("m.keras", EIO, FAULT_SHORT);
    sweep("m.weights.h5", ENOSPC, FAULT_ONCE);
}

static void test_a_read_that_fails_is_an_error_not_other_values(void)
{
    struct err err;
    char *path = xstrdup(check_path("r.keras"));
    CHECK_OK(sample_save_as(path, 1, &err), err);
    for (int64_t n = 1;; n++) {
        err = (struct err){0};
        io_fault_arm(n, EIO, FAULT_ONCE, FAULT_READ | FAULT_OPEN | FAULT_ALLOCATE);
        struct keras_file *file = keras_file_open_unprotected(path, &err);
        bool same = file && sample_matches(file, &err);
        bool hit = io_fault_disarm();
        CHECK(same || err.code != ERR_NONE);
        keras_file_close(file);
        if (!hit)
            break;
    }
    free(path);
}

static void test_errors_of_space_are_told_apart(void)
{
    struct err err = {0};
    io_fault_arm(1, ENOSPC, FAULT_ONCE, FAULT_WRITE);
    CHECK(!sample_save_as(check_path("full.keras"), 1, &err));
    io_fault_disarm();
    CHECK_EQ(err.code, ERR_NOMEM);
    CHECK(!path_exists(check_path("full.keras")));
}

int main(void)
{
    RUN(test_a_refused_call_never_costs_the_old_checkpoint);
    RUN(test_a_read_that_fails_is_an_error_not_other_values);
    RUN(test_errors_of_space_are_told_apart);
    return check_done();
}
