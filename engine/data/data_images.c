/* data_images.c - format images: a folder of class folders. */
#include "base/hash.h"
#include "base/io.h"
#include "base/size.h"
#include "engine/data/table.h"
#include "persistence/files/byte_stream.h"
#include "persistence/files/image_file.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { PICTURES_MAX = 100000000 };

struct picture {
    const char *path; /* "class/name" */
    uint64_t order;
    int class;
};

struct listing {
    struct table *table;
    const char *folder;
    const char **classes;
    size_t n_classes, classes_capacity;
    struct picture *pictures;
    size_t n, capacity;
};

static int by_order(const void *a, const void *b)
{
    const struct picture *p = a, *q = b;
    return p->order != q->order ? (p->order > q->order) - (p->order < q->order) : strcmp(p->path, q->path);
}

/* Calls found for every name in the folder that does not start with a dot. */
static bool each_name(struct listing *l, const char *path,
                      void (*found)(struct listing *l, const char *name, int class), int class, struct err *err)
{
    DIR *dir = opendir(path);
    if (!dir)
        return err_errno(err, ERR_USAGE, errno, "cannot read the folder '%s'", path);
    for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir))
        if (entry->d_name[0] != '.')
            found(l, entry->d_name, class);
    closedir(dir);
    return true;
}

static void found_class(struct listing *l, const char *name, int class)
{
    (void)class;
    char *path = path_join(l->folder, name);
    if (path_is_folder(path)) {
        l->classes = xgrow(l->classes, &l->classes_capacity, l->n_classes + 1, sizeof *l->classes);
        l->classes[l->n_classes++] = arena_strdup(&l->table->arena, name);
    }
    free(path);
}

static void found_picture(struct listing *l, const char *name, int class)
{
    const char *path = arena_printf(&l->table->arena, "%s/%s", l->classes[class], name);
    l->pictures = xgrow(l->pictures, &l->capacity, l->n + 1, sizeof *l->pictures);
    l->pictures[l->n++] = (struct picture){path, hash_mix(0, path, strlen(path)), class};
}

/* The classes of the training part stay the classes, also where this folder lacks some of them. */
static bool use_known_classes(struct listing *l, const json_t *known, struct err *err)
{
    size_t n = json_array_size(known), n_found = l->n_classes;
    const char **found = l->classes, **names = n ? xcalloc(n, sizeof *names) : NULL;
    for (size_t k = 0; k < n; k++)
        names[k] = arena_strdup(&l->table->arena, json_string_value(json_array_get(known, k)));
    bool ok = true;
    for (size_t i = 0; ok && n && i < n_found; i++)
        if (!bsearch(&found[i], names, n, sizeof *names, str_order))
            ok = err_set(err, ERR_FORMAT, "'%s' has the class '%s', which the training part does not have", l->folder,
                         found[i]);
    if (!n)
        return true;
    free(found);
    l->classes = names;
    l->n_classes = l->classes_capacity = n;
    return ok;
}

static bool list_pictures(struct listing *l, const json_t *known, struct err *err)
{
    if (!each_name(l, l->folder, found_class, 0, err))
        return false;
    if (!l->n_classes)
        return err_set(err, ERR_USAGE, "'%s' has no folders in it, expected one folder of pictures for each class",
                       l->folder);
    qsort(l->classes, l->n_classes, sizeof *l->classes, str_order);
    if (!use_known_classes(l, known, err))
        return false;
    for (size_t k = 0; k < l->n_classes; k++) {
        char *path = path_join(l->folder, l->classes[k]);
        bool ok = (json_array_size(known) && !path_exists(path)) || each_name(l, path, found_picture, (int)k, err);
        free(path);
        if (!ok)
            return false;
    }
    if (!l->n || l->n > PICTURES_MAX)
        return err_set(err, ERR_USAGE, "'%s' has %zu pictures in its %zu folders, expected 1 to %d", l->folder, l->n,
                       l->n_classes, PICTURES_MAX);
    qsort(l->pictures, l->n, sizeof *l->pictures, by_order);
    return true;
}

struct size {
    int h, w; /* 0 = that of the first picture */
};

static bool put_picture(struct samples *s, const struct image *image, size_t i, struct size size, const char *path,
                        struct err *err)
{
    size_t bytes = (size_t)s->stride;
    uint8_t *out = (uint8_t *)s->array.owned + i * bytes;
    if (image->height == (int)s->shape.dim[0] && image->width == (int)s->shape.dim[1]) {
        memcpy(out, image->pixels, bytes);
        return true;
    }
    if (!size.h)
        return err_set(
            err, ERR_FORMAT,
            "'%s' has %d x %d pixels, the first picture has %lld x %lld; \"size\": [height, width] makes them equal",
            path, image->height, image->width, (long long)s->shape.dim[0], (long long)s->shape.dim[1]);
    resize_bilinear(image->pixels, image->height, image->width, image->channels, out, size.h, size.w);
    return true;
}

static bool read_pictures(struct listing *l, enum image_color color, struct size size, struct err *err)
{
    struct table *t = l->table;
    uint8_t *labels = NULL;
    bool ok = true;
    for (size_t i = 0; ok && i < l->n; i++) {
        struct image image = {0};
        char *path = path_join(l->folder, l->pictures[i].path);
        ok = image_read(path, color, &image, err);
        if (ok && !i) {
            struct shape shape = SHAPE(size.h ? size.h : image.height, size.h ? size.w : image.width, (int)color);
            ok = samples_allocate(&t->inputs[0], NPY_U8, (int64_t)l->n, shape,
                                  arena_printf(&t->arena, "'%s'", l->folder), err);
            t->n_inputs = ok;
        }
        ok = ok && put_picture(&t->inputs[0], &image, i, size, path, err);
        image_release(&image);
        free(path);
    }
    bool wide = l->n_classes > 256;
    ok = ok && samples_allocate(&t->targets[0], wide ? NPY_I32 : NPY_U8, (int64_t)l->n, (struct shape){0},
                                t->inputs[0].source, err);
    t->n_targets = ok;
    labels = ok ? t->targets[0].array.owned : NULL;
    for (size_t i = 0; ok && i < l->n; i++) {
        if (wide)
            ((int32_t *)(void *)labels)[i] = l->pictures[i].class;
        else
            labels[i] = (uint8_t)l->pictures[i].class;
    }
    return ok;
}

static bool read_size(const json_t *data, struct size *size, struct err *err)
{
    const json_t *list = json_object_get(data, "size");
    *size = (struct size){0, 0};
    if (!list)
        return true;
    int64_t h = json_integer_value(json_array_get(list, 0)), w = json_integer_value(json_array_get(list, 1));
    if (json_array_size(list) != 2 || h < 1 || w < 1 || h > IMAGE_MAX_SIDE || w > IMAGE_MAX_SIDE)
        return err_set(err, ERR_USAGE, "data.size: expected [height, width], each 1 to %d", IMAGE_MAX_SIDE);
    *size = (struct size){(int)h, (int)w};
    return true;
}

bool load_images(struct table *t, const struct source *from, struct err *err)
{
    struct listing l = {.table = t, .folder = source_path(t, from, "path")};
    enum image_color color = IMAGE_RGB;
    struct size size;
    image_color_parse(js_string(from->data, "color_mode", "rgb"), &color);
    t->inputs = table_reserve(t, 1);
    t->targets = table_reserve(t, 1);
    bool ok = read_size(from->data, &size, err) &&
              list_pictures(&l, json_object_get(from->state, "class_names"), err) &&
              read_pictures(&l, color, size, err);
    t->n_samples = (int64_t)l.n;
    t->n_class_names = (int64_t)l.n_classes;
    t->class_names = arena_array(&t->arena, l.n_classes + 1, sizeof *t->class_names);
    for (size_t k = 0; k < l.n_classes; k++)
        t->class_names[k] = l.classes[k];
    free(l.classes);
    free(l.pictures);
    return ok || err_prefix(err, "data.path");
}
