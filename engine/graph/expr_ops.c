/* expr_ops.c - what each operation of an expression is: its operands, its spelling, its value. See expr.h. */
#include "engine/graph/expr.h"
#include "engine/graph/expr_internal.h"

#include <ctype.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

static const struct {
    int arity;
    const char *text;
} ops[EXPR_OP_COUNT] = {
#define X(name, arity, text) [EXPR_##name] = {arity, text},
    EXPR_OPS(X)
#undef X
};

int expr_op_arity(enum expr_op op)
{
    return ops[op].arity;
}

const char *expr_op_text(enum expr_op op)
{
    return ops[op].text;
}

bool expr_op_is_call(enum expr_op op)
{
    return op != EXPR_AND && op != EXPR_OR && op != EXPR_NOT && isalpha((unsigned char)ops[op].text[0]);
}

float round_to_bfloat16(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    bits = (bits + 0x7fff + (bits >> 16 & 1)) & 0xffff0000u;
    float rounded;
    memcpy(&rounded, &bits, sizeof rounded);
    return isnan(x) ? x : rounded;
}

#define OP(name, value)                                                                                                \
    static double op_##name(double a, double b, double c)                                                              \
    {                                                                                                                  \
        (void)a, (void)b, (void)c;                                                                                     \
        return value;                                                                                                  \
    }
OP(INPUT, 0)
OP(CONST, 0)
OP(ADD, a + b)
OP(SUB, a - b)
OP(MUL, (a) * (b))
OP(DIV, a / b)
OP(POW, pow(a, b))
OP(MIN, a <= b || isnan(a) ? a : b)
OP(MAX, a >= b || isnan(a) ? a : b)
OP(LT, a < b)
OP(LE, a <= b)
OP(GT, a > b)
OP(GE, a >= b)
OP(EQ, a == b)
OP(NE, a != b)
OP(AND, a != 0 && b != 0)
OP(OR, a != 0 || b != 0)
OP(NEG, -a)
OP(NOT, a == 0)
OP(ABS, fabs(a))
OP(SIGN, a > 0 ? 1 : a < 0 ? -1 : a)
OP(SQRT, sqrt(a))
OP(RSQRT, 1 / sqrt(a))
OP(SQUARE, (a) * (a))
OP(EXP, exp(a))
OP(EXPM1, expm1(a))
OP(LOG, log(a))
OP(LOG1P, log1p(a))
OP(SIN, sin(a))
OP(COS, cos(a))
OP(TANH, tanh(a))
OP(SIGMOID, 1 / (1 + exp(-a)))
OP(ERF, erf(a))
OP(GELU, 0.5 * a * erfc(-a * M_SQRT1_2))
OP(GELU_SLOPE, 0.5 * erfc(-a * M_SQRT1_2) + a * 0.3989422804014327 * exp(-0.5 * a * a))
OP(FLOOR, floor(a))
OP(CEIL, ceil(a))
OP(ROUND, nearbyint(a))
OP(BFLOAT16, (double)round_to_bfloat16((float)a))
OP(IS_FINITE, isfinite(a) != 0)
OP(SELECT, a != 0 ? b : c)

static double (*const values[EXPR_OP_COUNT])(double a, double b, double c) = {
#define X(name, arity, text) [EXPR_##name] = op_##name,
    EXPR_OPS(X)
#undef X
};

double expr_op_eval(enum expr_op op, double a, double b, double c)
{
    return values[op](a, b, c);
}
