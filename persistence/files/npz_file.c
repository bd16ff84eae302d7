/* npz_file.c - .npz archives, see npy_file.h. NumPy's zip files hold any member names, so they pass by zip_archive's
 * rules for models. */
#include "base/arena.h"
#include "base/io.h"
#include "persistence/files/byte_stream.h"
#include "persistence/files/npy_file.h"
#include "persistence/files/npy_header.h"

#include <stdlib.h>
#include <string.h>
#include <zip.h>

enum { MEMBERS_MAX = 10000, DEFLATE_RATIO_MAX = 1032 };

struct npz {
    char *path;
    zip_t *zip;
    const char **names; /* in arena */
    int n_names;
    struct arena arena;
};

struct npz *npz_open(const char *path, struct err *err)
{
    int code;
    struct byte_stream *probe = byte_stream_open(path, err);
    if (!probe)
        return NULL;
    byte_stream_close(probe);
    zip_t *zip = zip_open(path, ZIP_RDONLY | ZIP_CHECKCONS, &code);
    if (!zip) {
        zip_error_t why;
        zip_error_init_with_code(&why, code);
        err_set(err, ERR_FORMAT, "'%s' is not a readable .npz archive: %s", path, zip_error_strerror(&why));
        zip_error_fini(&why);
        return NULL;
    }
    struct npz *a = xcalloc(1, sizeof *a);
    a->path = xstrdup(path);
    a->zip = zip;
    zip_int64_t n = zip_get_num_entries(zip, 0);
    if (n > MEMBERS_MAX) {
        npz_close(a);
        return err_null(err, ERR_FORMAT, "'%s' has %lld members, expected at most %d", path, (long long)n, MEMBERS_MAX);
    }
    a->names = arena_array(&a->arena, (size_t)n + 1, sizeof *a->names);
    for (zip_int64_t i = 0; i < n; i++) {
        const char *name = zip_get_name(zip, (zip_uint64_t)i, 0);
        if (name && str_ends(name, ".npy"))
            a->names[a->n_names++] = arena_strndup(&a->arena, name, strlen(name) - 4);
    }
    return a;
}

void npz_close(struct npz *archive)
{
    if (!archive)
        return;
    zip_discard(archive->zip);
    arena_release(&archive->arena);
    free(archive->path);
    free(archive);
}

const char *const *npz_names(const struct npz *archive, int *n)
{
    *n = archive->n_names;
    return archive->names;
}

static bool no_such_array(const struct npz *archive, const char *name, struct err *err)
{
    struct str text = {0};
    for (int i = 0; i < archive->n_names && i < 20; i++)
        str_addf(&text, i ? ", %s" : "%s", archive->names[i]);
    const char *nearest = str_nearest(name, archive->names, (size_t)archive->n_names);
    err_set(err, ERR_USAGE, "'%s' has no array '%s', it has: %s", archive->path, name, str_text(&text));
    str_release(&text);
    return err_nearest(err, nearest);
}

static bool read_member(zip_file_t *file, unsigned char *bytes, size_t size_bytes, const char *what, struct err *err)
{
    size_t done = 0;
    char beyond;
    while (done < size_bytes) {
        zip_int64_t n = zip_fread(file, bytes + done, size_bytes - done);
        if (n < 0)
            return err_set(err, ERR_FORMAT, "%s is damaged: %s", what, zip_file_strerror(file));
        if (!n)
            return err_set(err, ERR_FORMAT, "%s ends too early: %zu of %zu bytes are missing", what, size_bytes - done,
                           size_bytes);
        done += (size_t)n;
    }
    zip_int64_t n = zip_fread(file, &beyond, 1);
    if (n)
        return err_set(err, ERR_FORMAT, "%s is damaged: %s", what,
                       n < 0 ? zip_file_strerror(file) : "it is longer than declared");
    return true;
}

bool npz_read(struct npz *archive, const char *name, struct npy *a, struct err *err)
{
    *a = (struct npy){0};
    zip_stat_t st;
    char *member = xprintf("%s.npy", name), *what = xprintf("'%s' array '%s'", archive->path, name);
    unsigned char *bytes = NULL;
    zip_file_t *file = NULL;
    bool ok = false;
    zip_int64_t index = zip_name_locate(archive->zip, member, 0);
    if (index < 0) {
        no_such_array(archive, name, err);
        goto done;
    }
    const zip_uint64_t wanted = ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE;
    if (zip_stat_index(archive->zip, (zip_uint64_t)index, 0, &st) || (st.valid & wanted) != wanted ||
        st.size / DEFLATE_RATIO_MAX > st.comp_size) {
        err_set(err, ERR_FORMAT, "%s declares a size that its stored bytes cannot give", what);
        goto done;
    }
    bytes = io_allocate((size_t)st.size, what, err);
    file = bytes ? zip_fopen_index(archive->zip, (zip_uint64_t)index, 0) : NULL;
    if (bytes && !file)
        err_set(err, ERR_FORMAT, "%s cannot be read: %s", what, zip_strerror(archive->zip));
    if (!file || !read_member(file, bytes, (size_t)st.size, what, err))
        goto done;
    ok = npy_take(bytes, (size_t)st.size, what, a, err);
    bytes = NULL;
done:
    if (file)
        zip_fclose(file);
    free(bytes);
    free(what);
    free(member);
    return ok;
}

/* Adds one array; the archive takes a copy, because libzip reads its sources only when it is closed. */
static bool add_member(zip_t *zip, const char *name, const struct npy *a, struct err *err)
{
    struct str header = {0};
    npy_header_write(&header, a);
    size_t data_bytes = (size_t)a->n_elements * npy_type_size(a->type);
    char *bytes = io_allocate(header.length + data_bytes, "the output", err), *member = xprintf("%s.npy", name);
    bool ok = bytes != NULL;
    if (ok) {
        memcpy(bytes, header.data, header.length);
        memcpy(bytes + header.length, a->data ? a->data : "", data_bytes);
        zip_source_t *source = zip_source_buffer(zip, bytes, header.length + data_bytes, 1);
        zip_int64_t index = source ? zip_file_add(zip, member, source, ZIP_FL_ENC_UTF_8) : -1;
        if (index < 0 && source)
            zip_source_free(source);
        else if (!source)
            free(bytes);
        ok = index >= 0 && !zip_set_file_compression(zip, (zip_uint64_t)index, ZIP_CM_STORE, 0);
        if (!ok)
            err_set(err, ERR_FAILED, "cannot add '%s': %s", name, zip_strerror(zip));
    }
    free(member);
    str_release(&header);
    return ok;
}

bool npz_write(const char *path, const char *const *names, const struct npy *arrays, int n, struct err *err)
{
    int code;
    zip_t *zip = zip_open(path, ZIP_CREATE | ZIP_TRUNCATE, &code);
    if (!zip)
        return err_set(err, ERR_FAILED, "cannot write '%s'", path);
    bool ok = true;
    for (int i = 0; ok && i < n; i++)
        ok = add_member(zip, names[i], &arrays[i], err);
    if (ok && zip_close(zip) < 0)
        ok = err_set(err, ERR_FAILED, "cannot write '%s': %s", path, zip_strerror(zip));
    else if (ok)
        return true;
    zip_discard(zip);
    return ok;
}
