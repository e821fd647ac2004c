/* The blocks against golden values: outputs, and every gradient. */
#include "attention_block.h"
#include "check.h"
#include "conv_block.h"
#include "numeric.h"
#include "resblock.h"
#include "time_embedding.h"
#include "weights.h"

#include "ddpm/base/memory.h"
#include "ddpm/kernels/elementwise.h"
#include "ddpm/kernels/isa.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double FORWARD_BOUND = 2e-6, GRADIENT_BOUND = 3e-6;

/* One block with its parameters and memory. */
typedef struct {
    ddpm_nn__build build;
    ddpm_nn__run run;
    float *weights, *grads;
} bench;

static void *take(size_t count)
{
    float *memory = calloc(count + 1, sizeof *memory);
    assert_non_null(memory);
    return memory;
}

static void bench_begin(bench *b)
{
    ddpm_nn__build_init(&b->build, true);
}

static void bench_ready(bench *b)
{
    CHECK_OK(ddpm_nn__build_finish(&b->build));
    CHECK_OK(ddpm_nn__run_create(&b->run, &b->build));
    b->run.weights = b->weights = take(b->build.params.total);
    b->run.grads = b->grads = take(b->build.params.total);
}

static void bench_end(bench *b)
{
    ddpm_nn__run_free(&b->run);
    ddpm_nn__build_free(&b->build);
    free(b->weights);
    free(b->grads);
}

/* What is zero but for rounding (a bias that softmax does not see; what is added to a channel that
 * has a norm's group to itself) is compared absolutely. */
static void check_array(const float *ours, const double *theirs, size_t count, double bound,
                        const char *name)
{
    double largest = 0.0;
    for (size_t i = 0; i < count; i++) largest = fmax(largest, fabs(theirs[i]));
    if (largest < 1e-10) {
        for (size_t i = 0; i < count; i++) CHECK_LE(fabs((double)ours[i]), 1e-5);
        return;
    }
    const double error = rms_error(ours, theirs, count);
    if (!(error <= bound)) fail_msg("%s: relative error %.3g, bound %.3g", name, error, bound);
}

static void check_golden(const float *ours, double bound, golden *file, const char *group,
                         const char *name)
{
    size_t count;
    double *theirs = golden_f64(file, &count, "%s/%s", group, name);
    char path[160];
    snprintf(path, sizeof path, "%s/%s", group, name);
    check_array(ours, theirs, count, bound, path);
    free(theirs);
}

static void check_grads(const bench *b, golden *file, const char *group)
{
    char grads[160];
    snprintf(grads, sizeof grads, "%s/grads", group);
    for (size_t i = 0; i < b->build.params.count; i++) {
        const ddpm_param *row = &b->build.params.param[i];
        double *theirs = golden_tensor(file, grads, row);
        check_array(b->grads + row->offset, theirs, row->count, GRADIENT_BOUND, row->name);
        free(theirs);
    }
}

static void load_params(bench *b, golden *file, const char *group)
{
    char params[160];
    snprintf(params, sizeof params, "%s/params", group);
    load_golden_weights(file, params, &b->build.params, b->weights);
}

static ddpm_shape golden_image(golden *file, const char *group, const char *name)
{
    size_t size[8];
    assert_int_equal(golden_shape(file, size, "%s/%s", group, name), 4);
    return (ddpm_shape){ size[0], size[1], size[2], size[3] };
}

static double *golden_mask;

static void draw_golden(uint8_t *mask, uint64_t seed, const uint64_t *sample_index,
                        const ddpm_dropout *op)
{
    (void)seed, (void)sample_index;
    for (size_t i = 0; i < ddpm_shape_count(op->shape); i++) mask[i] = golden_mask[i] > 0.5;
}

/* `skip` channels of x come as a skip: joined again inside, they must change nothing. */
static void check_resblock(golden *file, const char *group, size_t skip)
{
    ddpm_shape joined = golden_image(file, group, "x"), in = joined;
    in.c -= skip;
    size_t temb_size[8], y_size[8];
    golden_shape(file, temb_size, "%s/temb", group);
    golden_shape(file, y_size, "%s/y", group);
    const size_t width = temb_size[1], out = y_size[3], pixels = ddpm_shape_pixels(in);

    bench b;
    bench_begin(&b);
    ddpm_nn__resblock block;
    const ddpm_nn__resblock_config config = {
        .in = in,
        .skip = skip,
        .out = out,
        .width = width,
        .groups = golden_number(file, "groups", group),
        .epsilon = (float)golden_real(file, "eps", group),
        .dropout = (float)golden_real(file, "dropout", group),
    };
    ddpm_nn__resblock_add(&block, &b.build, "", &config);
    bench_ready(&b);
    load_params(&b, file, group);
    golden_mask = NULL;
    if (config.dropout > 0.0f) {
        golden_mask = golden_f64(file, NULL, "%s/dropout_mask", group);
        b.run.draw = draw_golden;
    }

    float *x = golden_f32(file, NULL, "%s/x", group), *gy = golden_f32(file, NULL, "%s/gy", group);
    float *temb = golden_f32(file, NULL, "%s/temb", group);
    float *h = take(pixels * in.c), *s = take(pixels * skip), *e = take(in.n * width);
    float *dh = take(pixels * in.c), *ds = take(pixels * skip), *dx = take(pixels * joined.c);
    float *de = take(in.n * width), *y = take(pixels * out);
    for (size_t p = 0; p < pixels; p++) {
        memcpy(h + p * in.c, x + p * joined.c, in.c * sizeof *h);
        memcpy(s + p * skip, x + p * joined.c + in.c, skip * sizeof *s);
    }
    ddpm_silu_forward(e, temb, in.n * width);
    ddpm_nn__resblock_forward(y, h, skip ? s : NULL, e, &block, &b.run);
    check_golden(y, FORWARD_BOUND, file, group, "y");

    ddpm_nn__resblock_backward(dh, skip ? ds : NULL, de, gy, h, skip ? s : NULL, e, &block, &b.run);
    for (size_t p = 0; p < pixels; p++) {
        memcpy(dx + p * joined.c, dh + p * in.c, in.c * sizeof *dx);
        memcpy(dx + p * joined.c + in.c, ds + p * skip, skip * sizeof *dx);
    }
    check_golden(dx, GRADIENT_BOUND, file, group, "gx");
    ddpm_silu_backward(de, de, temb, in.n * width);
    check_golden(de, GRADIENT_BOUND, file, group, "gtemb");
    check_grads(&b, file, group);

    float *all[] = { x, gy, temb, h, s, e, dh, ds, dx, de, y };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
    free(golden_mask);
    ddpm_nn__resblock_free(&block);
    bench_end(&b);
}

static void residual_blocks_match(void **state)
{
    (void)state;
    golden *file = golden_open("ops");
    for (int k = 0; golden_exists(file, "resblock/case%d", k); k++) {
        char group[64];
        snprintf(group, sizeof group, "resblock/case%d", k);
        check_resblock(file, group, 0);
        check_resblock(file, group, 2);
    }
    golden_close(file);
}

static void attention_blocks_match(void **state)
{
    (void)state;
    golden *file = golden_open("ops");
    int k = 0;
    for (; golden_exists(file, "attention/case%d", k); k++) {
        char group[64];
        snprintf(group, sizeof group, "attention/case%d", k);
        const ddpm_shape shape = golden_image(file, group, "x");
        bench b;
        bench_begin(&b);
        ddpm_nn__attention_block block;
        ddpm_nn__attention_block_add(&block, &b.build, "", shape,
                                     golden_number(file, "groups", group),
                                     (float)golden_real(file, "eps", group));
        bench_ready(&b);
        load_params(&b, file, group);
        float *x = golden_f32(file, NULL, "%s/x", group);
        float *gy = golden_f32(file, NULL, "%s/gy", group);
        float *y = take(ddpm_shape_count(shape)), *dx = take(ddpm_shape_count(shape));
        ddpm_nn__attention_block_forward(y, x, &block, &b.run);
        check_golden(y, FORWARD_BOUND, file, group, "y");
        check_golden(ddpm_nn__at(&b.run, block.probabilities), FORWARD_BOUND, file, group,
                     "probabilities");
        ddpm_nn__attention_block_backward(dx, gy, x, &block, &b.run);
        check_golden(dx, GRADIENT_BOUND, file, group, "gx");
        check_grads(&b, file, group);
        free(x), free(gy), free(y), free(dx);
        bench_end(&b);
    }
    assert_int_equal(k, 4);
    golden_close(file);
}

static void upsampling_convolutions_match(void **state)
{
    (void)state;
    golden *file = golden_open("ops");
    int k = 0;
    for (; golden_exists(file, "upsample_conv3x3/case%d", k); k++) {
        char group[64];
        snprintf(group, sizeof group, "upsample_conv3x3/case%d", k);
        const ddpm_shape in = golden_image(file, group, "x");
        size_t y_size[8];
        golden_shape(file, y_size, "%s/y", group);
        bench b;
        bench_begin(&b);
        ddpm_nn__conv_block block;
        const ddpm_nn__conv_block_config config = {
            .in = in, .out = y_size[3], .stride = 1, .before = DDPM_NN__UPSAMPLE
        };
        ddpm_nn__conv_block_add(&block, &b.build, "", "conv", &config);
        bench_ready(&b);
        float *x = golden_f32(file, NULL, "%s/x", group);
        float *gy = golden_f32(file, NULL, "%s/gy", group);
        float *w = golden_f32(file, NULL, "%s/w_hwio", group);
        float *bias = golden_f32(file, NULL, "%s/b", group);
        const ddpm_param *weight = ddpm_params_find(&b.build.params, "conv.weight");
        memcpy(b.weights + weight->offset, w, weight->count * sizeof *w);
        memcpy(b.weights + block.conv.bias, bias, config.out * sizeof *bias);
        float *y = take(4 * ddpm_shape_pixels(in) * config.out), *dx = take(ddpm_shape_count(in));
        ddpm_nn__conv_block_forward(y, x, &block, &b.run);
        check_golden(y, FORWARD_BOUND, file, group, "y");
        ddpm_nn__conv_block_backward(dx, gy, x, &block, &b.run);
        check_golden(dx, GRADIENT_BOUND, file, group, "gx");
        check_golden(b.grads + weight->offset, GRADIENT_BOUND, file, group, "gw_hwio");
        check_golden(b.grads + block.conv.bias, GRADIENT_BOUND, file, group, "gb");
        free(x), free(gy), free(w), free(bias), free(y), free(dx);
        ddpm_nn__conv_block_free(&block);
        bench_end(&b);
    }
    assert_int_equal(k, 4);
    golden_close(file);
}

static void time_mlps_match(void **state)
{
    (void)state;
    golden *file = golden_open("ops");
    int k = 0;
    for (; golden_exists(file, "time_mlp/case%d", k); k++) {
        char group[64];
        size_t size[8];
        snprintf(group, sizeof group, "time_mlp/case%d", k);
        golden_shape(file, size, "%s/x", group);
        bench b;
        bench_begin(&b);
        ddpm_nn__time_embedding block;
        ddpm_nn__time_embedding_add(&block, &b.build, "", size[0], size[1], 0);
        bench_ready(&b);
        load_params(&b, file, group);
        float *x = golden_f32(file, NULL, "%s/x", group);
        float *gy = golden_f32(file, NULL, "%s/gy", group);
        float *y = take(size[0] * block.width), *dx = take(size[0] * size[1]);
        ddpm_nn__time_mlp_forward(y, x, &block, &b.run);
        check_golden(y, FORWARD_BOUND, file, group, "y");
        ddpm_nn__time_mlp_backward(dx, gy, x, &block, &b.run);
        check_golden(dx, GRADIENT_BOUND, file, group, "gx");
        check_grads(&b, file, group);
        free(x), free(gy), free(y), free(dx);
        bench_end(&b);
    }
    assert_int_equal(k, 2);
    golden_close(file);
}

static void timestep_embeddings_match_to_a_rounding(void **state)
{
    (void)state;
    static const size_t widths[] = { 4, 6, 32, 33, 64, 128 };
    golden *file = golden_open("ops");
    size_t n;
    float *t = golden_f32(file, &n, "timestep_embedding/t");
    for (size_t k = 0; k < sizeof widths / sizeof *widths; k++) {
        const size_t width = widths[k];
        double *theirs = golden_f64(file, NULL, "timestep_embedding/dim%zu", width);
        float *ours = take(n * width);
        ddpm_nn__timestep_embedding(ours, t, n, width);
        for (size_t i = 0; i < n * width; i++) {
            const double difference = (double)ours[i] - theirs[i];
            CHECK_LE(difference * difference, 6.1e-8 * 6.1e-8);
        }
        free(theirs), free(ours);
    }
    free(t);
    golden_close(file);
}

static void no_test_left_memory_behind(void **state)
{
    (void)state;
    assert_int_equal(ddpm_memory_live_blocks(), 0);
}

int main(void)
{
    if (ddpm_kernels_init() != DDPM_OK) return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(residual_blocks_match),
        cmocka_unit_test(attention_blocks_match),
        cmocka_unit_test(upsampling_convolutions_match),
        cmocka_unit_test(time_mlps_match),
        cmocka_unit_test(timestep_embeddings_match_to_a_rounding),
        cmocka_unit_test(no_test_left_memory_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
