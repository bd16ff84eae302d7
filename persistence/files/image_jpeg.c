/* image_jpeg.c - JPEG through libjpeg-turbo; see image_internal.h */
#include "base/str.h"
#include "persistence/files/image_internal.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <jpeglib.h>

#include <jerror.h>

enum { MAX_SCANS = 200 }; /* a progressive file of thousands of scans decodes for hours */

struct failure { /* base first: libjpeg hands us a pointer to it */
    struct jpeg_error_mgr base;
    jmp_buf jump;
    char text[JMSG_LENGTH_MAX];
};

static void fail(j_common_ptr info)
{
    struct failure *failure = (struct failure *)info->err;
    info->err->format_message(info, failure->text);
    longjmp(failure->jump, 1);
}

/* A warning means that pixels are missing or wrong: the picture is damaged. Two are harmless and common in collected
 * data sets. */
static void warn(j_common_ptr info, int level)
{
    int code = info->err->msg_code;
    if (level < 0 && code != JWRN_EXTRANEOUS_DATA && code != JWRN_ADOBE_XFORM)
        fail(info);
}

static void watch_scans(j_common_ptr info)
{
    if (((j_decompress_ptr)info)->input_scan_number > MAX_SCANS) {
        struct failure *failure = (struct failure *)info->err;
        snprintf(failure->text, sizeof failure->text, "more than %d scans", MAX_SCANS);
        longjmp(failure->jump, 1);
    }
}

bool image_decode_jpeg(const void *data, size_t size_bytes, const char *name, struct image *image, struct err *err)
{
    struct jpeg_decompress_struct info;
    struct jpeg_progress_mgr progress = {.progress_monitor = watch_scans};
    struct failure failure;
    info.err = jpeg_std_error(&failure.base);
    failure.base.error_exit = fail;
    failure.base.emit_message = warn;
    if (setjmp(failure.jump)) {
        jpeg_destroy_decompress(&info);
        return err_set(err, ERR_FORMAT, "'%s' is a damaged JPEG picture: %s", name, failure.text);
    }
    jpeg_create_decompress(&info);
    info.progress = &progress;
    jpeg_mem_src(&info, data, (unsigned long)size_bytes);
    jpeg_read_header(&info, TRUE);
    info.out_color_space = info.jpeg_color_space == JCS_GRAYSCALE ? JCS_GRAYSCALE : JCS_RGB;
    int channels = info.out_color_space == JCS_GRAYSCALE ? 1 : 3;
    if (!image_allocate(image, info.image_width, info.image_height, channels, name, err)) {
        jpeg_destroy_decompress(&info);
        return false;
    }
    jpeg_start_decompress(&info);
    while (info.output_scanline < info.output_height) {
        JSAMPROW row = image->pixels + (size_t)info.output_scanline * (size_t)image->width * (size_t)channels;
        jpeg_read_scanlines(&info, &row, 1);
    }
    jpeg_finish_decompress(&info);
    jpeg_destroy_decompress(&info);
    return true;
}
