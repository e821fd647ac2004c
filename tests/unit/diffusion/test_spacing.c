#include "check.h"
#include "golden.h"

#include "ddpm/diffusion/schedule.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void one_section_is_improved_diffusions(void **state)
{
    (void)state;
    golden *file = golden_open("schedule");
    static const size_t counts[] = { 10, 25, 50, 100, 250 };
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
        const size_t count = counts[c];
        int64_t *want = golden_i64(file, NULL, "spaced/T1000_%zu/timesteps", count);
        size_t got[250];
        CHECK_OK(ddpm_spacing(got, count, "sections", 1000));
        for (size_t i = 0; i < count; i++) assert_int_equal(got[i], want[i]);
        free(want);
    }
    golden_close(file);
}

static void leading_is_improved_diffusions_ddim(void **state)
{
    (void)state;
    golden *file = golden_open("schedule");
    static const size_t counts[] = { 10, 25, 50, 100, 250 };
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
        const size_t count = counts[c];
        int64_t *want = golden_i64(file, NULL, "spaced/T1000_ddim%zu/timesteps", count);
        size_t got[250];
        CHECK_OK(ddpm_spacing(got, count, "leading", 1000));
        for (size_t i = 0; i < count; i++) assert_int_equal(got[i], want[i]);
        free(want);
    }
    golden_close(file);
}

static void several_sections_are_improved_diffusions(void **state)
{
    (void)state;
    golden *file = golden_open("schedule");
    size_t count, want_count, *got = NULL;
    int64_t *want = golden_i64(file, &want_count, "spaced/T300_10_15_20/timesteps");
    CHECK_OK(ddpm_spacing_sections(&got, &count, (const size_t[]){ 10, 15, 20 }, 3, 300));
    assert_int_equal(count, want_count);
    for (size_t i = 0; i < count; i++) assert_int_equal(got[i], want[i]);
    free(got);
    free(want);
    golden_close(file);

    /* 10 = 4 + 3 + 3: the first sections are one longer. */
    CHECK_OK(ddpm_spacing_sections(&got, &count, (const size_t[]){ 2, 1, 2 }, 3, 10));
    static const size_t uneven[] = { 0, 3, 4, 7, 9 };
    assert_int_equal(count, 5);
    assert_memory_equal(got, uneven, sizeof uneven);
    free(got);
}

/* numpy: (np.linspace(0, np.sqrt(800), 10) ** 2).astype(int) */
static void quadratic_is_ddims(void **state)
{
    (void)state;
    static const size_t want[] = { 0, 9, 39, 88, 158, 246, 355, 483, 632, 800 };
    size_t got[10];
    CHECK_OK(ddpm_spacing(got, 10, "quadratic", 1000));
    assert_memory_equal(got, want, sizeof want);

    /* With 50 steps numpy gives 0, 0, 1, 2, 5: the second 0 moves up, and what it then meets. */
    static const size_t start[] = { 0, 1, 2, 3, 5, 8 };
    size_t fifty[50];
    CHECK_OK(ddpm_spacing(fifty, 50, "quadratic", 1000));
    assert_memory_equal(fifty, start, sizeof start);
    assert_int_equal(fifty[49], 800);
}

static void spread_has_both_ends(void **state)
{
    (void)state;
    static const size_t want[] = { 0, 250, 500, 749, 999 };
    size_t got[5];
    CHECK_OK(ddpm_spacing(got, 5, "spread", 1000));
    assert_memory_equal(got, want, sizeof want);
    CHECK_OK(ddpm_spacing(got, 1, "spread", 1000));
    assert_int_equal(got[0], 999);
}

static void every_spacing_of_every_count_ascends_strictly(void **state)
{
    (void)state;
    static const size_t lengths[] = { 1, 2, 3, 10, 37, 100 };
    size_t got[100];
    for (size_t k = 0; ddpm_spacing_names[k]; k++)
        for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++)
            for (size_t count = 1; count <= lengths[l]; count++) {
                if (strcmp(ddpm_spacing_names[k], "karras") == 0) { /* of no timesteps */
                    CHECK_STATUS(ddpm_spacing(got, count, "karras", lengths[l]), DDPM_ECONFIG);
                    continue;
                }
                CHECK_OK(ddpm_spacing(got, count, ddpm_spacing_names[k], lengths[l]));
                assert_true(got[count - 1] < lengths[l]);
                for (size_t i = 1; i < count; i++) assert_true(got[i] > got[i - 1]);
            }
}

static void an_impossible_spacing_is_refused(void **state)
{
    (void)state;
    size_t got[11], count, *list = NULL;
    CHECK_STATUS(ddpm_spacing(got, 0, "leading", 10), DDPM_ECONFIG);
    CHECK_STATUS(ddpm_spacing(got, 11, "spread", 10), DDPM_ECONFIG);
    CHECK_MESSAGE("11 of 10");
    CHECK_STATUS(ddpm_spacing(got, 5, "quadratik", 10), DDPM_ECONFIG);
    CHECK_MESSAGE("'quadratic'");
    CHECK_STATUS(ddpm_spacing_sections(&list, &count, (const size_t[]){ 5, 6 }, 2, 10),
                 DDPM_ECONFIG);
    CHECK_MESSAGE("section 2");
    CHECK_STATUS(ddpm_spacing_sections(&list, &count, (const size_t[]){ 1 }, 0, 10), DDPM_ECONFIG);
    assert_null(list);
}

/* Karras et al. 2022 eq. 5: sigma^(1/7) in equal steps, and the network's time between its
 * timesteps where the noise is. */
static void karras_spacing_has_the_noise_levels_of_its_paper(void **state)
{
    (void)state;
    ddpm_schedule *full = NULL, *spaced = NULL;
    CHECK_OK(ddpm_schedule_create(&full, "linear", 1000, 1e-4, 0.02));
    CHECK_OK(ddpm_schedule_space(&spaced, full, "karras", 8));
    const double low = pow(1.0 / full->alpha_bar[0] - 1.0, 1.0 / 14.0);
    const double high = pow(1.0 / full->alpha_bar[999] - 1.0, 1.0 / 14.0);
    for (size_t i = 0; i < 8; i++) {
        const double sigma = pow(low + (double)i / 7.0 * (high - low), 7.0);
        CHECK_LE(fabs(1.0 / spaced->alpha_bar[i] - 1.0 - sigma * sigma), 1e-9 * sigma * sigma);
        const size_t below = (size_t)spaced->timestep[i];
        CHECK_LE(full->alpha_bar[below < 999 ? below + 1 : below] - 1e-12, spaced->alpha_bar[i]);
        CHECK_LE(spaced->alpha_bar[i], full->alpha_bar[below] + 1e-12);
    }
    CHECK_LE(fabs(spaced->timestep[0]), 1e-9);
    CHECK_LE(fabs(spaced->timestep[7] - 999.0), 1e-9);
    ddpm_schedule_free(spaced);
    CHECK_STATUS(ddpm_schedule_space(&spaced, full, "karras", 1), DDPM_ECONFIG);
    CHECK_MESSAGE("--steps 2 or more");
    ddpm_schedule_free(full);
    CHECK_OK(ddpm_schedule_create(&full, "jsd", 10, 1e-4, 0.02)); /* ends without signal */
    CHECK_STATUS(ddpm_schedule_space(&spaced, full, "karras", 4), DDPM_ECONFIG);
    CHECK_MESSAGE("another spacing, such as spread");
    ddpm_schedule_free(full);
}

/* Half of the levels would otherwise lie where there is no signal. The linear schedule, which ends
 * below that, has all of its levels. */
static void karras_spacing_spares_the_levels_that_hold_nothing_of_an_image(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        bool goes_beyond;
    } cases[] = { { "linear", false }, { "quad", false },    { "cosine", true },
                  { "const", true },   { "warmup10", true }, { "warmup50", true } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ddpm_schedule *full = NULL, *spaced = NULL;
        CHECK_OK(ddpm_schedule_create(&full, cases[i].name, 1000, 1e-4, 0.02));
        CHECK_OK(ddpm_schedule_space(&spaced, full, "karras", 20));
        const double end = sqrt(1.0 / full->alpha_bar[999] - 1.0);
        const double want = cases[i].goes_beyond ? 200.0 : end;
        assert_int_equal(end > 200.0, cases[i].goes_beyond);
        CHECK_LE(fabs(sqrt(1.0 / spaced->alpha_bar[19] - 1.0) - want), 1e-8 * want);
        CHECK_LE(fabs(spaced->timestep[19] - 999.0), cases[i].goes_beyond ? 1000.0 : 1e-9);
        size_t above = 0;
        for (size_t k = 0; k < 20; k++) above += 1.0 / spaced->alpha_bar[k] - 1.0 > 80.0 * 80.0;
        assert_in_range(above, 0, 4);
        ddpm_schedule_free(spaced);
        ddpm_schedule_free(full);
    }
}

static void a_flow_has_equal_steps(void **state)
{
    (void)state;
    ddpm_schedule *full = NULL, *spaced = NULL;
    CHECK_OK(ddpm_schedule_flow(&full, 1000));
    CHECK_OK(ddpm_schedule_space(&spaced, full, "leading", 4));
    for (size_t i = 0; i < 4; i++) {
        const double t = (double)(i + 1) / 4.0;
        assert_true(spaced->sqrt_one_minus_alpha_bar[i] == t);
        assert_true(spaced->sqrt_alpha_bar[i] == 1.0 - t);
        assert_true(spaced->timestep[i] == 1000.0 * t);
    }
    ddpm_schedule_free(spaced);
    ddpm_schedule_free(full);
}

static void the_nearest_step_is_found(void **state)
{
    (void)state;
    ddpm_schedule *full = NULL, *spaced = NULL;
    CHECK_OK(ddpm_schedule_create(&full, "linear", 1000, 1e-4, 0.02));
    CHECK_OK(ddpm_schedule_space(&spaced, full, "leading", 50)); /* 0, 20, .. 980 */
    assert_int_equal(ddpm_schedule_nearest(full, 999.0), 999);
    assert_int_equal(ddpm_schedule_nearest(spaced, 0.0), 0);
    assert_int_equal(ddpm_schedule_nearest(spaced, 509.0), 25);
    assert_int_equal(ddpm_schedule_nearest(spaced, 510.0), 25); /* of two the lower */
    assert_int_equal(ddpm_schedule_nearest(spaced, 511.0), 26);
    assert_int_equal(ddpm_schedule_nearest(spaced, 5000.0), 49);
    ddpm_schedule_free(spaced);
    ddpm_schedule_free(full);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_section_is_improved_diffusions),
        cmocka_unit_test(leading_is_improved_diffusions_ddim),
        cmocka_unit_test(several_sections_are_improved_diffusions),
        cmocka_unit_test(quadratic_is_ddims),
        cmocka_unit_test(spread_has_both_ends),
        cmocka_unit_test(karras_spacing_has_the_noise_levels_of_its_paper),
        cmocka_unit_test(karras_spacing_spares_the_levels_that_hold_nothing_of_an_image),
        cmocka_unit_test(a_flow_has_equal_steps),
        cmocka_unit_test(the_nearest_step_is_found),
        cmocka_unit_test(every_spacing_of_every_count_ascends_strictly),
        cmocka_unit_test(an_impossible_spacing_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
