/* Whatever open, read or allocation fails while data are opened: an error with words, nothing half-made, and the next
 * try works. */
#include "tests/fault/io_fault.h"
#include "tests/unit/data_files.h"

#include "persistence/files/npy_file.h"

static const char *const objects[] = {
    "{\"format\": \"csv\", \"path\": \"t.csv\"}",
    "{\"format\": \"csv\", \"path\": \"t.csv.gz\", \"test\": {\"path\": \"t.csv\"}}",
    "{\"format\": \"npy\", \"x\": \"x.npy\", \"y\": \"x.npy\", \"sample_weight\": \"x.npy\"}",
    "{\"format\": \"idx\", \"images\": \"i.gz\", \"labels\": \"i\"}",
    "{\"format\": \"text\", \"path\": \"t.csv\", \"sequence_length\": 3}",
    "{\"format\": \"synthetic\", \"name\": \"moons\"}",
};

static void write_files(void)
{
    static const char table[] = "1,2,0\n3,4,1\n5,6,0\n";
    static const unsigned char idx[] = {0, 0, 11, 1, 0, 0, 0, 2, 0, 1, 0, 2};
    float x[3] = {1, 2, 3};
    struct npy a = {.type = NPY_F32, .rank = 1, .dim = {3}, .n_elements = 3, .data = x};
    struct err err = {0};
    write_text("t.csv", table);
    write_gzip("t.csv.gz", table, strlen(table));
    write_bytes("i", idx, sizeof idx);
    write_gzip("i.gz", idx, sizeof idx);
    CHECK_OK(npy_write(check_path("x.npy"), &a, &err), err);
}

static void sweep(const char *object, int error, enum fault_mode mode)
{
    int64_t n = 1;
    for (bool hit = true; hit && n < 1000; n++) {
        struct err err = {0};
        io_fault_arm(n, error, mode, FAULT_OPEN | FAULT_READ | FAULT_ALLOCATE);
        struct dataset *ds = open_with(object, NULL, &err);
        hit = io_fault_disarm();
        if (hit && ds)
            CHECK_FAIL("opened in spite of failing call %lld: %s", (long long)n, object);
        if (!hit && !ds)
            CHECK_FAIL("not opened though nothing failed: %s: %s", object, err.text);
        CHECK(ds || strlen(err.text) > 10);
        dataset_close(ds);
    }
    CHECK(n > 2);
}

static void test_every_failing_call_is_an_error_with_words(void)
{
    write_files();
    for (size_t i = 0; i < sizeof objects / sizeof *objects; i++) {
        sweep(objects[i], EIO, FAULT_ONCE);
        sweep(objects[i], ENOMEM, FAULT_FOREVER);
    }
}

int main(void)
{
    RUN(test_every_failing_call_is_an_error_with_words);
    return check_done();
}
