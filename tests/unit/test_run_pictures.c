/* Pictures of a run: any tag and step comes back from the name of its file; what is none of ours is passed over. */
#include "tests/check.h"

#include "persistence/runs/run_pictures.h"

#include "base/io.h"

static struct arena arena;
static const struct picture_tag *tags;
static size_t n_tags;

static char *folder_of(const char *name)
{
    struct err err = {0};
    char *folder = xprintf("%s/%s", check_tmp(), name), *pictures = run_pictures_folder(folder);
    CHECK_OK(io_make_folders(pictures, &err), err);
    free(pictures);
    return folder;
}

static void put(const char *folder, const char *name)
{
    char *path = xprintf("%s/pictures/%s", folder, name);
    FILE *file = fopen(path, "w");
    CHECK(file && fputs("picture", file) >= 0 && !fclose(file));
    free(path);
}

static void list(const char *folder)
{
    struct err err = {0};
    arena_release(&arena);
    CHECK_OK(run_pictures_list(folder, &arena, &tags, &n_tags, &err), err);
}

static void test_every_tag_comes_back_from_its_name(void)
{
    static const char *const names[] = {"loss", "a/b/c",           "..",     "/etc/passwd", "a@7.png",  "100%",
                                        "%2F",  "tag with blanks", "日本語", "new\nline",   "\xff\xfe", "."};
    enum { N = sizeof names / sizeof *names };
    char *folder = folder_of("names");
    for (int i = 0; i < N; i++) {
        char *name = run_picture_name(names[i], 10 + i, ".png");
        CHECK(!strchr(name, '/') && name[0] != '.');
        put(folder, name);
        free(name);
    }
    list(folder);
    CHECK_EQ(n_tags, N);
    for (int i = 0; i < N; i++) {
        bool found = false;
        for (size_t t = 0; t < n_tags; t++)
            found = found || (!strcmp(tags[t].tag, names[i]) && tags[t].n == 1 && tags[t].pictures[0].step == 10 + i);
        if (!found)
            CHECK_FAIL("the tag '%s' did not come back", names[i]);
    }
    free(folder);
}

static void test_long_tags_with_the_same_beginning_stay_apart(void)
{
    char a[1000], b[1000];
    memset(a, '/', sizeof a - 1);
    a[sizeof a - 1] = 0;
    memcpy(b, a, sizeof b);
    b[sizeof b - 2] = 'x';
    char *name_a = run_picture_name(a, -3, ".jpg"), *name_b = run_picture_name(b, -3, ".jpg");
    CHECK(strlen(name_a) < 255 && strcmp(name_a, name_b) != 0);
    char *folder = folder_of("long");
    put(folder, name_a);
    put(folder, name_b);
    list(folder);
    CHECK_EQ(n_tags, 2);
    CHECK_EQ(tags[0].pictures[0].step, -3);
    free(folder);
    free(name_a);
    free(name_b);
}

static void test_steps_stand_in_order_and_strangers_are_passed_over(void)
{
    static const char *const files[] = {"t@10.png", "t@9.png",  "t@x.png", "t@.png",
                                        "t@4.gif",  ".t@4.png", "t.png",   "u@1.jpg"};
    char *folder = folder_of("steps"), *link = xprintf("%s/pictures/l@1.png", folder);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        put(folder, files[i]);
    CHECK(!symlink("/etc/passwd", link));
    list(folder);
    CHECK_EQ(n_tags, 2);
    CHECK_EQ(tags[0].n, 2);
    CHECK_EQ(tags[0].pictures[0].step, 9);
    CHECK_EQ(tags[0].pictures[1].step, 10);
    CHECK_EQ(tags[0].pictures[1].size_bytes, 7);
    CHECK(run_pictures_stamp(folder) != 0);
    run_pictures_clear(folder);
    list(folder);
    CHECK_EQ(n_tags, 0);
    free(link);
    free(folder);
}

static void test_a_run_without_pictures_has_none(void)
{
    list(check_tmp());
    CHECK_EQ(n_tags, 0);
    CHECK_EQ(run_pictures_stamp(check_tmp()), 0);
}

int main(void)
{
    RUN(test_a_run_without_pictures_has_none);
    RUN(test_every_tag_comes_back_from_its_name);
    RUN(test_long_tags_with_the_same_beginning_stay_apart);
    RUN(test_steps_stand_in_order_and_strangers_are_passed_over);
    arena_release(&arena);
    return check_done();
}
