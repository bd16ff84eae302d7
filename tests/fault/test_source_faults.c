/* Every I/O call of an import fails once, and from then on: the run is there whole, or nothing of it is. */
#include "tests/check.h"
#include "tests/fault/io_fault.h"

#include "base/arena.h"
#include "persistence/sources/source.h"

#include <dirent.h>
#include <sys/stat.h>

enum { MODEL_BYTES = 600 << 10 };

static const char *write_model(void)
{
    const char *path = check_path("net.keras");
    char *bytes = xcalloc(1, MODEL_BYTES);
    memcpy(bytes, "PK\3\4", 4);
    FILE *file = fopen(path, "wb");
    CHECK_EQ(fwrite(bytes, 1, MODEL_BYTES, file), MODEL_BYTES);
    fclose(file);
    free(bytes);
    return path;
}

/* Entries of a folder; *first: its first. -1 when it does not exist. */
static int count_entries(const char *folder, char *first, size_t size)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;
    int n = dir ? 0 : -1;
    while (dir && (entry = readdir(dir)))
        if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..") && ++n == 1)
            snprintf(first, size, "%s", entry->d_name);
    if (dir)
        closedir(dir);
    return n;
}

static void check_whole(const char *home, const char *id)
{
    char *path = xprintf("%s/%s/checkpoints/net.keras", home, id);
    struct stat st;
    CHECK(!stat(path, &st) && st.st_size == MODEL_BYTES);
    free(path);
}

static void test_an_import_that_fails_leaves_nothing(void)
{
    struct source_file file = {.path = write_model(), .findings = json_object()};
    struct err err = {0};
    int round = 0;
    CHECK_OK(source_model_begin(&file, &err), err);
    static const enum fault_mode modes[] = {FAULT_ONCE, FAULT_FOREVER};
    for (size_t m = 0; m < sizeof modes / sizeof *modes; m++)
        for (int64_t n = 1;; n++) {
            char *home = xprintf("%s/home-%d", check_tmp(), round++), name[256] = "", *id = NULL;
            struct str remarks = {0};
            io_fault_arm(n, ENOSPC, modes[m], FAULT_ALL);
            bool ok = source_import(home, &file, 1, NULL, &id, &remarks, &err);
            bool hit = io_fault_disarm();
            int entries = count_entries(home, name, sizeof name);
            CHECK(ok ? entries == 1 && !strcmp(name, id) : entries <= 0);
            CHECK(ok || *err.text);
            if (ok)
                check_whole(home, id);
            free(id);
            free(home);
            if (!hit)
                break;
        }
    json_decref((json_t *)file.findings);
}

static void test_a_file_that_changed_since_it_was_looked_at_is_refused(void)
{
    struct source_file file = {.path = write_model(), .findings = json_object()};
    struct err err = {0};
    struct str remarks = {0};
    char *id;
    CHECK_OK(source_model_begin(&file, &err), err);
    FILE *more = fopen(file.path, "ab");
    fputs("more", more);
    fclose(more);
    CHECK(!source_import(check_path("home"), &file, 1, NULL, &id, &remarks, &err));
    CHECK_HAS(err.text, "is being written at this moment");
    CHECK_EQ(count_entries(check_path("home"), (char[256]){0}, 256), 0);
    json_decref((json_t *)file.findings);
}

int main(void)
{
    RUN(test_an_import_that_fails_leaves_nothing);
    RUN(test_a_file_that_changed_since_it_was_looked_at_is_refused);
    return check_done();
}
