/* image_file.c - recognition and conversion of colours; see image_file.h */
#include "persistence/files/image_file.h"

#include "base/io.h"
#include "base/str.h"
#include "persistence/files/image_internal.h"

#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    enum image_color color;
} colors[] = {{"grayscale", IMAGE_GRAYSCALE}, {"rgb", IMAGE_RGB}, {"rgba", IMAGE_RGBA}};

bool image_color_parse(const char *name, enum image_color *color)
{
    for (size_t i = 0; i < sizeof colors / sizeof *colors; i++)
        if (!strcmp(name, colors[i].name)) {
            *color = colors[i].color;
            return true;
        }
    return false;
}

void image_release(struct image *image)
{
    free(image->pixels);
    *image = (struct image){0};
}

bool image_allocate(struct image *image, uint64_t width, uint64_t height, int channels, const char *name,
                    struct err *err)
{
    if (!width || !height || width > IMAGE_MAX_SIDE || height > IMAGE_MAX_SIDE || width * height > IMAGE_MAX_PIXELS)
        return err_set(err, ERR_FORMAT, "'%s' is %llu x %llu pixels, expected at most %d a side and %d in all", name,
                       (unsigned long long)width, (unsigned long long)height, IMAGE_MAX_SIDE, IMAGE_MAX_PIXELS);
    uint8_t *pixels = io_allocate((size_t)(width * height) * (size_t)channels, name, err);
    if (!pixels)
        return false;
    *image = (struct image){.height = (int)height, .width = (int)width, .channels = channels, .pixels = pixels};
    return true;
}

static void convert_pixel(const uint8_t *in, int from, uint8_t *out, int to)
{
    uint8_t r = in[0], g = from >= 3 ? in[1] : in[0], b = from >= 3 ? in[2] : in[0];
    if (to == 1) {
        out[0] = from == 1 ? r : (uint8_t)((r * 19595u + g * 38470u + b * 7471u + 0x8000u) >> 16);
        return;
    }
    out[0] = r;
    out[1] = g;
    out[2] = b;
    if (to == 4)
        out[3] = from == 4 ? in[3] : 255;
}

static bool convert(struct image *image, int to, const char *name, struct err *err)
{
    struct image out;
    if (image->channels == to)
        return true;
    if (!image_allocate(&out, (uint64_t)image->width, (uint64_t)image->height, to, name, err))
        return false;
    size_t n = (size_t)image->width * (size_t)image->height;
    for (size_t i = 0; i < n; i++)
        convert_pixel(image->pixels + i * (size_t)image->channels, image->channels, out.pixels + i * (size_t)to, to);
    image_release(image);
    *image = out;
    return true;
}

bool image_decode(const void *data, size_t size_bytes, const char *name, enum image_color color, struct image *image,
                  struct err *err)
{
    bool ok = false;
    *image = (struct image){0};
    if (size_bytes >= 8 && !memcmp(data, "\x89PNG\r\n\x1a\n", 8))
        ok = image_decode_png(data, size_bytes, name, image, err);
    else if (size_bytes >= 3 && !memcmp(data, "\xFF\xD8\xFF", 3))
        ok = image_decode_jpeg(data, size_bytes, name, image, err);
    else
        err_set(err, ERR_FORMAT, "'%s' is neither a PNG nor a JPEG picture", name);
    if (!ok || !convert(image, (int)color, name, err)) {
        image_release(image);
        return false;
    }
    return true;
}

bool image_read(const char *path, enum image_color color, struct image *image, struct err *err)
{
    char *data;
    size_t size_bytes;
    *image = (struct image){0};
    if (!io_read_file(path, IMAGE_MAX_BYTES, &data, &size_bytes, err))
        return false;
    bool ok = image_decode(data, size_bytes, path, color, image, err);
    free(data);
    return ok;
}
