/* decimal.h - decimal text to the nearest double, fast: for files with millions of numbers.
 *
 * The result is the one of strtod to the last bit. Up to 19 significant digits and exponents that occur take one or two
 * multiplications of integers; whatever else there is goes to strtod.
 */
#ifndef BASE_DECIMAL_H
#define BASE_DECIMAL_H

#include <stdbool.h>
#include <stddef.h>

/* All of text[0..length) as a JSON number (also with a leading '+', zeros or point); false when it is none. Too large a
 * number is infinite. The text need not be terminated. */
bool decimal_parse(const char *text, size_t length, double *out);

#endif
