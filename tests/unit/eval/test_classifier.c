/* The classifier: its gradient, what it learns, and its file. */
#include "check.h"
#include "classifier.h"
#include "numeric.h"
#include "scratch.h"

#include "ddpm/kernels/isa.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SIDE = 10, CHANNELS = 2, CLASSES = 3, D = SIDE * SIDE * CHANNELS };
static const ddpm_shape shape = { 0, SIDE, SIDE, CHANNELS };

static ddpm_comm *world;

/* Class k: noise on stripes k + 1 pixels wide. */
static ddpm_status read_stripes(float *x, int64_t *labels, const uint64_t *index, size_t count,
                                void *context)
{
    (void)context;
    for (size_t i = 0; i < count; i++) {
        fill_normal(x + i * D, D, 100 + index[i]);
        labels[i] = (int64_t)(index[i] % CLASSES);
        for (size_t p = 0; p < D; p++) {
            const size_t column = p / CHANNELS % SIDE;
            x[i * D + p] = 0.3f * x[i * D + p] +
                           (column / (size_t)(labels[i] + 1) % 2 ? 0.5f : -0.5f);
        }
    }
    return DDPM_OK;
}

static ddpm_status read_images(float *x, size_t first, size_t count, void *context)
{
    int64_t labels[DDPM_CLASSIFIER_BATCH];
    uint64_t index[DDPM_CLASSIFIER_BATCH];
    for (size_t i = 0; i < count; i++) index[i] = 7 * (first + i);
    return read_stripes(x, labels, index, count, context);
}

static ddpm_classifier *trained(uint64_t seed, size_t images, double *accuracy)
{
    ddpm_classifier *c;
    uint64_t index[400];
    for (size_t i = 0; i < 400; i++) index[i] = i;
    const ddpm_classifier_data data = { .read = read_stripes,
                                        .train = index,
                                        .test = index + 300,
                                        .train_count = images,
                                        .test_count = 100,
                                        .epochs = 4,
                                        .lr = 2e-3 };
    CHECK_OK(ddpm_classifier_create(&c, shape, CLASSES, seed));
    CHECK_OK(ddpm_classifier_train(c, accuracy, &data, world));
    return c;
}

typedef struct {
    ddpm_classifier *c;
    float *x;
    int64_t labels[DDPM_CLASSIFIER_BATCH];
} point;

static double loss_at(const float *weights, void *context)
{
    point *p = context;
    size_t floats;
    float *own = ddpm_classifier_weights(p->c, &floats);
    memcpy(own, weights, floats * sizeof *own);
    return ddpm_classifier_loss(NULL, p->c, p->x, p->labels);
}

static void the_gradient_is_the_slope_of_the_loss(void **state)
{
    (void)state;
    point p;
    uint64_t index[DDPM_CLASSIFIER_BATCH];
    size_t floats;
    for (size_t i = 0; i < DDPM_CLASSIFIER_BATCH; i++) index[i] = i;
    CHECK_OK(ddpm_classifier_create(&p.c, shape, CLASSES, 3));
    p.x = malloc(sizeof(float) * DDPM_CLASSIFIER_BATCH * D);
    assert_non_null(p.x);
    CHECK_OK(read_stripes(p.x, p.labels, index, DDPM_CLASSIFIER_BATCH, NULL));
    const float *own = ddpm_classifier_weights(p.c, &floats);
    float *w = malloc(4 * floats * sizeof *w), *g = w + floats, *v = g + floats;
    assert_non_null(w);
    memcpy(w, own, floats * sizeof *w);
    memset(g, 0, floats * sizeof *g);
    const double loss = ddpm_classifier_loss(g, p.c, p.x, p.labels);
    CHECK_LE(fabs(loss - log(3.0)), 1.0); /* it knows nothing yet */
    for (uint64_t seed = 0; seed < 3; seed++) {
        fill_uniform(v, floats, seed);
        const double slope = directional(loss_at, &p, w, v, v + floats, floats, 1e-3);
        CHECK_LE(fabs(dot(g, v, floats) - slope), 3e-3 * fabs(slope) + 1e-4);
    }
    free(w);
    free(p.x);
    ddpm_classifier_free(p.c);
}

static void it_learns_what_can_be_learned_and_the_same_again(void **state)
{
    (void)state;
    double accuracy, again, other;
    char a[33], b[33], c[33];
    ddpm_kernels_set_threads(1);
    ddpm_classifier *first = trained(0, 300, &accuracy);
    ddpm_kernels_set_threads(3);
    ddpm_classifier *second = trained(0, 300, &again), *third = trained(1, 300, &other);
    CHECK_LE(0.95, accuracy);
    ddpm_classifier_hash(a, first);
    ddpm_classifier_hash(b, second);
    ddpm_classifier_hash(c, third);
    assert_string_equal(a, b);
    assert_string_not_equal(a, c);
    assert_true(accuracy == again);
    ddpm_classifier_free(first);
    ddpm_classifier_free(second);
    ddpm_classifier_free(third);
}

static void a_file_gives_the_same_features(void **state)
{
    (void)state;
    double accuracy, read;
    char *note;
    ddpm_classifier *c = trained(0, 64, &accuracy), *loaded;
    const char *path = scratch_path("classifier.h5");
    CHECK_OK(ddpm_classifier_save(c, path, "a note", accuracy));
    CHECK_OK(ddpm_classifier_load(&loaded, path, &note, &read));
    assert_string_equal(note, "a note");
    assert_true(read == accuracy);
    float f[11 * DDPM_CLASSIFIER_FEATURES], g[sizeof f / sizeof *f];
    CHECK_OK(ddpm_classifier_features(f, c, 11, read_images, NULL, NULL));
    CHECK_OK(ddpm_classifier_features(g, loaded, 11, read_images, NULL, NULL));
    assert_memory_equal(f, g, sizeof f);
    free(note);
    ddpm_classifier_free(c);
    ddpm_classifier_free(loaded);

    size_t bytes;
    unsigned char *file = scratch_read(path, &bytes);
    file[bytes / 2] ^= 1;
    scratch_write(path, file, bytes);
    CHECK_STATUS(ddpm_classifier_load(&loaded, path, &note, &read), 65);
    CHECK_STATUS(ddpm_classifier_load(&loaded, scratch_path("nowhere"), &note, &read), 66);
    free(file);
}

/* 67 images: the last call of the network has three of its own. */
static void a_call_that_is_not_full_has_no_images_of_others(void **state)
{
    (void)state;
    enum { N = 67, WIDE = DDPM_CLASSIFIER_FEATURES, LEFT = N % DDPM_CLASSIFIER_BATCH };
    ddpm_classifier *c;
    float *f = malloc((size_t)N * WIDE * sizeof *f);
    assert_non_null(f);
    CHECK_OK(ddpm_classifier_create(&c, shape, CLASSES, 1));
    CHECK_OK(ddpm_classifier_features(f, c, N, read_images, NULL, NULL));
    const float *last = f + (N - 1) * WIDE;
    for (size_t i = LEFT - 1; i < DDPM_CLASSIFIER_BATCH; i++)
        for (size_t k = 0; k < WIDE; k++)
            CHECK_LE(fabsf(c->features[i * WIDE + k] - last[k]), 1e-5f * fabsf(last[k]));
    ddpm_classifier_free(c);
    free(f);
}

int main(int argc, char **argv)
{
    if (ddpm_kernels_init() != DDPM_OK) return 1;
    if (ddpm_comm_start(&world, &argc, &argv) != DDPM_OK) return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_gradient_is_the_slope_of_the_loss),
        cmocka_unit_test(it_learns_what_can_be_learned_and_the_same_again),
        cmocka_unit_test(a_file_gives_the_same_features),
        cmocka_unit_test(a_call_that_is_not_full_has_no_images_of_others),
    };
    const int failed = cmocka_run_group_tests(tests, scratch_make, scratch_remove);
    ddpm_comm_stop(world);
    return failed;
}
