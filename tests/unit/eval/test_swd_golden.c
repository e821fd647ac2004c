/* Pyramids and the sliced Wasserstein distance above one level, against numpy
 * (tests/golden/swd.py). */
#include "check.h"
#include "inception_case.h"
#include "numeric.h"

#include "ddpm/eval/swd.h"
#include "ddpm/io/sealed_file.h"
#include "ddpm/kernels/isa.h"
#include "npz.h"
#include "pyramid.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { IMAGES = 70, PATCHES = 3, DIRECTIONS = 10, SEED = 5 }; /* as there */

static const struct {
    const char *name;
    ddpm_shape shape;
    size_t levels;
} cases[] = { { "colour", { IMAGES, 32, 32, 3 }, 2 }, { "grey", { IMAGES, 64, 64, 1 }, 3 } };
enum { CASES = sizeof cases / sizeof *cases };

static npz_array golden_array(const char *name)
{
    char *text;
    size_t bytes;
    npz_array array;
    CHECK_OK(ddpm_read_file(&text, &bytes, DDPM_GOLDEN_DIR "/swd.npz", 1 << 20));
    CHECK_OK(npz_read(&array, (unsigned char *)text, bytes, name, 1 << 20, "swd.npz"));
    free(text);
    return array;
}

typedef struct {
    float *x;
    size_t values; /* of an image */
} set;

static double *uniform(const char *name, const char *set_name, const char *what, size_t count)
{
    char key[64];
    double *u = malloc(count * sizeof *u);
    assert_non_null(u);
    snprintf(key, sizeof key, "%s %s %s", name, set_name, what);
    case_uniform(u, count, key);
    return u;
}

/* Blocks of 8x8 and noise, of unlike scale and mean by channel. */
static set make_set(size_t index, const char *set_name, double coarse, double fine)
{
    const ddpm_shape s = cases[index].shape;
    const set made = { malloc(ddpm_shape_count(s) * sizeof(float)), s.h * s.w * s.c };
    double *blocks = uniform(cases[index].name, set_name, "coarse", ddpm_shape_count(s) / 64);
    double *noise = uniform(cases[index].name, set_name, "fine", ddpm_shape_count(s));
    assert_non_null(made.x);
    for (size_t i = 0; i < ddpm_shape_count(s); i++) {
        const size_t c = i % s.c, x = i / s.c % s.w, y = i / s.c / s.w % s.h, n = i / made.values;
        const double block = blocks[((n * (s.h / 8) + y / 8) * (s.w / 8) + x / 8) * s.c + c];
        made.x[i] = (float)((coarse * block + fine * noise[i] - 1.0) * (1.0 + (double)c / 2.0) +
                            (double)c / 4.0);
    }
    free(blocks);
    free(noise);
    return made;
}

static ddpm_status read_set(float *x, size_t first, size_t count, void *context)
{
    const set *from = context;
    memcpy(x, from->x + first * from->values, count * from->values * sizeof *x);
    return DDPM_OK;
}

static void levels_of_a_pyramid_are_those_of_numpy(void **state)
{
    (void)state;
    float down[64 * 64], up[64 * 64];
    for (size_t k = 0; k < CASES; k++) {
        set samples = make_set(k, "samples", 1.5, 0.5);
        ddpm_shape s = cases[k].shape;
        for (size_t level = 0; level < cases[k].levels; level++) {
            const size_t count = s.h * s.w * s.c;
            char name[32];
            float *image = samples.x; /* the first */
            snprintf(name, sizeof name, "%s_level%zu", cases[k].name, level);
            npz_array expected = golden_array(name);
            assert_int_equal(expected.count, count);
            if (level + 1 < cases[k].levels) {
                const ddpm_shape half = { s.n, s.h / 2, s.w / 2, s.c };
                pyramid_down(down, image, s);
                pyramid_up(up, down, half);
                for (size_t i = 0; i < count; i++) image[i] -= up[i];
                s = half;
            }
            CHECK_LE(max_error(image, expected.values, count), 4e-7);
            memcpy(image, down, s.h * s.w * s.c * sizeof *image);
            free(expected.values);
        }
        free(samples.x);
    }
}

static void distances_of_all_levels_are_those_of_numpy(void **state)
{
    (void)state;
    for (size_t k = 0; k < CASES; k++) {
        set samples = make_set(k, "samples", 1.5, 0.5), data = make_set(k, "data", 1.0, 1.0);
        npz_array expected = golden_array(cases[k].name);
        ddpm_swd out;
        double mean = 0.0;
        CHECK_OK(ddpm_swd_of(&out, &(ddpm_swd_options){ .shape = cases[k].shape,
                                                        .patches = PATCHES,
                                                        .directions = DIRECTIONS,
                                                        .seed = SEED,
                                                        .read = { read_set, read_set },
                                                        .context = { &samples, &data } }));
        assert_true(out.levels == cases[k].levels && expected.count == out.levels);
        for (size_t level = 0; level < out.levels; level++) {
            assert_int_equal(out.side[level], cases[k].shape.h >> level);
            CHECK_LE(fabs(out.distance[level] / expected.values[level] - 1.0), 1.5e-7);
            mean += expected.values[level] / (double)out.levels;
        }
        CHECK_LE(fabs(out.mean / mean - 1.0), 1.5e-7);
        free(expected.values);
        free(samples.x);
        free(data.x);
    }
}

int main(void)
{
    if (ddpm_kernels_init() != DDPM_OK) return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(levels_of_a_pyramid_are_those_of_numpy),
        cmocka_unit_test(distances_of_all_levels_are_those_of_numpy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
