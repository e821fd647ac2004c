/* Features of the whole network against PyTorch's, in float64, and Frechet distances against
 * pytorch-fid's formula. */
#include "check.h"
#include "inception_case.h"
#include "npz.h"
#include "numeric.h"
#include "scratch.h"

#include "ddpm/eval/frechet.h"
#include "ddpm/eval/inception.h"
#include "ddpm/io/sealed_file.h"
#include "ddpm/kernels/isa.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { D = DDPM_INCEPTION_FEATURES };
static ddpm_inception *network;
static char hash[DDPM_SHA256_HEX];

static int load(void **state)
{
    if (scratch_make(state) != 0) return 1;
    const char *path = scratch_path("inception.safetensors");
    case_write_safetensors(path);
    CHECK_OK(ddpm_inception_create(&network));
    CHECK_OK(ddpm_inception_load(network, hash, path));
    return 0;
}

static int unload(void **state)
{
    ddpm_inception_free(network);
    return scratch_remove(state);
}

static npz_array golden_array(const char *name)
{
    char *text;
    size_t bytes;
    npz_array array;
    CHECK_OK(ddpm_read_file(&text, &bytes, DDPM_GOLDEN_DIR "/inception.npz", 1 << 20));
    CHECK_OK(npz_read(&array, (unsigned char *)text, bytes, name, 1 << 20, "inception.npz"));
    free(text);
    return array;
}

static const struct {
    const char *name;
    ddpm_shape shape;
} images[] = { { "grey", { 1, 32, 32, 1 } },
               { "colour", { 1, 40, 36, 3 } },
               { "large", { 1, 311, 420, 3 } } };
enum { IMAGES = sizeof images / sizeof *images };

/* Features of `n` equal images, of which an image alone has each. */
static void features_of(float *features, size_t image, size_t n)
{
    ddpm_shape shape = images[image].shape;
    const size_t count = ddpm_shape_count(shape);
    float *x = malloc(n * count * sizeof *x);
    assert_non_null(x);
    shape.n = n;
    for (size_t i = 0; i < n; i++) case_image(x + i * count, count, images[image].name);
    ddpm_inception_features(features, x, shape, network);
    free(x);
}

static void features_are_those_of_pytorch(void **state)
{
    (void)state;
    npz_array expected = golden_array("features");
    assert_true(expected.rank == 2 && expected.size[0] == IMAGES && expected.size[1] == D);
    for (size_t i = 0; i < IMAGES; i++) {
        float features[D];
        features_of(features, i, 1);
        CHECK_LE(rms_error(features, expected.values + i * D, D), 5e-7);
        CHECK_LE(max_error(features, expected.values + i * D, D), 2e-6);
        /* And the test would see the wrong image. */
        CHECK_LE(0.01, rms_error(features, expected.values + (i + 1) % IMAGES * D, D));
    }
    free(expected.values);
}

static void an_image_has_its_features_in_any_place_of_a_batch(void **state)
{
    (void)state;
    float *several = malloc((3 + 1) * D * sizeof *several), *one = several + (size_t)3 * D;
    assert_non_null(several);
    features_of(several, 0, 3);
    features_of(one, 0, 1);
    for (size_t i = 0; i < 3; i++) CHECK_LE(max_error_f32(several + i * D, one, D), 1e-6);
    free(several);
}

static void any_number_of_threads_gives_the_same_bits(void **state)
{
    (void)state;
    static const int threads[] = { 1, 3 };
    float *features = malloc((size_t)2 * D * sizeof *features);
    const int before = ddpm_kernels_threads();
    assert_non_null(features);
    for (size_t i = 0; i < 2; i++) {
        ddpm_kernels_set_threads(threads[i]);
        features_of(features + i * D, 1, 1);
    }
    ddpm_kernels_set_threads(before);
    assert_memory_equal(features, features + D, D * sizeof *features);
    free(features);
}

static void images_are_rounded_to_bytes(void **state)
{
    (void)state;
    float x[2 * 2 * 3] = { -1.7f, -1.0f, -0.9999f, -0.5f, 0.0f, 0.001f,
                           0.4f,  0.5f,  0.999f,   1.0f,  1.2f, 9.0f };
    const float bytes[] = { 0, 0, 0, 64, 128, 128, 178, 191, 255, 255, 255, 255 };
    float features[D];
    ddpm_inception_features(features, x, (ddpm_shape){ 1, 2, 2, 3 }, network);
    for (size_t i = 0; i < 12; i++) CHECK_LE(fabsf((x[i] + 1.0f) * 127.5f - bytes[i]), 1e-4);
}

static void grey_and_three_colours_are_accepted(void **state)
{
    (void)state;
    for (size_t c = 1; c < 6; c++)
        CHECK_STATUS(ddpm_inception_accepts((ddpm_shape){ 1, 8, 8, c }),
                     c == 1 || c == 3 ? DDPM_OK : DDPM_ECONFIG);
}

static void the_same_weights_as_hdf5_have_the_same_hash_and_bits(void **state)
{
    (void)state;
    char other_hash[DDPM_SHA256_HEX];
    const char *path = scratch_path("inception.h5");
    ddpm_inception *other;
    size_t floats, other_floats;
    case_write_h5(path);
    CHECK_OK(ddpm_inception_create(&other));
    CHECK_OK(ddpm_inception_load(other, other_hash, path));
    const float *w = ddpm_inception_weights(network, &floats);
    const float *other_w = ddpm_inception_weights(other, &other_floats);
    assert_string_equal(other_hash, hash);
    assert_int_equal(other_floats, floats);
    assert_memory_equal(other_w, w, floats * sizeof *w);
    ddpm_inception_free(other);
}

static double distance_of(const char *a_name, const char *b_name)
{
    const char *names[] = { a_name, b_name };
    ddpm_feature_stats stats[2];
    double distance;
    for (size_t i = 0; i < 2; i++) {
        npz_array array = golden_array(names[i]);
        float *features = malloc(array.count * sizeof *features);
        assert_non_null(features);
        for (size_t j = 0; j < array.count; j++) features[j] = (float)array.values[j];
        CHECK_OK(ddpm_feature_stats_of(&stats[i], features, array.size[0], array.size[1], NULL));
        free(features);
        free(array.values);
    }
    CHECK_OK(ddpm_frechet_distance(&distance, &stats[0], &stats[1]));
    ddpm_feature_stats_free(&stats[0]);
    ddpm_feature_stats_free(&stats[1]);
    return distance;
}

/* The second pair has fewer features than dimensions: there the roots of what should be 0 differ by
 * rounding, in either implementation. */
static void distances_are_those_of_pytorch_fid(void **state)
{
    (void)state;
    npz_array fid = golden_array("fid");
    CHECK_LE(fabs(distance_of("fid_a", "fid_b") / fid.values[0] - 1.0), 1e-9);
    CHECK_LE(fabs(distance_of("fid_few_a", "fid_few_b") / fid.values[1] - 1.0), 1e-6);
    free(fid.values);
}

int main(void)
{
    if (ddpm_kernels_init() != DDPM_OK) return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(features_are_those_of_pytorch),
        cmocka_unit_test(an_image_has_its_features_in_any_place_of_a_batch),
        cmocka_unit_test(any_number_of_threads_gives_the_same_bits),
        cmocka_unit_test(images_are_rounded_to_bytes),
        cmocka_unit_test(grey_and_three_colours_are_accepted),
        cmocka_unit_test(the_same_weights_as_hdf5_have_the_same_hash_and_bits),
        cmocka_unit_test(distances_are_those_of_pytorch_fid),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
