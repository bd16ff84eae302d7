/* weight.h - one weight as files hold it: a named dense array of numbers. */
#ifndef PERSISTENCE_HDF5_WEIGHT_H
#define PERSISTENCE_HDF5_WEIGHT_H

#include <stdint.h>

enum { WEIGHT_RANK_MAX = 8 };
enum weight_dtype {
    WEIGHT_F32,
    WEIGHT_F16,
    WEIGHT_BF16,
    WEIGHT_F64,
    WEIGHT_I32,
    WEIGHT_I64,
    WEIGHT_I8,
    WEIGHT_U8,
    WEIGHT_BOOL,
    WEIGHT_I16,
    WEIGHT_U16,
    WEIGHT_U32,
    WEIGHT_U64
};

struct weight {       /* one dataset */
    const char *path; /* "layers/dense/vars/0" */
    enum weight_dtype dtype;
    int rank;
    int64_t dim[WEIGHT_RANK_MAX];
    const void *data; /* writing: dense row-major little-endian; reading: NULL */
};

#endif
