/* image_internal.h - the decoders behind image_file.h: each fills *image with 1, 3 or 4 channels as stored;
 * image_file.c converts. */
#ifndef PERSISTENCE_FILES_IMAGE_INTERNAL_H
#define PERSISTENCE_FILES_IMAGE_INTERNAL_H

#include "persistence/files/image_file.h"

/* Checks the sides against the limits and allocates the pixels. */
bool image_allocate(struct image *image, uint64_t width, uint64_t height, int channels, const char *name,
                    struct err *err) MUST_USE;
bool image_decode_png(const void *data, size_t size_bytes, const char *name, struct image *image,
                      struct err *err) MUST_USE;
bool image_decode_jpeg(const void *data, size_t size_bytes, const char *name, struct image *image,
                       struct err *err) MUST_USE;

#endif
