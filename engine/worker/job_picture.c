/* job_picture.c - a picture file of strangers as a few pixels to draw. It is decoded in the sandbox, a child that can
 * do nothing else; what comes back is checked again. */
#include "base/arena.h"
#include "base/io.h"
#include "engine/worker/jobs.h"
#include "persistence/files/image_file.h"
#include "persistence/keras/sandbox.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_MAX_BYTES = 64 << 20, MOST_COLUMNS = 600, MOST_ROWS = 400, CHANNELS = 3, CPU_SECONDS = 10 };

struct decoding {
    const char *path;
    int fd;
    size_t size_bytes;
    int most_rows, most_columns;
};
struct decoded { /* in front of the pixels */
    int32_t height, width, rows, columns;
};

/* On white, as on paper. */
static uint8_t over_white(const uint8_t *pixel, int channel)
{
    return (uint8_t)((pixel[channel] * pixel[3] + 255 * (255 - pixel[3]) + 127) / 255);
}

/* The mean of the pixels that one of the smaller picture stands for. */
static void shrink_pixel(const struct image *image, int y0, int y1, int x0, int x1, uint8_t *out)
{
    int64_t sum[CHANNELS] = {0}, n = (int64_t)(y1 - y0) * (x1 - x0);
    for (int y = y0; y < y1; y++)
        for (int x = x0; x < x1; x++)
            for (int c = 0; c < CHANNELS; c++)
                sum[c] += over_white(&image->pixels[((size_t)y * (size_t)image->width + (size_t)x) * 4], c);
    for (int c = 0; c < CHANNELS; c++)
        out[c] = (uint8_t)((sum[c] + n / 2) / n);
}

static void shrink(const struct image *image, const struct decoded *to, struct str *result)
{
    for (int y = 0; y < to->rows; y++)
        for (int x = 0; x < to->columns; x++) {
            int y0 = (int)((int64_t)y * image->height / to->rows), x0 = (int)((int64_t)x * image->width / to->columns);
            int y1 = (int)((int64_t)(y + 1) * image->height / to->rows),
                x1 = (int)((int64_t)(x + 1) * image->width / to->columns);
            uint8_t pixel[CHANNELS];
            shrink_pixel(image, y0, y1, x0, x1, pixel);
            str_add_bytes(result, (const char *)pixel, CHANNELS);
        }
}

/* The largest size within the wanted one that keeps the proportions; never more than the picture has. */
static struct decoded fitted(const struct image *image, const struct decoding *d)
{
    double zoom = 1;
    if (image->height * zoom > d->most_rows)
        zoom = (double)d->most_rows / image->height;
    if (image->width * zoom > d->most_columns)
        zoom = (double)d->most_columns / image->width;
    int rows = (int)(image->height * zoom + 1e-9), columns = (int)(image->width * zoom + 1e-9);
    return (struct decoded){image->height, image->width, rows > 0 ? rows : 1, columns > 0 ? columns : 1};
}

/* In the sandbox. */
static bool decode(void *context, struct str *result, struct err *err)
{
    const struct decoding *d = context;
    struct image image = {0};
    char *bytes = xmalloc(d->size_bytes + 1);
    bool ok = io_pread_all(d->fd, bytes, d->size_bytes, 0, d->path, err) &&
              image_decode(bytes, d->size_bytes, d->path, IMAGE_RGBA, &image, err);
    if (ok) {
        struct decoded head = fitted(&image, d);
        str_add_bytes(result, (const char *)&head, sizeof head);
        shrink(&image, &head, result);
    }
    image_release(&image);
    free(bytes);
    return ok;
}

static json_t *picture_json(const struct decoding *d, const struct str *result, struct err *err)
{
    static const char digits[] = "0123456789abcdef";
    struct decoded head = {0};
    if (result->length >= sizeof head)
        memcpy(&head, result->data, sizeof head);
    size_t n = result->length - (result->length >= sizeof head ? sizeof head : 0);
    bool fits = head.rows >= 1 && head.rows <= d->most_rows && head.columns >= 1 && head.columns <= d->most_columns &&
                head.height >= 1 && head.width >= 1 && n == (size_t)head.rows * (size_t)head.columns * CHANNELS;
    if (!fits)
        return err_null(err, ERR_FORMAT, "'%s' is damaged or hostile: its size is not that of its pixels", d->path);
    const uint8_t *pixels = (const uint8_t *)result->data + sizeof head;
    char *text = xmalloc(2 * n + 1);
    for (size_t i = 0; i < n; i++) {
        text[2 * i] = digits[pixels[i] >> 4];
        text[2 * i + 1] = digits[pixels[i] & 15];
    }
    text[2 * n] = 0;
    json_t *json =
        json_pack("{s:s,s:i,s:i,s:[i,i,i],s:s}", "file", d->path, "height", (int)head.height, "width", (int)head.width,
                  "shown", (int)head.rows, (int)head.columns, (int)CHANNELS, "pixels", text);
    free(text);
    return json;
}

static int wish(const json_t *request, const char *key, int most)
{
    int64_t wanted = js_int(request, key, most);
    return wanted < 1 ? 1 : wanted > most ? most : (int)wanted;
}

bool job_picture(const json_t *request, struct answer *answer, struct err *err)
{
    static const struct sandbox_limits limits = {
        .cpu_seconds = CPU_SECONDS, .memory_bytes = INT64_C(1) << 30, .result_bytes = 1 << 20};
    struct decoding d = {.path = request_path(request, "file", err),
                         .fd = -1,
                         .most_rows = wish(request, "rows", MOST_ROWS),
                         .most_columns = wish(request, "columns", MOST_COLUMNS)};
    struct stat st;
    struct str result = {0};
    if (!d.path)
        return false;
    d.fd = io_open(d.path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0, err);
    bool ok = d.fd >= 0;
    if (ok && (fstat(d.fd, &st) || !S_ISREG(st.st_mode) || st.st_size > FILE_MAX_BYTES))
        ok = err_set(err, ERR_FORMAT, "'%s' is no file of at most %d MiB", d.path, FILE_MAX_BYTES >> 20);
    d.size_bytes = ok ? (size_t)st.st_size : 0;
    ok = ok && sandbox_run(d.path, decode, &d, &d.fd, 1, &limits, &result, err);
    json_t *json = ok ? picture_json(&d, &result, err) : NULL;
    if (json)
        answer_result(answer, json);
    if (d.fd >= 0)
        close(d.fd);
    str_release(&result);
    return json != NULL;
}
