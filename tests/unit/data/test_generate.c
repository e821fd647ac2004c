#include "ddpm/data/generate.h"

#include "check.h"
#include "ddpm/data/dataset.h"
#include "scratch.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void shapes_have_all_kinds_and_soft_edges(void **state)
{
    (void)state;
    enum { SIDE = 32, N = 600 };
    int count[DDPM_SHAPE_KINDS] = { 0 };
    for (uint64_t i = 0; i < N; i++) {
        uint8_t image[SIDE * SIDE * 3], again[SIDE * SIDE * 3];
        int64_t kind, kind_again;
        ddpm_generate_shape(image, &kind, SIDE, 7, i);
        assert_in_range(kind, 0, DDPM_SHAPE_KINDS - 1);
        count[kind]++;
        if (i % 50 != 0) continue;
        ddpm_generate_shape(again, &kind_again, SIDE, 7, i);
        assert_memory_equal(image, again, sizeof image);
        ddpm_generate_shape(again, &kind_again, SIDE, 8, i);
        assert_memory_not_equal(image, again, sizeof image);
    }
    for (int k = 0; k < DDPM_SHAPE_KINDS; k++) CHECK_LE(abs(count[k] - 100), 40);
}

/* Only the pixels differ: the mean over those of the fine image is the coarse one. */
static void a_shape_is_the_same_at_any_resolution(void **state)
{
    (void)state;
    enum { FINE = 128, COARSE = 32, RATIO = FINE / COARSE };
    for (uint64_t i = 0; i < 12; i++) {
        static uint8_t fine[FINE * FINE * 3], coarse[COARSE * COARSE * 3];
        int64_t kind, coarse_kind;
        ddpm_generate_shape(fine, &kind, FINE, 3, i);
        ddpm_generate_shape(coarse, &coarse_kind, COARSE, 3, i);
        assert_int_equal(kind, coarse_kind);
        double error = 0.0;
        for (size_t h = 0; h < COARSE; h++)
            for (size_t w = 0; w < COARSE; w++)
                for (size_t c = 0; c < 3; c++) {
                    double sum = 0.0;
                    for (size_t k = 0; k < RATIO * RATIO; k++) {
                        const size_t y = RATIO * h + k / RATIO, x = RATIO * w + k % RATIO;
                        sum += fine[(y * FINE + x) * 3 + c];
                    }
                    error += fabs(sum / (double)(RATIO * RATIO) - coarse[(h * COARSE + w) * 3 + c]);
                }
        /* Without anti-aliasing it is above 3. */
        CHECK_LE(error / (COARSE * COARSE * 3), 1.2);
    }
}

static void gaussian_images_have_the_stated_moments(void **state)
{
    (void)state;
    enum { SIDE = 6, C = 2, N = 20000, VALUES = SIDE * SIDE * C };
    const ddpm_generate_options options = {
        .size = SIDE, .channels = C, .seed = 5, .mean = 0.3, .std = 0.5, .correlation = 0.7
    };
    /* Covariances with the value at row 1, column 2 of channel 0. */
    static double sum[VALUES], with[VALUES], square[VALUES];
    const size_t origin = (1 * SIDE + 2) * C;
    for (uint64_t i = 0; i < N; i++) {
        float x[VALUES];
        ddpm_generate_gaussian(x, &options, i);
        for (size_t k = 0; k < VALUES; k++) {
            const double off = (double)x[k] - 0.3;
            sum[k] += off;
            square[k] += off * off;
            with[k] += off * ((double)x[origin] - 0.3);
        }
    }
    /* Five deviations of each estimate. */
    for (size_t h = 0; h < SIDE; h++)
        for (size_t w = 0; w < SIDE; w++)
            for (size_t c = 0; c < C; c++) {
                const size_t k = (h * SIDE + w) * C + c;
                const double distance = fabs((double)h - 1.0) + fabs((double)w - 2.0);
                const double expected = c == 0 ? 0.25 * pow(0.7, distance) : 0.0;
                CHECK_LE(fabs(sum[k] / N), 5 * 0.5 / sqrt(N));
                CHECK_LE(fabs(square[k] / N - 0.25), 5 * 0.25 * sqrt(2.0 / N));
                CHECK_LE(fabs(with[k] / N - expected), 5 * 0.25 * sqrt(2.0 / N));
            }
}

static void generated_sets_are_whole_and_described(void **state)
{
    (void)state;
    ddpm_generate_options options = {
        .output = scratch_path("shapes.h5"), .n = 700, .size = 16, .channels = 3, .seed = 1
    };
    ddpm_dataset *set;
    CHECK_OK(ddpm_generator_find("shapes")->run(&options));
    CHECK_OK(ddpm_dataset_open(&set, options.output));
    CHECK_OK(ddpm_dataset_verify(set));
    assert_int_equal(ddpm_dataset_get_info(set)->shape.n, 700);
    assert_int_equal(ddpm_dataset_get_info(set)->classes, DDPM_SHAPE_KINDS);
    uint8_t image[16 * 16 * 3];
    float x[16 * 16 * 3];
    int64_t kind, label;
    ddpm_generate_shape(image, &kind, 16, 1, 699);
    CHECK_OK(ddpm_dataset_read(set, x, &label, (uint64_t[]){ 699 }, NULL, 1));
    assert_int_equal(label, kind);
    for (size_t k = 0; k < sizeof image; k++) assert_true(x[k] == (float)(image[k] / 127.5 - 1.0));
    char *names = ddpm_dataset_text(set, "class_names");
    assert_string_equal(names, "circle\nring\ntriangle\nsquare\nstar\ncross");
    free(names);
    ddpm_dataset_close(set);

    options = (ddpm_generate_options){ .output = scratch_path("gaussian.h5"),
                                       .n = 50,
                                       .size = 8,
                                       .channels = 1,
                                       .mean = 0.1,
                                       .std = 0.25,
                                       .correlation = 0.9 };
    CHECK_OK(ddpm_generator_find("gaussian")->run(&options));
    CHECK_OK(ddpm_dataset_open(&set, options.output));
    double value;
    assert_true(ddpm_dataset_number(&value, set, "gaussian_mean") && value == 0.1);
    assert_true(ddpm_dataset_number(&value, set, "gaussian_std") && value == 0.25);
    assert_true(ddpm_dataset_number(&value, set, "gaussian_correlation") && value == 0.9);
    float expected[64];
    ddpm_generate_gaussian(expected, &options, 49);
    CHECK_OK(ddpm_dataset_read(set, x, NULL, (uint64_t[]){ 49 }, NULL, 1));
    assert_memory_equal(x, expected, sizeof expected);
    ddpm_dataset_close(set);
}

static void what_makes_no_set_is_refused(void **state)
{
    (void)state;
    const char *path = scratch_path("bad.h5");
    const ddpm_generator *shapes = ddpm_generator_find("shapes");
    const ddpm_generator *gaussian = ddpm_generator_find("gaussian");
    ddpm_generate_options o = { .output = path, .n = 1, .size = 8, .channels = 1, .std = 1.0 };
    CHECK_STATUS(shapes->run(&o), DDPM_EUSAGE);
    o.channels = 3;
    o.size = 7;
    CHECK_STATUS(shapes->run(&o), DDPM_EUSAGE);
    o.correlation = 1.0;
    CHECK_STATUS(gaussian->run(&o), DDPM_EUSAGE);
    o.correlation = 0.5;
    o.std = 0.0;
    CHECK_STATUS(gaussian->run(&o), DDPM_EUSAGE);
    assert_null(ddpm_generator_find("noise"));
    assert_false(scratch_exists(path));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shapes_have_all_kinds_and_soft_edges),
        cmocka_unit_test(a_shape_is_the_same_at_any_resolution),
        cmocka_unit_test(gaussian_images_have_the_stated_moments),
        cmocka_unit_test(generated_sets_are_whole_and_described),
        cmocka_unit_test(what_makes_no_set_is_refused),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
