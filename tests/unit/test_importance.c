/* Which settings a result hangs on: ranks, what lies between groups, and that nothing is claimed of a few runs. */
#include "../check.h"

#include "base/rng.h"
#include "tui/client/importance.h"

static void test_ties_share_the_mean_of_their_ranks(void)
{
    double values[] = {3, 1, 3, 2, 3}, ranks[5];
    importance_ranks(values, 5, ranks);
    CHECK_NEAR(ranks[0], 4, 0);
    CHECK_NEAR(ranks[1], 1, 0);
    CHECK_NEAR(ranks[2], 4, 0);
    CHECK_NEAR(ranks[3], 2, 0);
}

static void test_groups_that_part_the_results_explain_them(void)
{
    double y[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
    size_t parted[] = {0, 0, 0, 0, 0, 1, 1, 1, 1, 1}, mixed[] = {0, 1, 0, 1, 0, 1, 0, 1, 0, 1};
    CHECK(importance_between(y, parted, 10, 2) > 0.7);
    CHECK_NEAR(importance_between(y, mixed, 10, 2), 0, 0);
}

static void test_of_a_few_runs_or_runs_without_company_nothing_is_said(void)
{
    double y[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
    size_t parted[] = {0, 0, 0, 1, 1, 1}, alone[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9},
           one[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
    CHECK(isnan(importance_between(y, parted, 6, 2)));
    CHECK(isnan(importance_between(y, alone, 10, 10)));
    CHECK(isnan(importance_between(y, one, 10, 2)));
}

/* Results made of nothing but chance: corrected, the mean of what is claimed stays near 0. */
static void test_chance_explains_nothing_on_the_average(void)
{
    enum { N = 24, ROUNDS = 400 };
    double mean = 0, y[N];
    uint32_t at = 0;
    for (int round = 0; round < ROUNDS; round++) {
        size_t group[N];
        for (size_t i = 0; i < N; i++) {
            group[i] = i % 4;
            y[i] = rng_to_uniform(rng_u32(3, RNG_STREAM_DATA, 0, at++));
        }
        mean += importance_between(y, group, N, 4) / ROUNDS;
    }
    CHECK(mean < 0.08); /* it is cut off at 0, so not exactly 0 */
}

/* A made list: one setting with a best in the middle, one that means nothing, one word. */
enum { RUNS = 15 };
static struct compared list[RUNS];
static struct run_summary runs[RUNS];
static struct metric_summary metrics[RUNS];
static struct run_param params[RUNS][3];
static char texts[RUNS][2][24];

static void make_runs(void)
{
    for (int i = 0; i < RUNS; i++) {
        double rate = pow(10, -5 + 0.3 * i), off = log10(rate) + 3;
        snprintf(texts[i][0], sizeof texts[i][0], "%g", rate);
        snprintf(texts[i][1], sizeof texts[i][1], "%d", i * 7 % RUNS);
        params[i][0] = (struct run_param){"rate", texts[i][0]};
        params[i][1] = (struct run_param){"seed", texts[i][1]};
        params[i][2] = (struct run_param){"word", i % 2 ? "\"a\"" : "\"b\""};
        metrics[i] = (struct metric_summary){"loss", 0, 0.1 + off * off, 1};
        runs[i] = (struct run_summary){.name = "r", .metrics = &metrics[i], .n_metrics = 1};
        list[i] = (struct compared){&runs[i], params[i], 3};
    }
}

static void test_a_rate_that_is_best_in_the_middle_matters_most(void)
{
    static const char *const keys[] = {"seed", "word", "rate"};
    struct arena arena = {0};
    char words[80];
    make_runs();
    struct setting_effect *effects = importance_find(list, RUNS, keys, 3, "loss", &arena);
    CHECK_STR(effects[0].key, "rate");
    CHECK(effects[0].log && effects[0].explains > 0.6 && fabs(effects[0].trend) < 0.5);
    importance_words(&effects[0], false, words, sizeof words);
    CHECK(str_starts(words, "explains ") && !strstr(words, "better"));
    for (int k = 1; k < 3; k++) {
        CHECK(effects[k].explains < 0.5 && effects[k].explains < effects[0].explains);
        CHECK(strcmp(effects[k].key, "word") != 0 || (effects[k].values && effects[k].n_values == 2));
    }
    metrics[3].best = NAN; /* it has no result */
    CHECK_EQ(importance_find(list, RUNS, keys, 3, "loss", &arena)[0].n, RUNS - 1);
    effects = importance_find(list, 3, keys, 3, "loss", &arena);
    importance_words(&effects[0], false, words, sizeof words);
    CHECK_STR(words, "3 runs: too few to say");
    arena_release(&arena);
}

int main(void)
{
    RUN(test_ties_share_the_mean_of_their_ranks);
    RUN(test_groups_that_part_the_results_explain_them);
    RUN(test_of_a_few_runs_or_runs_without_company_nothing_is_said);
    RUN(test_chance_explains_nothing_on_the_average);
    RUN(test_a_rate_that_is_best_in_the_middle_matters_most);
    return check_done();
}
