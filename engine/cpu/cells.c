/* cells.c - see cells.h. Compiled once per instruction set; CELLS_TABLE and CELLS_NAME name the table. */
#include "engine/cpu/cells.h"

extern const struct cells CELLS_TABLE;

static void relu(float *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        x[i] = x[i] < 0 ? 0 : x[i];
}

static void hard_sigmoid(float *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        float y = x[i] * (1.0f / 6) + 0.5f;
        y = y < 0 ? 0 : y;
        x[i] = y > 1 ? 1 : y;
    }
}

static void tanh_slope(float *restrict d, const float *restrict y, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        d[i] *= 1 - y[i] * y[i];
}

static void sigmoid_slope(float *restrict d, const float *restrict y, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        d[i] *= y[i] * (1 - y[i]);
}

static void relu_slope(float *restrict d, const float *restrict y, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        d[i] *= y[i] > 0 ? 1.0f : 0.0f;
}

static void hard_sigmoid_slope(float *restrict d, const float *restrict y, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        d[i] *= ((y[i] > 0) & (y[i] < 1)) ? 1.0f / 6 : 0.0f;
}

static void add(float *restrict sum, const float *restrict x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        sum[i] += x[i];
}

static void multiply(float *restrict product, const float *restrict x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        product[i] *= x[i];
}

static void lstm_state(float *c, float *restrict h, const float *restrict gates, const float *c_before, int64_t u)
{
#pragma GCC ivdep
    for (int64_t j = 0; j < u; j++) {
        float state = gates[u + j] * c_before[j] + gates[j] * gates[2 * u + j];
        c[j] = state;
        h[j] = state;
    }
}

static void lstm_gradient(float *restrict dz, float *restrict dc, const float *restrict q, const float *restrict dh,
                          const float *restrict gates, const float *restrict t, const float *restrict c_before,
                          int64_t u)
{
    for (int64_t j = 0; j < u; j++) {
        float d = dc[j] + q[j];
        dz[j] = d * gates[2 * u + j];
        dz[u + j] = d * c_before[j];
        dz[2 * u + j] = d * gates[j];
        dz[3 * u + j] = dh[j] * t[j];
        dc[j] = d * gates[u + j];
    }
}

static void gru_gates(float *restrict saved, const float *restrict zh, const float *restrict b, int64_t u)
{
    for (int64_t j = 0; j < 2 * u; j++)
        saved[j] += zh[j] + b[j];
    for (int64_t j = 2 * u; j < 3 * u; j++)
        saved[u + j] = zh[j] + b[j];
}

static void gru_candidate(float *saved, int64_t u)
{
    const float *r = saved + u, *inner = saved + 3 * u;
    float *g = saved + 2 * u;
#pragma GCC ivdep
    for (int64_t j = 0; j < u; j++)
        g[j] += r[j] * inner[j];
}

static void gru_state(float *restrict h, const float *restrict saved, int64_t u)
{
    for (int64_t j = 0; j < u; j++)
        h[j] = saved[j] * h[j] + (1 - saved[j]) * saved[2 * u + j];
}

static void gru_gradient(float *restrict dz, const float *restrict dh, const float *restrict saved,
                         const float *restrict h_before, int64_t u)
{
    for (int64_t j = 0; j < u; j++) {
        dz[j] = dh[j] * (h_before[j] - saved[2 * u + j]);
        dz[2 * u + j] = dh[j] * (1 - saved[j]);
    }
}

static void gru_reset_gradient(float *dz, float *restrict dz_recurrent, float *restrict dh, const float *restrict saved,
                               int64_t u)
{
#pragma GCC ivdep
    for (int64_t j = 0; j < u; j++) {
        float da = dz[2 * u + j];
        dz[u + j] = da * saved[3 * u + j];
        dz_recurrent[2 * u + j] = da * saved[u + j];
        dh[j] *= saved[j];
    }
}

static void gru_before_gradient(float *restrict dr, float *restrict dh, const float *restrict dreset,
                                const float *restrict saved, const float *restrict h_before, int64_t u)
{
    for (int64_t j = 0; j < u; j++) {
        dr[j] = dreset[j] * h_before[j];
        dh[j] = dh[j] * saved[j] + dreset[j] * saved[u + j];
    }
}

const struct cells CELLS_TABLE = {.name = CELLS_NAME,
                                  .relu = relu,
                                  .hard_sigmoid = hard_sigmoid,
                                  .tanh_slope = tanh_slope,
                                  .sigmoid_slope = sigmoid_slope,
                                  .relu_slope = relu_slope,
                                  .hard_sigmoid_slope = hard_sigmoid_slope,
                                  .add = add,
                                  .multiply = multiply,
                                  .lstm_state = lstm_state,
                                  .lstm_gradient = lstm_gradient,
                                  .gru_gates = gru_gates,
                                  .gru_candidate = gru_candidate,
                                  .gru_state = gru_state,
                                  .gru_gradient = gru_gradient,
                                  .gru_before_gradient = gru_before_gradient,
                                  .gru_reset_gradient = gru_reset_gradient};
