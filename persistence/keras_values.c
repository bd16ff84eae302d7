/* keras_values.c - values of weights, converted to what the engine computes with; see keras_file.h */
#include "persistence/keras_file.h"

#include "base/arena.h"
#include "base/io.h"
#include "persistence/bytes.h"
#include "persistence/keras_open.h"
#include "persistence/zip_archive.h"

#include <math.h>
#include <stdlib.h>

enum { BLOCK_ELEMENTS = 1 << 16 };

static float float_from_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, 4);
    return value;
}

static float half_to_float(uint16_t half)
{
    uint32_t sign = (uint32_t)(half & 0x8000) << 16, exponent = half >> 10 & 31, mantissa = half & 1023;
    if (exponent == 31)
        return float_from_bits(sign | 0x7f800000 | mantissa << 13);
    if (exponent)
        return float_from_bits(sign | (exponent + 112) << 23 | mantissa << 13);
    float tiny = ldexpf((float)mantissa, -24);
    return sign ? -tiny : tiny;
}

static int64_t integer_at(enum weight_dtype dtype, const uint8_t *p)
{
    size_t n = hdf5_element_bytes(dtype);
    uint64_t raw = bytes_get(p, n);
    bool is_signed = dtype == WEIGHT_I8 || dtype == WEIGHT_I16 || dtype == WEIGHT_I32 || dtype == WEIGHT_I64;
    if (is_signed && n < 8 && raw >> (8 * n - 1))
        raw |= UINT64_MAX << 8 * n;
    return (int64_t)raw;
}

static bool is_float(enum weight_dtype dtype)
{
    return dtype == WEIGHT_F32 || dtype == WEIGHT_F16 || dtype == WEIGHT_BF16 || dtype == WEIGHT_F64;
}

static double float_at(enum weight_dtype dtype, const uint8_t *p)
{
    double wide;
    switch (dtype) {
    case WEIGHT_F16:
        return (double)half_to_float((uint16_t)bytes_get(p, 2));
    case WEIGHT_BF16:
        return (double)float_from_bits((uint32_t)bytes_get(p, 2) << 16);
    case WEIGHT_F64:
        memcpy(&wide, p, 8);
        return wide;
    default:
        return (double)float_from_bits((uint32_t)bytes_get(p, 4));
    }
}

static void to_floats(enum weight_dtype dtype, const uint8_t *from, size_t n, float *to)
{
    size_t step = hdf5_element_bytes(dtype);
    for (size_t i = 0; i < n; i++, from += step)
        to[i] = is_float(dtype)       ? (float)float_at(dtype, from)
                : dtype == WEIGHT_U64 ? (float)bytes_get(from, 8)
                                      : (float)integer_at(dtype, from);
}

/* False at the first value that no int32 holds. */
static bool to_integers(enum weight_dtype dtype, const uint8_t *from, size_t n, int32_t *to)
{
    size_t step = hdf5_element_bytes(dtype);
    for (size_t i = 0; i < n; i++, from += step) {
        if (is_float(dtype)) {
            double value = float_at(dtype, from);
            if (!(value >= INT32_MIN && value <= INT32_MAX) || value != trunc(value))
                return false;
            to[i] = (int32_t)value;
            continue;
        }
        int64_t value = integer_at(dtype, from);
        if (value < INT32_MIN || value > INT32_MAX || (dtype == WEIGHT_U64 && value < 0))
            return false;
        to[i] = (int32_t)value;
    }
    return true;
}

static bool convert(const struct keras_file *file, const struct weight *weight, bool as_int, const void *from, size_t n,
                    void *to, struct err *err)
{
    if (!as_int)
        to_floats(weight->dtype, from, n, to);
    else if (!to_integers(weight->dtype, from, n, to))
        return err_set(err, ERR_FORMAT, "'%s', weight '%s': a value is no integer of 32 bits", file->path,
                       weight->path);
    return true;
}

static void add_shape(struct str *out, int rank, const int64_t *dim)
{
    str_add(out, "(");
    for (int i = 0; i < rank; i++)
        str_addf(out, "%s%lld", i ? "," : "", (long long)dim[i]);
    str_add(out, ")");
}

static bool check_shape(const struct keras_file *file, const struct weight *weight, int rank, const int64_t *dim,
                        struct err *err)
{
    bool same = rank == weight->rank;
    for (int i = 0; same && i < rank; i++)
        same = dim[i] == weight->dim[i];
    if (same)
        return true;
    struct str found = {0}, wanted = {0};
    add_shape(&found, weight->rank, weight->dim);
    add_shape(&wanted, rank, dim);
    err_set(err, ERR_FORMAT, "weight '%s': the file '%s' has %s, the model wants %s", weight->path, file->path,
            str_text(&found), str_text(&wanted));
    str_release(&found);
    str_release(&wanted);
    return false;
}

static bool read_chunked(const struct keras_file *file, const struct hdf5_dataset *dataset, const struct weight *weight,
                         bool as_int, int64_t n, void *dst, struct err *err)
{
    size_t size_bytes = (size_t)n * hdf5_element_bytes(dataset->dtype);
    void *raw = io_allocate(size_bytes, weight->path, err);
    bool ok = raw != NULL;
    if (ok)
        memset(raw, 0, size_bytes);
    ok = ok && hdf5_read_values(file->fd, file->path, dataset, 0, n, raw, err) &&
         convert(file, weight, as_int, raw, (size_t)n, dst, err);
    free(raw);
    return ok;
}

static bool read_in_blocks(const struct keras_file *file, const struct hdf5_dataset *dataset,
                           const struct weight *weight, bool as_int, int64_t n, void *dst, struct err *err)
{
    uint8_t *block = xmalloc(BLOCK_ELEMENTS * hdf5_element_bytes(dataset->dtype));
    bool ok = true;
    for (int64_t done = 0; ok && done < n; done += BLOCK_ELEMENTS) {
        int64_t part = n - done < BLOCK_ELEMENTS ? n - done : BLOCK_ELEMENTS;
        ok = hdf5_read_values(file->fd, file->path, dataset, done, part, block, err) &&
             convert(file, weight, as_int, block, (size_t)part, (char *)dst + done * 4, err);
    }
    free(block);
    return ok;
}

bool keras_file_verify(struct keras_file *file, struct err *err)
{
    const struct keras_survey *survey = &file->survey;
    if (survey->has_crc &&
        !zip_check_crc(file->fd, file->path, "model.weights.h5", survey->offset, survey->bytes, survey->crc, err))
        return false;
    file->survey.has_crc = false;
    return true;
}

bool keras_file_read(struct keras_file *file, const struct weight *weight, bool as_int, int rank, const int64_t *dim,
                     void *dst, struct err *err)
{
    const struct keras_survey *survey = &file->survey;
    const struct hdf5_dataset *dataset = &survey->tree.datasets[weight - file->weights];
    BUG_ON(weight < file->weights || (size_t)(weight - file->weights) >= survey->tree.n_datasets);
    if (!check_shape(file, weight, rank, dim, err) || !keras_file_verify(file, err))
        return false;
    int64_t size_bytes, n;
    BUG_ON(!hdf5_data_bytes(weight->dtype, rank, dim, &size_bytes));
    n = size_bytes / (int64_t)hdf5_element_bytes(weight->dtype);
    if (dataset->storage == HDF5_CHUNKED)
        return read_chunked(file, dataset, weight, as_int, n, dst, err);
    bool direct = as_int ? weight->dtype == WEIGHT_I32 : weight->dtype == WEIGHT_F32;
    return direct || dataset->storage == HDF5_ABSENT ? hdf5_read_values(file->fd, file->path, dataset, 0, n, dst, err)
                                                     : read_in_blocks(file, dataset, weight, as_int, n, dst, err);
}
