/* reference_loss.c - softmax, cross-entropies and normalizations, row by row in double */
#include <math.h>
#include <string.h>

#include "engine/reference/reference.h"

struct rows {
    int64_t n, width;
};

static struct rows rows_of(struct shape s, int n_axes)
{
    struct rows rows = {1, 1};
    for (int i = 0; i < s.rank; i++)
        *(i < s.rank - n_axes ? &rows.n : &rows.width) *= s.dim[i];
    return rows;
}

/* log(sum(exp(x))) */
static double log_sum(const float *x, int64_t n)
{
    double top = (double)x[0], sum = 0;
    for (int64_t c = 1; c < n; c++)
        top = (double)x[c] > top ? (double)x[c] : top;
    for (int64_t c = 0; c < n; c++)
        sum += exp((double)x[c] - top);
    return log(sum) + top;
}

void reference_softmax(const struct kernel *k, struct device *device)
{
    (void)device;
    struct rows rows = rows_of(k->in_value[0]->shape, 1);
    const float *x = k->in[0];
    float *y = k->out[0];
    for (int64_t r = 0; r < rows.n; r++, x += rows.width, y += rows.width) {
        double total = log_sum(x, rows.width);
        for (int64_t c = 0; c < rows.width; c++)
            y[c] = (float)exp((double)x[c] - total);
    }
}

void reference_softmax_dx(const struct kernel *k, struct device *device)
{
    (void)device;
    struct rows rows = rows_of(k->in_value[0]->shape, 1);
    const float *y = k->in[0], *dy = k->in[1];
    float *dx = k->out[0];
    for (int64_t r = 0; r < rows.n; r++, y += rows.width, dy += rows.width, dx += rows.width) {
        double dot = 0;
        for (int64_t c = 0; c < rows.width; c++)
            dot += (double)y[c] * (double)dy[c];
        for (int64_t c = 0; c < rows.width; c++)
            dx[c] = (float)((double)y[c] * ((double)dy[c] - dot));
    }
}

void reference_xent(const struct kernel *k, struct device *device)
{
    (void)device;
    struct rows rows = rows_of(k->in_value[0]->shape, 1);
    const float *x = k->in[0], *target = k->in[1];
    for (int64_t r = 0; r < rows.n; r++, x += rows.width, target += rows.width) {
        double total = log_sum(x, rows.width), sum = 0;
        for (int64_t c = 0; c < rows.width; c++)
            sum += (double)target[c] * (total - (double)x[c]);
        ((float *)k->out[0])[r] = (float)sum;
    }
}

void reference_xent_dx(const struct kernel *k, struct device *device)
{
    (void)device;
    struct rows rows = rows_of(k->in_value[0]->shape, 1);
    const float *x = k->in[0], *target = k->in[1], *dy = k->in[2];
    float *dx = k->out[0];
    for (int64_t r = 0; r < rows.n; r++, x += rows.width, target += rows.width, dx += rows.width) {
        double total = log_sum(x, rows.width), mass = 0;
        for (int64_t c = 0; c < rows.width; c++)
            mass += (double)target[c];
        for (int64_t c = 0; c < rows.width; c++)
            dx[c] = (float)((double)dy[r] * (exp((double)x[c] - total) * mass - (double)target[c]));
    }
}

void reference_sparse_xent(const struct kernel *k, struct device *device)
{
    (void)device;
    struct rows rows = rows_of(k->in_value[0]->shape, 1);
    const float *x = k->in[0];
    const int32_t *label = k->in[1];
    float *y = k->out[0];
    for (int64_t r = 0; r < rows.n; r++, x += rows.width) {
        if (label[r] == k->node->attrs.ignore)
            y[r] = 0;
        else
            y[r] = label[r] < 0 || label[r] >= rows.width ? NAN : (float)(log_sum(x, rows.width) - (double)x[label[r]]);
    }
}

void reference_sparse_xent_dx(const struct kernel *k, struct device *device)
{
    (void)device;
    struct rows rows = rows_of(k->in_value[0]->shape, 1);
    const float *x = k->in[0], *dy = k->in[2];
    const int32_t *label = k->in[1];
    float *dx = k->out[0];
    for (int64_t r = 0; r < rows.n; r++, x += rows.width, dx += rows.width) {
        bool ignored = label[r] == k->node->attrs.ignore, known = label[r] >= 0 && label[r] < rows.width;
        double total = log_sum(x, rows.width);
        for (int64_t c = 0; c < rows.width; c++)
            dx[c] = ignored ? 0 : !known ? NAN : (float)((double)dy[r] * (exp((double)x[c] - total) - (c == label[r])));
    }
}

void reference_batch_norm(const struct kernel *k, struct device *device)
{
    (void)device;
    struct rows rows = rows_of(k->in_value[0]->shape, 1);
    const float *x = k->in[0], *gamma = k->in[1], *beta = k->in[2];
    float *y = k->out[0];
    for (int64_t c = 0; c < rows.width; c++) {
        double mean = 0, variance = 0;
        for (int64_t r = 0; r < rows.n; r++)
            mean += (double)x[r * rows.width + c];
        mean /= (double)rows.n;
        for (int64_t r = 0; r < rows.n; r++)
            variance += pow((double)x[r * rows.width + c] - mean, 2);
        variance /= (double)rows.n;
        double scale = (double)gamma[c] / sqrt(variance + (double)k->node->attrs.value);
        for (int64_t r = 0; r < rows.n; r++)
            y[r * rows.width + c] = (float)(((double)x[r * rows.width + c] - mean) * scale + (double)beta[c]);
        ((float *)k->out[1])[c] = (float)mean;
        ((float *)k->out[2])[c] = (float)variance;
    }
}

void reference_batch_norm_dx(const struct kernel *k, struct device *device)
{
    (void)device;
    struct rows rows = rows_of(k->in_value[0]->shape, 1);
    const float *x = k->in[0], *gamma = k->in[1], *mean = k->in[2], *variance = k->in[3], *dy = k->in[4];
    float *dx = k->out[0];
    for (int64_t c = 0; c < rows.width; c++) {
        double rstd = 1 / sqrt((double)variance[c] + (double)k->node->attrs.value), dgamma = 0, dbeta = 0,
               n = (double)rows.n;
        for (int64_t r = 0; r < rows.n; r++) {
            double d = (double)dy[r * rows.width + c];
            dbeta += d;
            dgamma += d * ((double)x[r * rows.width + c] - (double)mean[c]) * rstd;
        }
        for (int64_t r = 0; r < rows.n; r++) {
            double normal = ((double)x[r * rows.width + c] - (double)mean[c]) * rstd;
            dx[r * rows.width + c] =
                (float)((double)gamma[c] * rstd * ((double)dy[r * rows.width + c] - dbeta / n - normal * dgamma / n));
        }
        ((float *)k->out[1])[c] = (float)dgamma;
        ((float *)k->out[2])[c] = (float)dbeta;
    }
}

void reference_layer_norm(const struct kernel *k, struct device *device)
{
    (void)device;
    struct rows rows = rows_of(k->in_value[0]->shape, k->node->attrs.n_axes);
    const float *x = k->in[0], *gamma = k->in[1], *beta = k->in[2];
    float *y = k->out[0];
    for (int64_t r = 0; r < rows.n; r++, x += rows.width, y += rows.width) {
        double mean = 0, variance = 0;
        for (int64_t c = 0; c < rows.width; c++)
            mean += (double)x[c];
        mean /= (double)rows.width;
        for (int64_t c = 0; c < rows.width; c++)
            variance += pow((double)x[c] - mean, 2);
        double rstd = 1 / sqrt(variance / (double)rows.width + (double)k->node->attrs.value);
        for (int64_t c = 0; c < rows.width; c++)
            y[c] = (float)(((double)x[c] - mean) * rstd * (double)gamma[c] + (double)beta[c]);
        ((float *)k->out[1])[r] = (float)mean;
        ((float *)k->out[2])[r] = (float)rstd;
    }
}

void reference_layer_norm_dx(const struct kernel *k, struct device *device)
{
    (void)device;
    struct rows rows = rows_of(k->in_value[0]->shape, k->node->attrs.n_axes);
    const float *x = k->in[0], *gamma = k->in[1], *mean = k->in[2], *rstd = k->in[3], *dy = k->in[4];
    float *dx = k->out[0], *dgamma = k->out[1], *dbeta = k->out[2];
    memset(dgamma, 0, (size_t)rows.width * sizeof *dgamma);
    memset(dbeta, 0, (size_t)rows.width * sizeof *dbeta);
    for (int64_t r = 0; r < rows.n; r++, x += rows.width, dy += rows.width, dx += rows.width) {
        double sum = 0, dot = 0, width = (double)rows.width;
        for (int64_t c = 0; c < rows.width; c++) {
            double normal = ((double)x[c] - (double)mean[r]) * (double)rstd[r], d = (double)dy[c] * (double)gamma[c];
            sum += d;
            dot += d * normal;
            dgamma[c] += (float)((double)dy[c] * normal);
            dbeta[c] += dy[c];
        }
        for (int64_t c = 0; c < rows.width; c++) {
            double normal = ((double)x[c] - (double)mean[r]) * (double)rstd[r], d = (double)dy[c] * (double)gamma[c];
            dx[c] = (float)((double)rstd[r] * (d - sum / width - normal * dot / width));
        }
    }
}
