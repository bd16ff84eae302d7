/* Maps on the cuda backend, from expression to launched kernel, with a compiler for the host at the place of NVRTC. */
#include "engine/cuda/jit.h"
#include "engine/cuda/jit_cache.h"
#include "engine/cuda/map_text.h"
#include "tests/cuda/fake_nvrtc.h"
#include "tests/unit/map_suites.h"

static struct graph *small_graph(int64_t n)
{
    struct graph *g = graph_new();
    struct value *x = op_input(g, "x", DTYPE_F32, SHAPE(n));
    graph_keep(g, op_expr(g, "a * 2 + 1", x, NULL, NULL, NULL));
    graph_keep(g, op_expr(g, "a * 2 + 1", op_input(g, "y", DTYPE_F32, SHAPE(n)), NULL, NULL, NULL));
    return g;
}

/* Plans the graph on a device, compares what it computes, and says how many programs were compiled for it. */
static int compilations_of(const struct graph *g, struct device *device)
{
    int before = fake_nvrtc_compilations;
    struct plan *plan = plan_of(g, &backend_cuda, device, true);
    if (plan) {
        plan_run(plan);
        for (int i = 0; i < 2; i++) {
            const float *x = plan_input(plan, g->kept[i]->node->inputs[0]), *y = plan_output(plan, g->kept[i]);
            for (int64_t k = N_SPECIALS; k < shape_elements(g->kept[i]->shape); k++)
                CHECK_EQ(y[k] == x[k] * 2 + 1, true);
        }
    }
    plan_free(plan);
    return fake_nvrtc_compilations - before;
}

static void test_equal_maps_are_compiled_once_and_only_once_per_device(void)
{
    struct graph *g = small_graph(40), *other = small_graph(45);
    struct device *device = open_device(&backend_cuda);
    CHECK_EQ(compilations_of(g, device), 1);
    CHECK_EQ(compilations_of(g, device), 0);
    CHECK_EQ(compilations_of(other, device), 0); /* flat: of any size */
    backend_cuda.close(device);
    device = open_device(&backend_cuda);
    CHECK_EQ(compilations_of(g, device), 0); /* from the disk */
    backend_cuda.close(device);
    graph_free(g);
    graph_free(other);
}

static void test_what_cannot_be_compiled_is_an_error_and_forgotten(void)
{
    struct graph *g = small_graph(48);
    struct device *device = open_device(&backend_cuda);
    struct err err = {0};
    setenv("XDG_CACHE_HOME", check_path("another cache"), 1);
    fake_nvrtc_broken = true;
    CHECK(!plan_new(g, &backend_cuda, device, &(struct plan_options){0}, &err));
    CHECK_HAS(err.text, "cannot compile kernels: NVRTC says");
    CHECK_HAS(err.text, "this is broken");
    fake_nvrtc_broken = false;
    CHECK_EQ(compilations_of(g, device), 1);
    setenv("XDG_CACHE_HOME", check_path("cache"), 1);
    backend_cuda.close(device);
    graph_free(g);
}

static void test_an_architecture_that_nvrtc_does_not_know_is_compiled_by_the_driver(void)
{
    char name[24];
    struct err err = {0};
    CHECK_OK(jit_architecture(name, 8, 0, &err), err);
    CHECK_STR(name, "sm_80");
    CHECK_OK(jit_architecture(name, 8, 6, &err), err);
    CHECK_STR(name, "compute_80");
    CHECK_OK(jit_architecture(name, 12, 1, &err), err);
    CHECK_STR(name, "compute_90");
    CHECK(!jit_architecture(name, 7, 0, &err));
    CHECK_HAS(err.text, "the device has compute capability 7.0, NVRTC here compiles for 7.5 and above");
}

/* Changes the file of a key: size >= 0 cuts it there, flip >= 0 turns a bit of that byte. */
static void damage(const char *key, long size, long flip)
{
    char *path = jit_cache_path(key);
    if (size >= 0)
        CHECK_EQ(truncate(path, size), 0);
    FILE *file = fopen(path, "r+");
    CHECK(file);
    if (flip >= 0) {
        fseek(file, flip, SEEK_SET);
        int c = fgetc(file);
        fseek(file, flip, SEEK_SET);
        fputc(c ^ 1, file);
    }
    fclose(file);
    free(path);
}

static bool holds(const char *key, const char *want)
{
    void *code = NULL;
    size_t bytes = 0;
    bool found = jit_cache_read(key, &code, &bytes);
    if (found) {
        CHECK_EQ(bytes, strlen(want));
        CHECK(!memcmp(code, want, bytes));
    }
    free(code);
    return found;
}

static const char *text_of_sum(struct graph *g, struct shape x, struct shape y, bool aligned)
{
    static struct str text;
    static const bool none[EXPR_MAX_RESULTS];
    const struct node *node = op_add(g, op_input(g, "x", DTYPE_F32, x), op_input(g, "y", DTYPE_I32, y))->node;
    struct map map = {.expr = node->attrs.expr,
                      .shape = node->outputs[0]->shape,
                      .operand = (const struct value *const *)node->inputs,
                      .aligned = aligned,
                      .left_out = none};
    str_release(&text);
    map_text(&text, &map, false);
    return str_text(&text);
}

static void test_four_are_read_at_once_where_they_lie_so(void)
{
    struct graph *g = graph_new();
    char *flat = xstrdup(text_of_sum(g, SHAPE(8), SHAPE(8), true));
    CHECK_HAS(flat, "float4");
    CHECK_HAS(flat, "int4");
    CHECK_STR(text_of_sum(g, SHAPE(3, 37), SHAPE(3, 37), true), flat);
    CHECK(!strstr(text_of_sum(g, SHAPE(8), SHAPE(8), false), "float4"));
    CHECK_HAS(text_of_sum(g, SHAPE(5, 8), SHAPE(8), true), "int4");
    CHECK(!strstr(text_of_sum(g, SHAPE(5, 8), SHAPE(5, 1), true), "int4"));
    CHECK(!strstr(text_of_sum(g, SHAPE(5, 7), SHAPE(7), true), "float4"));
    CHECK(!strstr(text_of_sum(g, SHAPE(5, 8), SHAPE(8), true), "long long"));
    CHECK_HAS(text_of_sum(g, SHAPE(1 << 16, 1 << 16), SHAPE(1 << 16), true), "long long");
    free(flat);
    graph_free(g);
}

static void test_maps_of_one_text_are_launched_together(void)
{
    struct suite s = {.g = graph_new()};
    add_group(&s, 90); /* the first has one element: a text of its own; 64 are the most in a group */
    struct device *device = open_device(&backend_cuda);
    struct plan *plan = plan_of(s.g, &backend_cuda, device, true);
    int before = fake_library_launches;
    plan_run(plan);
    CHECK_EQ(fake_library_launches - before, 3);
    plan_free(plan);
    backend_cuda.close(device);
    suite_free(&s);
}

/* The first is overwritten by the second's result. */
static void test_maps_that_need_each_other_are_not_launched_together(void)
{
    struct suite s = {.g = graph_new()};
    add_chain(&s);
    struct device *device = open_device(&backend_cuda);
    struct plan *plan = plan_of(s.g, &backend_cuda, device, true);
    int before = fake_library_launches;
    plan_run(plan);
    CHECK_EQ(fake_library_launches - before, 5);
    plan_free(plan);
    backend_cuda.close(device);
    suite_free(&s);
}

/* One step on a device of which call number `fails` fails (this program is started anew for it); exit status 3: it did,
 * and that was said. */
static int run_failing_step(void)
{
    struct graph *g = small_graph(40);
    struct err err = {0};
    struct device *device = backend_cuda.open(&(struct device_options){0}, &err);
    struct plan *plan = device ? plan_new(g, &backend_cuda, device, &(struct plan_options){0}, &err) : NULL;
    for (int i = 0; plan && i < 3; i++) {
        plan_run(plan);
        const float *first = plan_output(plan, g->kept[0]), *second = plan_output(plan, g->kept[1]);
        CHECK_EQ(isnan(first[0]) || isnan(second[0]), !backend_cuda.works(device, &err));
    }
    plan_free(plan);
    if (device)
        backend_cuda.close(device);
    graph_free(g);
    return check_failures ? 1 : err.code ? 3 : 0;
}

static void test_a_call_that_fails_is_an_error_and_nothing_worse(void)
{
    int n_said = 0;
    char command[1200], self[512] = "";
    CHECK(readlink("/proc/self/exe", self, sizeof self - 1) > 0);
    for (int call = 1; call < 24; call++) { /* one is made good: code on the disk that cannot be loaded */
        snprintf(command, sizeof command, "ANTLER_FAKE_CUDA_FAIL=%d '%s' fail", call, self);
        int status = system(command);
        CHECK(WIFEXITED(status) && (WEXITSTATUS(status) == 3 || WEXITSTATUS(status) == 0));
        n_said += WIFEXITED(status) && WEXITSTATUS(status) == 3;
    }
    CHECK(n_said > 8);
}

static void test_damaged_code_is_as_good_as_none(void)
{
    const char *key = "a text";
    const long whole = 32 + 6 + 5;
    for (long byte = 0; byte < whole; byte++) {
        jit_cache_write(key, "12345", 5);
        CHECK(holds(key, "12345"));
        damage(key, -1, byte);
        bool in_use = byte < 28 || byte >= 32; /* but for four bytes that mean nothing */
        CHECK_EQ(holds(key, "12345"), !in_use);
        jit_cache_write(key, "12345", 5);
        damage(key, byte, -1);
        CHECK(!holds(key, "12345"));
    }
}

static void test_code_of_another_text_is_not_taken(void)
{
    jit_cache_write("one", "12345", 5);
    char *one = jit_cache_path("one"), *two = jit_cache_path("two");
    CHECK_EQ(rename(one, two), 0);
    CHECK(!holds("one", ""));
    CHECK(!holds("two", ""));
    CHECK_EQ(unlink(two), 0);
    CHECK_EQ(mkdir(two, 0700), 0); /* cannot be read, nor replaced */
    jit_cache_write("two", "12345", 5);
    CHECK(!holds("two", ""));
    CHECK_EQ(rmdir(two), 0);
    free(one);
    free(two);
}

static void test_the_cache_does_not_grow_without_end(void)
{
    char key[32];
    for (int i = 0; i < JIT_CACHE_FILES_MAX + 20; i++) {
        snprintf(key, sizeof key, "text %d", i);
        jit_cache_write(key, "12345", 5);
    }
    CHECK(holds(key, "12345"));
    CHECK(!holds("text 0", ""));
    CHECK_EQ(check_entries(check_path("cache/antler/cuda")), JIT_CACHE_FILES_MAX);
}

static void test_without_a_place_nothing_is_kept(void)
{
    char *home = xstrdup(getenv("HOME") ? getenv("HOME") : "");
    unsetenv("XDG_CACHE_HOME");
    unsetenv("HOME");
    jit_cache_write("a text", "12345", 5);
    CHECK(!holds("a text", ""));
    setenv("XDG_CACHE_HOME", "/proc/no/such/place", 1);
    jit_cache_write("a text", "12345", 5);
    CHECK(!holds("a text", ""));
    setenv("HOME", home, 1);
    free(home);
}

int main(int argc, char **argv)
{
    (void)argv;
    if (argc > 1)
        return run_failing_step();
    setenv("XDG_CACHE_HOME", check_path("cache"), 1);
    RUN(test_every_kind_of_map_is_what_the_reference_computes);
    RUN(test_maps_of_real_steps_are_what_the_reference_computes);
    RUN(test_equal_maps_are_compiled_once_and_only_once_per_device);
    RUN(test_four_are_read_at_once_where_they_lie_so);
    RUN(test_maps_of_one_text_are_launched_together);
    RUN(test_maps_that_need_each_other_are_not_launched_together);
    RUN(test_what_cannot_be_compiled_is_an_error_and_forgotten);
    RUN(test_an_architecture_that_nvrtc_does_not_know_is_compiled_by_the_driver);
    RUN(test_a_call_that_fails_is_an_error_and_nothing_worse);
    RUN(test_damaged_code_is_as_good_as_none);
    RUN(test_code_of_another_text_is_not_taken);
    RUN(test_the_cache_does_not_grow_without_end);
    RUN(test_without_a_place_nothing_is_kept);
    return check_done();
}
