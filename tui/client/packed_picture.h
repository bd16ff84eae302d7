/* packed_picture.h - pictures as the worker's answers carry them (docs/worker-protocol.md): two
 * hexadecimal digits a number. */
#ifndef TUI_CLIENT_PACKED_PICTURE_H
#define TUI_CLIENT_PACKED_PICTURE_H

#include "base/json.h"

/* The largest picture that is asked for, and its channels: RGB. */
enum { PICTURE_MOST_ROWS = 200, PICTURE_MOST_COLUMNS = 320, PICTURE_CHANNELS = 3 };

/* The request of job `picture`: the file at path, decoded into at most PICTURE_MOST_ROWS rows and so many columns. New
 * reference. */
json_t *packed_request(const char *path, int columns);
/* Its answer as rows x columns x PICTURE_CHANNELS values in 0 .. 1; NULL when it is no picture. free() it. */
float *packed_picture(const json_t *answer, int *rows, int *columns);
/* The first n numbers of digits (2 n of them), from lo (00) to hi (ff). */
void packed_read(const char *digits, size_t n, double lo, double hi, float *values);

#endif
