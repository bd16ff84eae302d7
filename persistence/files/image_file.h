/* image_file.h - pictures as bytes: reads PNG and JPEG into rows of pixels, writes PNG.
 *
 * Recognised by content, not by suffix. Nothing of the file is believed: at most IMAGE_MAX_SIDE pixels a side and
 * IMAGE_MAX_PIXELS in all are decoded, at most IMAGE_MAX_BYTES are read. Colours are converted as Pillow does: grey =
 * (299 R + 587 G + 114 B) / 1000, alpha is dropped when it was not asked for, missing alpha is 255, 16 bits a channel
 * are scaled to 8, palettes are resolved. Damaged data is ERR_FORMAT that carries the decoder's own words.
 *
 *     struct image image = {0};
 *     if (!image_read("cat.jpg", IMAGE_RGB, &image, err))
 *         return false;
 *     ... image.pixels[(y * image.width + x) * image.channels + c] ...
 *     image_release(&image);
 */
#ifndef PERSISTENCE_FILES_IMAGE_FILE_H
#define PERSISTENCE_FILES_IMAGE_FILE_H

#include "base/err.h"

#include <stdint.h>

enum { IMAGE_MAX_SIDE = 32768, IMAGE_MAX_PIXELS = 1 << 27, IMAGE_MAX_BYTES = 1 << 28 };
enum image_color { IMAGE_GRAYSCALE = 1, IMAGE_RGB = 3, IMAGE_RGBA = 4 }; /* the value is the number of channels */

struct image {
    int height, width, channels;
    uint8_t *pixels; /* height x width x channels, rows from the top; owned */
};

/* Fills *image (which needs no initialisation); on failure it is empty. */
bool image_read(const char *path, enum image_color color, struct image *image, struct err *err) MUST_USE;
/* The same from memory; name is used in messages. */
bool image_decode(const void *data, size_t size_bytes, const char *name, enum image_color color, struct image *image,
                  struct err *err) MUST_USE;
/* "grayscale", "rgb", "rgba": Keras' names for color_mode. False when unknown. */
bool image_color_parse(const char *name, enum image_color *color);
/* Writes a PNG of 1, 3 or 4 channels, atomically. */
bool image_write_png(const char *path, const struct image *image, struct err *err) MUST_USE;
/* Frees the pixels; the image is empty afterwards. */
void image_release(struct image *image);

#endif
