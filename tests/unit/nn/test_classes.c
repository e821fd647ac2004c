/* Networks that are told the class of an image. */
#include "check.h"
#include "numeric.h"

#include "ddpm/kernels/isa.h"
#include "ddpm/nn/unet.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 3, D = 8 * 8 * 2, CLASSES = 4 };

static const ddpm_unet_config told = { .height = 8,
                                       .width = 8,
                                       .in_channels = 2,
                                       .out_channels = 2,
                                       .channels = 8,
                                       .levels = 2,
                                       .mult = { 1, 2 },
                                       .blocks = 1,
                                       .groups = 4,
                                       .classes = CLASSES,
                                       .epsilon = 1e-6f };

typedef struct {
    ddpm_unet *unet;
    const ddpm_params *params;
    float *weights, *grads, x[BATCH * D], y[BATCH * D], dy[BATCH * D];
} network;

static const float t[BATCH] = { 10.0f, 500.0f, 900.0f };

static void network_open(network *n, const ddpm_unet_config *config, ddpm_unet_mode mode)
{
    CHECK_OK(ddpm_kernels_init());
    CHECK_OK(ddpm_unet_create(&n->unet, config, BATCH, mode));
    n->params = ddpm_unet_params(n->unet);
    n->weights = calloc(n->params->total, sizeof *n->weights);
    n->grads = calloc(n->params->total, sizeof *n->grads);
    assert_true(n->weights && n->grads);
    for (size_t i = 0; i < n->params->count; i++) { /* none near the zeros of the official start */
        const ddpm_param *row = &n->params->param[i];
        fill_normal(n->weights + row->offset, row->count, 50 + strlen(row->name));
        for (size_t k = 0; k < row->count; k++)
            n->weights[row->offset + k] = 0.1f * n->weights[row->offset + k] +
                                          (row->init == DDPM_INIT_ONE ? 1.0f : 0.0f);
    }
    fill_normal(n->x, BATCH * D, 1);
    fill_normal(n->dy, BATCH * D, 2);
}

static void network_close(network *n)
{
    ddpm_unet_free(n->unet);
    free(n->weights);
    free(n->grads);
}

static const float *run(network *n, const int64_t *classes)
{
    if (classes) ddpm_unet_set_classes(n->unet, classes);
    ddpm_unet_forward(n->unet, n->y, n->x, t, n->weights, NULL);
    return n->y;
}

static const ddpm_param *table(const network *n)
{
    const ddpm_param *row = ddpm_params_find(n->params, "class_embedding.weight");
    assert_non_null(row);
    return row;
}

static void the_table_has_a_row_for_every_class_and_one_for_none(void **state)
{
    (void)state;
    network n;
    network_open(&n, &told, DDPM_UNET_INFERENCE);
    assert_int_equal(table(&n)->shape[0], CLASSES + 1);
    assert_int_equal(table(&n)->shape[1], 4 * 8);
    network_close(&n);
    ddpm_unet_config untold = told;
    untold.classes = 0;
    network_open(&n, &untold, DDPM_UNET_INFERENCE);
    assert_null(ddpm_params_find(n.params, "class_embedding.weight"));
    network_close(&n);
}

static void an_image_depends_on_its_own_class_alone(void **state)
{
    (void)state;
    network n;
    float a[BATCH * D];
    network_open(&n, &told, DDPM_UNET_INFERENCE);
    memcpy(a, run(&n, (const int64_t[]){ 0, 1, 2 }), sizeof a);
    const float *b = run(&n, (const int64_t[]){ 0, 3, 2 });
    assert_memory_equal(a, b, D * sizeof *a);
    assert_memory_not_equal(a + D, b + D, D * sizeof *a);
    assert_memory_equal(a + 2 * D, b + 2 * D, D * sizeof *a);
    network_close(&n);
}

static void without_a_word_all_images_are_of_no_class(void **state)
{
    (void)state;
    network n;
    float a[BATCH * D];
    network_open(&n, &told, DDPM_UNET_INFERENCE);
    memcpy(a, run(&n, NULL), sizeof a);
    assert_memory_equal(a, run(&n, (const int64_t[]){ CLASSES, CLASSES, CLASSES }), sizeof a);
    network_close(&n);
}

/* A table of zeros says nothing. */
static void a_table_of_zeros_gives_the_network_without_classes(void **state)
{
    (void)state;
    network n, without;
    ddpm_unet_config untold = told;
    untold.classes = 0;
    network_open(&n, &told, DDPM_UNET_INFERENCE);
    network_open(&without, &untold, DDPM_UNET_INFERENCE);
    memset(n.weights + table(&n)->offset, 0, table(&n)->count * sizeof *n.weights);
    assert_memory_equal(run(&n, (const int64_t[]){ 0, 1, 2 }), run(&without, NULL), sizeof n.y);
    network_close(&n);
    network_close(&without);
}

static double loss(const float *weights, void *context)
{
    network *n = context;
    float y[BATCH * D];
    ddpm_unet_forward(n->unet, y, n->x, t, weights, NULL);
    return dot(y, n->dy, BATCH * D);
}

static void gradients_are_derivatives_also_where_two_images_share_a_class(void **state)
{
    (void)state;
    network n;
    network_open(&n, &told, DDPM_UNET_TRAINING);
    const size_t total = n.params->total;
    float *v = calloc(total, sizeof *v), *scratch = calloc(total, sizeof *scratch);
    assert_true(v && scratch);
    fill_normal(v + table(&n)->offset, table(&n)->count, 7); /* along the table alone */
    run(&n, (const int64_t[]){ 1, CLASSES, 1 });
    ddpm_unet_backward(n.unet, n.grads, NULL, n.dy, n.weights, NULL, NULL);
    const double want = directional(loss, &n, n.weights, v, scratch, total, 0x1p-6);
    const double sizes = sqrt(
        dot(n.grads + table(&n)->offset, n.grads + table(&n)->offset, table(&n)->count) *
        dot(v, v, total));
    CHECK_LE(fabs(dot(n.grads, v, total) - want), 1e-4 * sizes);
    const float *rows = n.grads + table(&n)->offset;
    for (size_t c = 0; c <= CLASSES; c++) {
        bool moved = false;
        for (size_t k = 0; k < 32; k++) moved = moved || rows[c * 32 + k] != 0.0f;
        assert_true(moved == (c == 1 || c == CLASSES));
    }
    free(v);
    free(scratch);
    network_close(&n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_has_a_row_for_every_class_and_one_for_none),
        cmocka_unit_test(an_image_depends_on_its_own_class_alone),
        cmocka_unit_test(without_a_word_all_images_are_of_no_class),
        cmocka_unit_test(a_table_of_zeros_gives_the_network_without_classes),
        cmocka_unit_test(gradients_are_derivatives_also_where_two_images_share_a_class),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
