/* python_format.h - Python's str.format and repr for numbers, as file names of checkpoints and CSV logs need them.
 *
 * "{epoch:04d}-{val_loss:.3f}.keras": fields are names with an optional format
 * [[fill]align][sign][0][width][.precision][type], types d e E f F g G %; {{ and }} stand for braces. Conversions (!r),
 * attributes and indexes are refused.
 */
#ifndef ENGINE_TRAIN_PYTHON_FORMAT_H
#define ENGINE_TRAIN_PYTHON_FORMAT_H

#include "base/str.h"

enum { FORMAT_MAX_WIDTH = 32 };

struct format_value {
    const char *name;
    double value;
    bool integer; /* a Python int: d is allowed, repr has no ".0" */
};

/* False with ERR_USAGE: a bad format, or a name that is not among the values (names the nearest). */
bool python_format(struct str *out, const char *format, const struct format_value *values, size_t n,
                   struct err *err) MUST_USE;
/* repr(float): "0.1", "1e-05", "2.0", "nan", "inf". */
void python_repr(struct str *out, double value);

#endif
