/* The texts of maps through the real NVRTC: they compile, without a GPU, for the architectures there are. */
#include "engine/cuda/jit.h"
#include "engine/cuda/map_text.h"
#include "tests/unit/map_cases.h"

static const bool nothing_left_out[EXPR_MAX_RESULTS];

static struct map map_of_node(const struct node *node, bool aligned)
{
    return (struct map){.expr = node->attrs.expr,
                        .shape = node->outputs[0]->shape,
                        .operand = (const struct value *const *)node->inputs,
                        .aligned = aligned,
                        .left_out = nothing_left_out};
}

static void compile_suite(const struct suite *s, bool aligned, const char *architecture)
{
    const char **texts = xcalloc((size_t)s->g->n_nodes * 2, sizeof *texts);
    struct str program = {0};
    struct err err = {0};
    int n = 0;
    for (int i = 0; i < s->g->n_nodes; i++)
        if (s->g->nodes[i]->op == OP_MAP) {
            struct str text = {0};
            struct map map = map_of_node(s->g->nodes[i], aligned);
            map_text(&text, &map, false);
            texts[n++] = str_take(&text);
            if (!map_is_flat(&map))
                continue;
            map_text(&text, &map, true);
            texts[n++] = str_take(&text);
        }
    map_text_program(&program, texts, n);
    void *code = NULL;
    size_t bytes = 0;
    CHECK_OK(jit_compile(program.data, architecture, &code, &bytes, &err), err);
    CHECK(bytes > 1000);
    free(code);
    str_release(&program);
    while (n)
        free((char *)texts[--n]);
    free(texts);
}

static void test_maps_of_every_kind_compile(void)
{
    struct suite s = suite_new();
    struct value *big[2] = {suite_input(&s, DTYPE_F32, SHAPE(1 << 16, 1 << 17)),
                            suite_input(&s, DTYPE_F32, SHAPE(1 << 17))};
    op_add(s.g, big[0], big[1]); /* indexes of 64 bits */
    compile_suite(&s, true, "sm_90");
    suite_free(&s);
}

static void test_maps_of_real_steps_compile(void)
{
    struct suite s = suite_of_steps();
    compile_suite(&s, true, "sm_80");
    compile_suite(&s, false, "compute_90");
    suite_free(&s);
}

static void test_what_is_wrong_is_said(void)
{
    void *code = NULL;
    size_t bytes = 0;
    struct err err = {0};
    CHECK(!jit_compile("__global__ void f() { undeclared = 1; }", "sm_90", &code, &bytes, &err));
    CHECK_HAS(err.text, "NVRTC_ERROR_COMPILATION");
    CHECK_HAS(err.text, "undeclared");
}

int main(void)
{
    RUN(test_maps_of_every_kind_compile);
    RUN(test_maps_of_real_steps_compile);
    RUN(test_what_is_wrong_is_said);
    return check_done();
}
