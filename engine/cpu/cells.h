/* cells.h - the arithmetic of recurrent cells over the units of one sample, compiled from one source (cells.c) once per
 * instruction set. Formulas and the order of gates: struct recurrent in engine/graph/graph.h. No pointers of a call
 * overlap unless the comment says so. NaN and infinity travel.
 */
#ifndef ENGINE_CPU_CELLS_H
#define ENGINE_CPU_CELLS_H

#include <stdint.h>

struct cells {
    const char *name;
    void (*relu)(float *x, int64_t n); /* in place */
    void (*hard_sigmoid)(float *x, int64_t n);
    /* d *= slope of the function where it has the value y */
    void (*tanh_slope)(float *d, const float *y, int64_t n);
    void (*sigmoid_slope)(float *d, const float *y, int64_t n);
    void (*relu_slope)(float *d, const float *y, int64_t n);
    void (*hard_sigmoid_slope)(float *d, const float *y, int64_t n);
    void (*add)(float *sum, const float *x, int64_t n);          /* sum += x */
    void (*multiply)(float *product, const float *x, int64_t n); /* product *= x */
    /* LSTM. gates: i f g o. c and h = f c_before + i g; c_before may be c. */
    void (*lstm_state)(float *c, float *h, const float *gates, const float *c_before, int64_t u);
    /* dc += q = dh o times act's slope at t (already in q); dz = the gradients of i, f, g, o before their slopes; dc *=
     * f */
    void (*lstm_gradient)(float *dz, float *dc, const float *q, const float *dh, const float *gates, const float *t,
                          const float *c_before, int64_t u);
    /* GRU. saved: z r g inner. z and r += zh + b; inner = zh + b of the candidate. */
    void (*gru_gates)(float *saved, const float *zh, const float *b, int64_t u);
    void (*gru_candidate)(float *saved, int64_t u);             /* g += r inner */
    void (*gru_state)(float *h, const float *saved, int64_t u); /* h = z h + (1 - z) g */
    /* dz's z and g, before their slopes, from dh */
    void (*gru_gradient)(float *dz, const float *dh, const float *saved, const float *h_before, int64_t u);
    /* with the reset before the product, from the gradient of r h: dz's r before its slope; dh = dh z + dreset r */
    void (*gru_before_gradient)(float *dr, float *dh, const float *dreset, const float *saved, const float *h_before,
                                int64_t u);
    /* with dz's z and g complete: dz's r before its slope; dz_recurrent's candidate; dh *= z */
    void (*gru_reset_gradient)(float *dz, float *dz_recurrent, float *dh, const float *saved, int64_t u);
};

/* The table for an instruction set by its name in struct rows. */
const struct cells *cells_for(const char *level);

#endif
