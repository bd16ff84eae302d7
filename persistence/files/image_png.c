/* image_png.c - PNG through libpng; see image_internal.h */
#include "base/io.h"
#include "base/str.h"
#include "persistence/files/atomic_file.h"
#include "persistence/files/image_internal.h"

#include <png.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

struct input {
    const uint8_t *data;
    size_t size_bytes, used;
};

static void keep_message(png_structp png, png_const_charp message)
{
    char *text = png_get_error_ptr(png);
    snprintf(text, 200, "%s", message);
    png_longjmp(png, 1);
}

static void ignore_message(png_structp png, png_const_charp message)
{
    (void)png;
    (void)message;
}

static void feed(png_structp png, png_bytep out, size_t n)
{
    struct input *input = png_get_io_ptr(png);
    if (n > input->size_bytes - input->used)
        png_error(png, "the file ends too early");
    memcpy(out, input->data + input->used, n);
    input->used += n;
}

/* Everything becomes 8 bits of grey, RGB or RGBA. */
static int ask_for_plain_channels(png_structp png, png_infop info)
{
    int type = png_get_color_type(png, info);
    bool transparent = png_get_valid(png, info, PNG_INFO_tRNS) || (type & PNG_COLOR_MASK_ALPHA);
    png_set_expand(png);
    png_set_scale_16(png);
    if (transparent || (type & PNG_COLOR_MASK_COLOR))
        png_set_gray_to_rgb(png);
    return transparent ? 4 : type & PNG_COLOR_MASK_COLOR ? 3 : 1;
}

/* Between setjmp and longjmp only memory reached through pointers changes. */
static bool decode(png_structp png, png_infop info, const char *name, struct image *image, struct err *err)
{
    png_set_user_limits(png, IMAGE_MAX_SIDE, IMAGE_MAX_SIDE);
    png_set_chunk_malloc_max(png, 8 << 20);
    png_read_info(png, info);
    int channels = ask_for_plain_channels(png, info);
    int passes = png_set_interlace_handling(png);
    png_read_update_info(png, info);
    if (!image_allocate(image, png_get_image_width(png, info), png_get_image_height(png, info), channels, name, err))
        return false;
    size_t stride = (size_t)image->width * (size_t)channels;
    if (png_get_rowbytes(png, info) != stride)
        png_error(png, "unexpected row size");
    for (int pass = 0; pass < passes; pass++)
        for (int y = 0; y < image->height; y++)
            png_read_row(png, image->pixels + (size_t)y * stride, NULL);
    png_read_end(png, NULL);
    return true;
}

bool image_decode_png(const void *data, size_t size_bytes, const char *name, struct image *image, struct err *err)
{
    char text[200] = "";
    struct input input = {data, size_bytes, 0};
    png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, text, keep_message, ignore_message);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    volatile bool ok = false;
    if (!info)
        err_set(err, ERR_NOMEM, "not enough memory to decode '%s'", name);
    else if (setjmp(png_jmpbuf(png)))
        err_set(err, ERR_FORMAT, "'%s' is a damaged PNG picture: %s", name, text);
    else {
        png_set_read_fn(png, &input, feed);
        ok = decode(png, info, name, image, err);
    }
    png_destroy_read_struct(&png, &info, NULL);
    return ok;
}

static void collect(png_structp png, png_bytep data, size_t n)
{
    str_add_bytes(png_get_io_ptr(png), data, n);
}

static void collected(png_structp png)
{
    (void)png;
}

static void encode(png_structp png, png_infop info, const struct image *image, struct str *out)
{
    int type = image->channels == 1   ? PNG_COLOR_TYPE_GRAY
               : image->channels == 3 ? PNG_COLOR_TYPE_RGB
                                      : PNG_COLOR_TYPE_RGB_ALPHA;
    png_set_write_fn(png, out, collect, collected);
    png_set_IHDR(png, info, (png_uint_32)image->width, (png_uint_32)image->height, 8, type, PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(png, info);
    for (int y = 0; y < image->height; y++)
        png_write_row(png, image->pixels + (size_t)y * (size_t)image->width * (size_t)image->channels);
    png_write_end(png, info);
}

bool image_write_png(const char *path, const struct image *image, struct err *err)
{
    char text[200] = "";
    struct str out = {0};
    BUG_ON(image->channels != 1 && image->channels != 3 && image->channels != 4);
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, text, keep_message, ignore_message);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    volatile bool ok = false;
    if (!info)
        err_set(err, ERR_NOMEM, "not enough memory to write '%s'", path);
    else if (setjmp(png_jmpbuf(png)))
        err_set(err, ERR_FAILED, "cannot write '%s': %s", path, text);
    else {
        encode(png, info, image, &out);
        ok = true;
    }
    png_destroy_write_struct(&png, &info);
    ok = ok && atomic_file_save(path, out.data, out.length, err);
    str_release(&out);
    return ok;
}
