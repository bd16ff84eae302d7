/* npy_file.h - NumPy's .npy and .npz files: read whole (mapped into memory where nothing has to be changed), and
 * written.
 *
 * Versions 1, 2 and 3, C and Fortran order, either byte order, .npy.gz; types bool, int8..uint64, float16..float64.
 * Arrays come out in C order and in this machine's byte order. Objects, text, records and complex numbers are refused
 * by name. The size a header declares must be the size that is there, and is compared before memory is taken. A mapped
 * file must not be shortened while it is in use.
 *
 *     struct npy a = {0};
 *     if (!npy_open("x.npy", &a, err))
 *         return false;
 *     ... a.dim[0] samples of type a.type at a.data ...
 *     npy_release(&a);
 */
#ifndef PERSISTENCE_FILES_NPY_FILE_H
#define PERSISTENCE_FILES_NPY_FILE_H

#include "base/err.h"

#include <stdint.h>

enum { NPY_RANK_MAX = 16 };
enum npy_type {
    NPY_BOOL,
    NPY_U8,
    NPY_I8,
    NPY_U16,
    NPY_I16,
    NPY_U32,
    NPY_I32,
    NPY_U64,
    NPY_I64,
    NPY_F16,
    NPY_F32,
    NPY_F64,
    NPY_TYPE_COUNT
};

struct npy {
    enum npy_type type;
    int rank;
    int64_t dim[NPY_RANK_MAX];
    int64_t n_elements;
    const void *data; /* aligned for its type; NULL when there are no elements */
    void *owned;      /* free()d by release; NULL when mapped or lent */
    void *mapped;     /* unmapped by release */
    size_t mapped_bytes;
};

size_t npy_type_size(enum npy_type type);
const char *npy_type_name(enum npy_type type); /* "uint8", "float32": NumPy's names */
bool npy_type_is_integer(enum npy_type type);  /* bool counts */
/* Element i as a double (uint64 and int64 beyond 2^53 are rounded). */
double npy_value(const struct npy *a, int64_t i);
/* IEEE half precision to float. */
float npy_half_to_float(uint16_t half);

/* A .npy file, gzip or not. */
bool npy_open(const char *path, struct npy *a, struct err *err) MUST_USE;
/* The bytes of a .npy file in memory; takes `bytes` (free()able), also on failure. name is used in messages. */
bool npy_take(void *bytes, size_t size_bytes, const char *name, struct npy *a, struct err *err) MUST_USE;
void npy_release(struct npy *a);
bool npy_write(const char *path, const struct npy *a, struct err *err) MUST_USE;

struct npz;
struct npz *npz_open(const char *path, struct err *err);
void npz_close(struct npz *archive);
/* Names of the arrays, without ".npy", in the order of the archive. Lent. */
const char *const *npz_names(const struct npz *archive, int *n);
/* ERR_USAGE with the names that are there and the nearest when there is no such array. */
bool npz_read(struct npz *archive, const char *name, struct npy *a, struct err *err) MUST_USE;
/* All arrays into one archive, stored. */
bool npz_write(const char *path, const char *const *names, const struct npy *arrays, int n, struct err *err) MUST_USE;

#endif
