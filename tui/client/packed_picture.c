/* packed_picture.c - see packed_picture.h */
#include "tui/client/packed_picture.h"

#include "base/arena.h"

#include <string.h>

json_t *packed_request(const char *path, int columns)
{
    return json_pack("{s:s,s:i,s:i}", "file", path, "rows", (int)PICTURE_MOST_ROWS, "columns", columns);
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : 0;
}

void packed_read(const char *digits, size_t n, double lo, double hi, float *values)
{
    for (size_t i = 0; i < n; i++)
        values[i] = (float)(lo + (hi - lo) * (16 * hex_digit(digits[2 * i]) + hex_digit(digits[2 * i + 1])) / 255);
}

float *packed_picture(const json_t *answer, int *rows, int *columns)
{
    const json_t *shown = json_object_get(answer, "shown");
    const char *pixels = js_string(answer, "pixels", "");
    int64_t height = json_integer_value(json_array_get(shown, 0)), width = json_integer_value(json_array_get(shown, 1));
    if (height < 1 || height > PICTURE_MOST_ROWS || width < 1 || width > PICTURE_MOST_COLUMNS)
        return NULL;
    size_t n = (size_t)(height * width * PICTURE_CHANNELS);
    if (strlen(pixels) != 2 * n)
        return NULL;
    float *values = xcalloc(n, sizeof *values);
    packed_read(pixels, n, 0, 1, values);
    *rows = (int)height;
    *columns = (int)width;
    return values;
}
