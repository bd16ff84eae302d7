/* npy_header.h - the text in front of an array: magic, version, and the Python dictionary {'descr', 'fortran_order',
 * 'shape'}. */
#ifndef PERSISTENCE_FILES_NPY_HEADER_H
#define PERSISTENCE_FILES_NPY_HEADER_H

#include "base/str.h"
#include "persistence/files/npy_file.h"

struct npy_header {
    enum npy_type type;
    bool swapped, fortran;
    int rank;
    int64_t dim[NPY_RANK_MAX];
    int64_t n_elements, data_bytes; /* checked: they do not overflow */
    size_t data_start;              /* offset of the first element in the file */
};

enum { NPY_HEADER_MAX = 65536 };

/* Reads it from the first bytes of a file (as many as there are, at most 12 + NPY_HEADER_MAX). name: for messages,
 * already quoted. */
bool npy_header_read(const unsigned char *bytes, size_t size_bytes, const char *name, struct npy_header *header,
                     struct err *err) MUST_USE;
/* Version 1, padded so that the array starts at a multiple of 64. */
void npy_header_write(struct str *out, const struct npy *a);

#endif
