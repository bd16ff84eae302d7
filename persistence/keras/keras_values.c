/* keras_values.c - values of weights, converted to what the engine computes with; see keras_file.h */
#include "persistence/keras/keras_file.h"

#include "base/arena.h"
#include "base/io.h"
#include "persistence/files/bytes.h"
#include "persistence/keras/keras_open.h"
#include "persistence/keras/scatter_read.h"

#include <math.h>
#include <stdlib.h>

enum { BLOCK_ELEMENTS = 1 << 16 };

struct found {
    const struct weight_target *target;
    struct scatter_piece piece;
};

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

static const struct hdf5_dataset *dataset_of(const struct keras_file *file, const struct weight *weight)
{
    BUG_ON(weight < file->weights || (size_t)(weight - file->weights) >= file->survey.tree.n_datasets);
    return &file->survey.tree.datasets[weight - file->weights];
}

static int64_t bytes_of(const struct weight *weight)
{
    int64_t size_bytes;
    BUG_ON(!hdf5_data_bytes(weight->dtype, weight->rank, weight->dim, &size_bytes));
    return size_bytes;
}

/* The destination is what is stored. */
static bool is_direct(const struct weight_target *target)
{
    return target->weight->dtype == (target->as_int ? WEIGHT_I32 : WEIGHT_F32);
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

/* What is converted on the way, or lies in chunks. The checksum was compared before. */
static bool read_converted(const struct keras_file *file, const struct weight_target *target, struct err *err)
{
    const struct weight *weight = target->weight;
    const struct hdf5_dataset *dataset = dataset_of(file, weight);
    int64_t n = bytes_of(weight) / (int64_t)hdf5_element_bytes(weight->dtype);
    if (dataset->storage == HDF5_CHUNKED)
        return read_chunked(file, dataset, weight, target->as_int, n, target->to, err);
    if (dataset->storage == HDF5_ABSENT || is_direct(target))
        return hdf5_read_values(file->fd, file->path, dataset, 0, n, target->to, err);
    return read_in_blocks(file, dataset, weight, target->as_int, n, target->to, err);
}

static int by_offset(const void *a, const void *b)
{
    const struct found *x = a, *y = b;
    return x->piece.offset < y->piece.offset ? -1 : x->piece.offset > y->piece.offset;
}

/* Those that one pass can put into place come first, in the order of the file; returns how many. The file's reader was
 * a sandboxed child and is not believed: what overlaps or lies outside the member is read by itself. */
static size_t plan_pass(const struct keras_file *file, const struct weight_target *targets, size_t n,
                        struct found *found)
{
    const struct keras_survey *survey = &file->survey;
    int64_t begin = survey->has_crc ? survey->offset : 0, end = survey->has_crc ? begin + survey->bytes : INT64_MAX;
    size_t n_pass = 0;
    for (size_t i = 0; i < n; i++) {
        const struct hdf5_dataset *dataset = dataset_of(file, targets[i].weight);
        int64_t size_bytes = bytes_of(targets[i].weight);
        bool fits = is_direct(&targets[i]) && dataset->storage == HDF5_PLAIN && dataset->offset >= begin &&
                    size_bytes <= end - dataset->offset;
        found[fits ? n_pass++ : n - 1 - (i - n_pass)] =
            (struct found){&targets[i], {dataset->offset, size_bytes, targets[i].to}};
    }
    qsort(found, n_pass, sizeof *found, by_offset);
    for (size_t i = 1; i < n_pass; i++)
        if (found[i].piece.offset < found[i - 1].piece.offset + found[i - 1].piece.size_bytes)
            return i;
    return n_pass;
}

static bool make_pass(struct keras_file *file, const struct found *found, size_t n, struct err *err)
{
    struct keras_survey *survey = &file->survey;
    struct scatter_piece *pieces = xcalloc(n + 1, sizeof *pieces);
    int64_t begin = survey->offset, end = begin + survey->bytes;
    uint32_t crc = survey->crc;
    for (size_t i = 0; i < n; i++)
        pieces[i] = found[i].piece;
    if (!survey->has_crc && n) {
        begin = pieces[0].offset;
        end = pieces[n - 1].offset + pieces[n - 1].size_bytes;
    }
    bool ok = (!survey->has_crc && !n) ||
              scatter_read(file->fd, file->path, begin, end, pieces, n, survey->has_crc ? &crc : NULL, err);
    free(pieces);
    if (ok && crc != survey->crc)
        return err_set(err, ERR_FORMAT,
                       "member 'model.weights.h5' of '%s' is damaged: its CRC is %08x, the directory says %08x",
                       file->path, crc, survey->crc);
    survey->has_crc &= !ok;
    return ok;
}

bool keras_file_load(struct keras_file *file, const struct weight_target *targets, size_t n, struct err *err)
{
    for (size_t i = 0; i < n; i++)
        if (!check_shape(file, targets[i].weight, targets[i].rank, targets[i].dim, err))
            return false;
    struct found *found = xcalloc(n + 1, sizeof *found);
    size_t n_pass = plan_pass(file, targets, n, found);
    bool ok = make_pass(file, found, n_pass, err);
    for (size_t i = n_pass; ok && i < n; i++)
        ok = read_converted(file, found[i].target, err);
    free(found);
    return ok;
}

bool keras_file_verify(struct keras_file *file, struct err *err)
{
    return !file->survey.has_crc || keras_file_load(file, NULL, 0, err);
}

bool keras_file_read(struct keras_file *file, const struct weight *weight, bool as_int, int rank, const int64_t *dim,
                     void *to, struct err *err)
{
    const struct weight_target target = {weight, as_int, rank, dim, to};
    return keras_file_load(file, &target, 1, err);
}
