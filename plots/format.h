/* format.h - numbers as people read them. Every function writes at most `size` bytes, terminated, and returns text.
 * ASCII only. */
#ifndef PLOTS_FORMAT_H
#define PLOTS_FORMAT_H

#include <stddef.h>
#include <stdint.h>

/* A metric: `digits` significant ones, trailing zeros kept so that columns stand still: 0.0341, 12.40, 1.250e-5, NaN,
 * inf, -inf. */
char *format_value(char *text, size_t size, double value, int digits);
/* A setting: the shortest form: 0.1, 32, 1e-3, 5e-4. */
char *format_short(char *text, size_t size, double value);
/* 1438, 17,244: groups of three. */
char *format_count(char *text, size_t size, int64_t n);
/* 0.4s, 42s, 1m42s, 3h07m, 2d04h. */
char *format_duration(char *text, size_t size, double seconds);
/* 512 B, 287 K, 1.2 M, 3.4 G: powers of 1024. */
char *format_bytes(char *text, size_t size, int64_t bytes);

#endif
