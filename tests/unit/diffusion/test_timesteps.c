/* Which noise levels training images get. */
#include "check.h"

#include "ddpm/diffusion/timesteps.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N = 20000, BINS = 20, BATCH = 40 };
static uint64_t sample[N];
static ddpm_level level[N];
static double weight[N];

static ddpm_schedule *process(bool flow)
{
    ddpm_schedule *schedule = NULL;
    if (flow)
        CHECK_OK(ddpm_schedule_flow(&schedule, 1000));
    else
        CHECK_OK(ddpm_schedule_create(&schedule, "linear", 1000, 1e-4, 0.02));
    return schedule;
}

static void draw(ddpm_draw kind, const ddpm_schedule *schedule, const ddpm_importance *importance)
{
    const ddpm_level_source source = {
        .kind = kind, .seed = 7, .batch = BATCH, .schedule = schedule, .importance = importance
    };
    ddpm_draw_levels(level, weight, sample, N, &source);
}

static int count_samples(void **state)
{
    (void)state;
    for (size_t i = 0; i < N; i++) sample[i] = i;
    return 0;
}

/* Of 20 bins of 50 timesteps: mean 19, standard deviation sqrt(38). */
static double chi_square(void)
{
    size_t seen[BINS] = { 0 };
    double sum = 0.0;
    for (size_t i = 0; i < N; i++) seen[level[i].index / 50]++;
    for (size_t b = 0; b < BINS; b++) {
        const double excess = (double)seen[b] - (double)N / BINS;
        sum += excess * excess / ((double)N / BINS);
    }
    return sum;
}

static void uniform_timesteps_are_uniform(void **state)
{
    (void)state;
    ddpm_schedule *s = process(false);
    draw(DDPM_DRAW_UNIFORM, s, NULL);
    CHECK_LE(chi_square(), 19 + 5 * sqrt(38));
    CHECK_LE(1.0, chi_square()); /* and random */
    size_t smallest = 1000, largest = 0;
    for (size_t i = 0; i < N; i++) {
        if (level[i].index < smallest) smallest = level[i].index;
        if (level[i].index > largest) largest = level[i].index;
        assert_true(weight[i] == 1.0);
    }
    assert_int_equal(smallest, 0);
    assert_int_equal(largest, 999);
    ddpm_schedule_free(s);
}

/* The part of the range that sample i got. */
static size_t part_of(const ddpm_schedule *schedule, size_t i, size_t batch)
{
    if (!schedule->is_flow) return level[i].index * batch / schedule->steps;
    return (size_t)(level[i].noise * (double)batch);
}

static void a_stratified_batch_has_one_image_in_each_part(void **state)
{
    (void)state;
    for (int flow = 0; flow < 2; flow++) {
        ddpm_schedule *s = process(flow);
        draw(DDPM_DRAW_STRATIFIED, s, NULL);
        for (size_t first = 0; first < N; first += BATCH) {
            bool seen[BATCH] = { false };
            for (size_t i = first; i < first + BATCH; i++) {
                const size_t part = part_of(s, i, BATCH);
                assert_false(seen[part]);
                seen[part] = true;
                assert_true(weight[i] == 1.0);
            }
        }
        CHECK_LE(chi_square(), 1e-9); /* equal bins, exactly */
        ddpm_schedule_free(s);
    }
}

static void a_stratified_timestep_is_uniform_within_its_part(void **state)
{
    (void)state;
    ddpm_schedule *s = process(false);
    draw(DDPM_DRAW_STRATIFIED, s, NULL);
    double sum = 0.0; /* of 25 timesteps: mean 12, variance 52 */
    for (size_t i = 0; i < N; i++) sum += (double)(level[i].index % 25) - 12.0;
    CHECK_LE(fabs(sum / N), 5.0 * sqrt(52.0 / N));
    ddpm_schedule_free(s);
}

/* Timesteps that two parts have a share of are as likely as the others. */
static void parts_may_cut_through_timesteps(void **state)
{
    (void)state;
    enum { STEPS = 10, CUT = 4 }; /* parts of 2.5 timesteps */
    ddpm_schedule *s = NULL;
    CHECK_OK(ddpm_schedule_create(&s, "linear", STEPS, 1e-4, 0.02));
    const ddpm_level_source source = {
        .kind = DDPM_DRAW_STRATIFIED, .seed = 7, .batch = CUT, .schedule = s
    };
    double seen[STEPS] = { 0.0 };
    ddpm_draw_levels(level, weight, sample, N, &source);
    for (size_t i = 0; i < N; i++) seen[level[i].index] += 1.0;
    /* 2000 each; timestep 2 is the sum of two draws of probability 1/5 in 5000 batches */
    for (size_t t = 0; t < STEPS; t++)
        CHECK_LE(fabs(seen[t] - (double)N / STEPS), 5.0 * sqrt((double)N / CUT * 0.4 * 0.6));
    ddpm_schedule_free(s);
}

/* Any place of a batch gets any part, and any two places get any two: place by place as random as
 * uniform timesteps. Chi-square over the parts of one place, and over the pairs of two. */
static void parts_do_not_belong_to_places_in_the_batch(void **state)
{
    (void)state;
    static const size_t batches[] = { 2, 3, 8, 20 };
    for (int flow = 0; flow < 2; flow++)
        for (size_t b = 0; b < sizeof batches / sizeof *batches; b++) {
            enum { MOST = 20 };
            const size_t batch = batches[b], steps = N / batch;
            if (!flow && 1000 % batch != 0) continue; /* a timestep would not tell its part */
            ddpm_schedule *s = process(flow);
            const ddpm_level_source source = {
                .kind = DDPM_DRAW_STRATIFIED, .seed = 11, .batch = batch, .schedule = s
            };
            double single[MOST][MOST] = { { 0.0 } }, pair[MOST][MOST] = { { 0.0 } };
            ddpm_draw_levels(level, weight, sample, N, &source);
            for (size_t i = 0; i < steps * batch; i++)
                single[i % batch][part_of(s, i, batch)] += 1.0;
            for (size_t i = 0; i < steps * batch; i += batch)
                pair[part_of(s, i, batch)][part_of(s, i + 1, batch)] += 1.0;
            const double each = (double)steps / (double)batch, free = (double)batch - 1.0;
            const double both = each / free, cells = (double)batch * free;
            double of_pairs = 0.0;
            for (size_t k = 0; k < batch; k++) {
                double of_place = 0.0;
                for (size_t p = 0; p < batch; p++) {
                    of_place += (single[k][p] - each) * (single[k][p] - each) / each;
                    if (p != k) of_pairs += (pair[k][p] - both) * (pair[k][p] - both) / both;
                }
                CHECK_LE(of_place, free + 5.0 * sqrt(2.0 * free));
                assert_true(pair[k][k] == 0.0);
            }
            CHECK_LE(of_pairs, cells + 5.0 * sqrt(2.0 * cells));
            ddpm_schedule_free(s);
        }
}

/* Part of the format of a run: these values, of an independent program in Python, may never change.
 */
static void stratified_timesteps_are_the_same_for_ever(void **state)
{
    (void)state;
    static const size_t expected[8] = { 316, 610, 945, 709, 440, 823, 227, 1 };
    ddpm_schedule *s = process(false);
    const ddpm_level_source source = {
        .kind = DDPM_DRAW_STRATIFIED, .seed = 42, .batch = 8, .schedule = s
    };
    ddpm_draw_levels(level, weight, sample + 8, 8, &source);
    for (size_t i = 0; i < 8; i++) assert_int_equal(level[i].index, expected[i]);
    ddpm_schedule_free(s);
}

static void draws_depend_on_the_sample_index_and_the_seed_alone(void **state)
{
    (void)state;
    for (int flow = 0; flow < 2; flow++) {
        ddpm_schedule *s = process(flow);
        static const ddpm_draw kinds[] = { DDPM_DRAW_UNIFORM, DDPM_DRAW_STRATIFIED,
                                           DDPM_DRAW_LOGIT_NORMAL };
        for (int k = 0; k < (flow ? 3 : 2); k++) {
            ddpm_level_source source = {
                .kind = kinds[k], .seed = 7, .batch = BATCH, .schedule = s
            };
            const uint64_t index[3] = { 5, 123456789012345, 77 };
            ddpm_level three[3], one, other[3];
            double w[3];
            ddpm_draw_levels(three, w, index, 3, &source);
            for (size_t i = 0; i < 3; i++) {
                ddpm_draw_levels(&one, w, index + i, 1, &source);
                assert_true(one.network == three[i].network);
            }
            source.seed = 8;
            ddpm_draw_levels(other, w, index, 3, &source);
            assert_true(other[0].network != three[0].network ||
                        other[1].network != three[1].network);
        }
        ddpm_schedule_free(s);
    }
}

static void times_of_a_flow_are_real_numbers_within_0_and_1(void **state)
{
    (void)state;
    ddpm_schedule *s = process(true);
    draw(DDPM_DRAW_UNIFORM, s, NULL);
    CHECK_LE(chi_square(), 19 + 5 * sqrt(38));
    for (size_t i = 0; i < N; i++) {
        assert_true(level[i].noise > 0.0 && level[i].noise < 1.0);
        CHECK_LE(fabs(level[i].signal + level[i].noise - 1.0), 1e-15);
        CHECK_LE(fabs(level[i].network - 1000.0 * level[i].noise), 1e-9);
        assert_int_equal(level[i].index, (size_t)(1000.0 * level[i].noise));
    }
    ddpm_schedule_free(s);
}

/* log(t / (1 - t)) is standard normal. */
static void logit_normal_times_have_normal_logits(void **state)
{
    (void)state;
    ddpm_schedule *s = process(true);
    draw(DDPM_DRAW_LOGIT_NORMAL, s, NULL);
    double sum = 0.0, squares = 0.0;
    for (size_t i = 0; i < N; i++) {
        const double z = log(level[i].noise / level[i].signal);
        sum += z;
        squares += z * z;
    }
    CHECK_LE(fabs(sum / N), 5.0 / sqrt(N));
    CHECK_LE(fabs(squares / N - 1.0), 5.0 * sqrt(2.0 / N));
    ddpm_schedule_free(s);
}

/* Losses that grow with t: 1 + t / 100. */
static ddpm_importance *learned(size_t rounds)
{
    ddpm_importance *importance = NULL;
    CHECK_OK(ddpm_importance_create(&importance, 1000));
    for (size_t r = 0; r < rounds; r++)
        for (size_t t = 0; t < 1000; t++) {
            const double loss = 1.0 + (double)t / 100.0;
            ddpm_importance_add(importance, &t, &loss, 1);
        }
    return importance;
}

static void importance_waits_for_ten_losses_everywhere(void **state)
{
    (void)state;
    ddpm_schedule *s = process(false);
    ddpm_importance *importance = learned(9);
    draw(DDPM_DRAW_IMPORTANCE, s, importance);
    CHECK_LE(chi_square(), 19 + 5 * sqrt(38));
    assert_true(weight[0] == 1.0);
    ddpm_importance_free(importance);
    ddpm_schedule_free(s);
}

static void important_timesteps_come_more_often_and_weigh_less(void **state)
{
    (void)state;
    ddpm_schedule *s = process(false);
    ddpm_importance *importance = learned(10);
    draw(DDPM_DRAW_IMPORTANCE, s, importance);
    double total = 0.0;
    for (size_t t = 0; t < 1000; t++) {
        const double p = ddpm_importance_probability(importance, t);
        /* the sum of 1 + t / 100 over 1000 timesteps is 5995 */
        const double want = 0.999 * (1.0 + (double)t / 100.0) / 5995.0 + 0.001 / 1000.0;
        CHECK_LE(fabs(p - want), 1e-6 * want);
        total += p;
    }
    CHECK_LE(fabs(total - 1.0), 1e-12);
    /* The weighted mean of the loss is that of uniform timesteps, 5.995, and it hardly varies: so
     * it does with any function; of 1 the weights' own spread is left. */
    double loss = 0.0, mass = 0.0;
    for (size_t i = 0; i < N; i++) {
        loss += weight[i] * (1.0 + (double)level[i].index / 100.0) / N;
        mass += weight[i] / N;
    }
    CHECK_LE(fabs(loss - 5.995), 0.01);
    CHECK_LE(fabs(mass - 1.0), 5.0 * 0.8 / sqrt(N));
    CHECK_LE(1000.0, chi_square());
    ddpm_importance_free(importance);
    ddpm_schedule_free(s);
}

/* Losses over six decades, so that their squares added in another order round to another sum, and
 * rings that begin anywhere. */
static void a_restored_history_has_the_same_probabilities_bit_for_bit(void **state)
{
    (void)state;
    enum { T = 50 };
    float saved[T * DDPM_IMPORTANCE_HISTORY];
    ddpm_importance *a = NULL, *b = NULL;
    CHECK_OK(ddpm_importance_create(&a, T));
    CHECK_OK(ddpm_importance_create(&b, T));
    for (size_t t = 0; t < T; t++)
        for (size_t i = 0; i < DDPM_IMPORTANCE_HISTORY + t % DDPM_IMPORTANCE_HISTORY; i++) {
            const double loss = pow(10.0, 3.0 * sin(7.0 * (double)i + 3.0 * (double)t));
            ddpm_importance_add(a, &t, &loss, 1);
        }
    ddpm_importance_get(saved, a);
    ddpm_importance_set(b, saved);
    for (size_t t = 0; t < T; t++)
        assert_true(ddpm_importance_probability(a, t) == ddpm_importance_probability(b, t));
    ddpm_importance_free(a);
    ddpm_importance_free(b);
}

static void a_losses_history_survives_a_checkpoint(void **state)
{
    (void)state;
    enum { T = 7 };
    float saved[T * DDPM_IMPORTANCE_HISTORY], again[T * DDPM_IMPORTANCE_HISTORY];
    ddpm_importance *a = NULL, *b = NULL;
    CHECK_OK(ddpm_importance_create(&a, T));
    CHECK_OK(ddpm_importance_create(&b, T));
    for (size_t i = 0; i < 100; i++) { /* timestep 6 rarely: its ring is not full */
        const size_t t = i % 17 == 0 ? 6 : i % 6;
        const double loss = sin((double)i) + 2.0;
        ddpm_importance_add(a, &t, &loss, 1);
    }
    ddpm_importance_get(saved, a);
    ddpm_importance_set(b, saved);
    for (size_t i = 0; i < 60; i++) { /* both go on alike */
        const size_t t = i % T;
        const double loss = (double)i;
        ddpm_importance_add(a, &t, &loss, 1);
        ddpm_importance_add(b, &t, &loss, 1);
    }
    for (size_t t = 0; t < T; t++)
        assert_true(ddpm_importance_probability(a, t) == ddpm_importance_probability(b, t));
    ddpm_importance_get(saved, a);
    ddpm_importance_get(again, b);
    assert_memory_equal(saved, again, sizeof saved);
    const size_t t = 0;
    const double bad[] = { (double)NAN, 1e39 }; /* not finite in float32: left out */
    for (size_t i = 0; i < 2; i++) ddpm_importance_add(a, &t, &bad[i], 1);
    ddpm_importance_get(again, a);
    assert_memory_equal(saved, again, sizeof saved);
    ddpm_importance_free(a);
    ddpm_importance_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(uniform_timesteps_are_uniform),
        cmocka_unit_test(a_stratified_batch_has_one_image_in_each_part),
        cmocka_unit_test(a_stratified_timestep_is_uniform_within_its_part),
        cmocka_unit_test(parts_may_cut_through_timesteps),
        cmocka_unit_test(parts_do_not_belong_to_places_in_the_batch),
        cmocka_unit_test(stratified_timesteps_are_the_same_for_ever),
        cmocka_unit_test(draws_depend_on_the_sample_index_and_the_seed_alone),
        cmocka_unit_test(times_of_a_flow_are_real_numbers_within_0_and_1),
        cmocka_unit_test(logit_normal_times_have_normal_logits),
        cmocka_unit_test(importance_waits_for_ten_losses_everywhere),
        cmocka_unit_test(important_timesteps_come_more_often_and_weigh_less),
        cmocka_unit_test(a_restored_history_has_the_same_probabilities_bit_for_bit),
        cmocka_unit_test(a_losses_history_survives_a_checkpoint),
    };
    return cmocka_run_group_tests(tests, count_samples, NULL);
}
