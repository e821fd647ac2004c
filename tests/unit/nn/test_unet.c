/* What holds for every network: derivatives, independence of images, of threads, of the mode. */
#include "check.h"
#include "numeric.h"

#include "ddpm/base/memory.h"
#include "ddpm/kernels/isa.h"
#include "ddpm/nn/unet.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Odd channel counts, a non-square image, attention on one level, dropout. */
static ddpm_unet_config odd(void)
{
    return (ddpm_unet_config){
        .height = 12,
        .width = 20,
        .in_channels = 5,
        .out_channels = 7,
        .channels = 15,
        .levels = 3,
        .mult = { 1, 3, 2 },
        .blocks = 2,
        .attention_count = 1,
        .attention = { 6 },
        .groups = 5,
        .dropout = 0.3f,
        .epsilon = 1e-6f,
    };
}

/* A network with random weights, none near the zeros of the official start, and random inputs. */
typedef struct {
    ddpm_unet *unet;
    size_t batch, in, out, total; /* in, out: floats an image */
    float *weights, *x, *t, *y, *dy, *dx, *grads;
    uint64_t sample_index[8];
    ddpm_unet_dropout dropout;
} network;

static float *take(size_t count)
{
    float *memory = calloc(count + 1, sizeof *memory);
    assert_non_null(memory);
    return memory;
}

static void network_open(network *n, const ddpm_unet_config *config, size_t batch,
                         ddpm_unet_mode mode)
{
    *n = (network){ .batch = batch };
    CHECK_OK(ddpm_unet_create(&n->unet, config, batch, mode));
    const ddpm_params *params = ddpm_unet_params(n->unet);
    n->in = config->height * config->width * config->in_channels;
    n->out = config->height * config->width * config->out_channels;
    n->total = params->total;
    n->weights = take(n->total);
    n->grads = take(n->total);
    n->x = take(batch * n->in);
    n->dx = take(batch * n->in);
    n->y = take(batch * n->out);
    n->dy = take(batch * n->out);
    n->t = take(batch);
    for (size_t i = 0; i < params->count; i++) {
        const ddpm_param *row = &params->param[i];
        float *w = n->weights + row->offset;
        const bool scale = row->init == DDPM_INIT_ONE;
        const size_t fan_in = row->rank == 1 ? 25 : row->count / row->shape[row->rank - 1];
        fill_normal(w, row->count, i);
        for (size_t k = 0; k < row->count; k++)
            w[k] = w[k] / sqrtf((float)fan_in) + (scale ? 1.0f : 0.0f);
    }
    fill_normal(n->x, batch * n->in, 1000);
    fill_normal(n->dy, batch * n->out, 1001);
    for (size_t i = 0; i < batch; i++) {
        n->t[i] = (float)(17 * i % 1000);
        n->sample_index[i] = 100 + i;
    }
    n->dropout = (ddpm_unet_dropout){ .seed = 5, .sample_index = n->sample_index };
}

static void network_close(network *n)
{
    ddpm_unet_free(n->unet);
    float *all[] = { n->weights, n->grads, n->x, n->dx, n->y, n->dy, n->t };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
}

static void forward(network *n, const ddpm_unet_dropout *dropout)
{
    ddpm_unet_forward(n->unet, n->y, n->x, n->t, n->weights, dropout);
}

static void backward(network *n, ddpm_unet_ready *ready, void *context)
{
    memset(n->grads, 0, n->total * sizeof *n->grads);
    ddpm_unet_backward(n->unet, n->grads, n->dx, n->dy, n->weights, ready, context);
}

static double loss_of_weights(const float *weights, void *context)
{
    network *n = context;
    ddpm_unet_forward(n->unet, n->y, n->x, n->t, weights, &n->dropout);
    return dot(n->y, n->dy, n->batch * n->out);
}

static double loss_of_input(const float *x, void *context)
{
    network *n = context;
    ddpm_unet_forward(n->unet, n->y, x, n->t, n->weights, &n->dropout);
    return dot(n->y, n->dy, n->batch * n->out);
}

/* Along v, the derivative of <y, dy> is <gradient, v>. */
static void gradients_are_derivatives_with_dropout_on(void **state)
{
    (void)state;
    const ddpm_unet_config config = odd();
    network n;
    network_open(&n, &config, 2, DDPM_UNET_TRAINING);
    forward(&n, &n.dropout);
    backward(&n, NULL, NULL);
    const size_t most = n.total > 2 * n.in ? n.total : 2 * n.in;
    float *v = take(most), *scratch = take(most);
    for (uint64_t seed = 1; seed <= 2; seed++) {
        fill_normal(v, most, seed);
        const double by_weights = directional(loss_of_weights, &n, n.weights, v, scratch, n.total,
                                              2e-4);
        const double weights_scale = sqrt(dot(n.grads, n.grads, n.total));
        CHECK_LE(fabs(by_weights - dot(n.grads, v, n.total)), 2e-3 * weights_scale);
        const double by_input = directional(loss_of_input, &n, n.x, v, scratch, 2 * n.in, 2e-3);
        const double input_scale = sqrt(dot(n.dx, n.dx, 2 * n.in));
        CHECK_LE(fabs(by_input - dot(n.dx, v, 2 * n.in)), 2e-3 * input_scale);
    }
    free(v), free(scratch);
    network_close(&n);
}

static void dropout_follows_seed_and_sample_and_nothing_else(void **state)
{
    (void)state;
    const ddpm_unet_config config = odd();
    network n;
    network_open(&n, &config, 2, DDPM_UNET_TRAINING);
    float *plain = take(2 * n.out), *first = take(2 * n.out);
    forward(&n, NULL);
    memcpy(plain, n.y, 2 * n.out * sizeof *plain);
    forward(&n, &n.dropout);
    memcpy(first, n.y, 2 * n.out * sizeof *first);
    CHECK_LE(0.01, rms_error_f32(first, plain, 2 * n.out));
    forward(&n, &n.dropout);
    assert_memory_equal(first, n.y, 2 * n.out * sizeof *first);
    n.sample_index[1] += 1;
    forward(&n, &n.dropout);
    CHECK_LE(rms_error_f32(first, n.y, n.out), 1e-6);
    CHECK_LE(0.01, rms_error_f32(first + n.out, n.y + n.out, n.out));
    n.sample_index[1] -= 1;
    n.dropout.seed++;
    forward(&n, &n.dropout);
    CHECK_LE(0.01, rms_error_f32(first, n.y, n.out));
    forward(&n, NULL);
    assert_memory_equal(plain, n.y, 2 * n.out * sizeof *plain);
    free(plain), free(first);
    network_close(&n);
}

/* The backward pass draws the masks of the forward pass again, whatever became of the caller's
 * indices and input. */
static void the_backward_pass_needs_nothing_of_the_callers(void **state)
{
    (void)state;
    const ddpm_unet_config config = odd();
    network n;
    network_open(&n, &config, 2, DDPM_UNET_TRAINING);
    forward(&n, &n.dropout);
    backward(&n, NULL, NULL);
    float *grads = take(n.total);
    memcpy(grads, n.grads, n.total * sizeof *grads);
    forward(&n, &n.dropout);
    memset(n.sample_index, 0, sizeof n.sample_index);
    fill_normal(n.x, 2 * n.in, 3);
    backward(&n, NULL, NULL);
    assert_memory_equal(grads, n.grads, n.total * sizeof *grads);
    free(grads);
    network_close(&n);
}

static void gradients_are_added_to(void **state)
{
    (void)state;
    const ddpm_unet_config config = odd();
    network n;
    network_open(&n, &config, 1, DDPM_UNET_TRAINING);
    forward(&n, NULL);
    backward(&n, NULL, NULL);
    float *once = take(n.total);
    memcpy(once, n.grads, n.total * sizeof *once);
    forward(&n, NULL);
    ddpm_unet_backward(n.unet, n.grads, NULL, n.dy, n.weights, NULL, NULL);
    for (size_t i = 0; i < n.total; i++) once[i] *= 2.0f;
    CHECK_LE(rms_error_f32(n.grads, once, n.total), 1e-6);
    free(once);
    network_close(&n);
}

typedef struct {
    const float *grads;
    float *copy; /* of each range when it was said to be ready */
    size_t next, calls;
} ready_log;

static void log_ready(void *context, size_t offset, size_t count)
{
    ready_log *log = context;
    assert_int_equal(offset + count, log->next);
    assert_true(count > 0);
    memcpy(log->copy + offset, log->grads + offset, count * sizeof *log->copy);
    log->next = offset;
    log->calls++;
}

static void ready_ranges_are_final_and_cover_the_buffer_once(void **state)
{
    (void)state;
    const ddpm_unet_config config = odd();
    network n;
    network_open(&n, &config, 1, DDPM_UNET_TRAINING);
    ready_log log = { .grads = n.grads, .copy = take(n.total), .next = n.total };
    forward(&n, NULL);
    backward(&n, log_ready, &log);
    assert_int_equal(log.next, 0);
    CHECK_LE(20, log.calls);
    assert_memory_equal(log.copy, n.grads, n.total * sizeof *n.grads);
    free(log.copy);
    network_close(&n);
}

/* Image k of a batch is what it is alone. */
static void images_do_not_see_each_other(void **state)
{
    (void)state;
    const ddpm_unet_config config = odd();
    network all;
    network_open(&all, &config, 3, DDPM_UNET_INFERENCE);
    ddpm_unet *unet;
    CHECK_OK(ddpm_unet_create(&unet, &config, 1, DDPM_UNET_INFERENCE));
    forward(&all, NULL);
    float *y = take(all.out);
    for (size_t k = 0; k < 3; k++) {
        ddpm_unet_forward(unet, y, all.x + k * all.in, all.t + k, all.weights, NULL);
        CHECK_LE(rms_error_f32(all.y + k * all.out, y, all.out), 1e-6);
    }
    CHECK_LE(0.1, rms_error_f32(all.y, all.y + all.out, all.out));
    free(y);
    ddpm_unet_free(unet);
    network_close(&all);
}

static void the_number_of_threads_changes_no_bit(void **state)
{
    (void)state;
    const ddpm_unet_config config = odd();
    network n[3];
    static const int threads[3] = { 1, 2, 3 };
    for (int k = 0; k < 3; k++) {
        ddpm_kernels_set_threads(threads[k]);
        network_open(&n[k], &config, 3, DDPM_UNET_TRAINING);
        forward(&n[k], &n[k].dropout);
        backward(&n[k], NULL, NULL);
    }
    ddpm_kernels_set_threads(0);
    for (int k = 1; k < 3; k++) {
        assert_memory_equal(n[0].y, n[k].y, 3 * n[0].out * sizeof(float));
        assert_memory_equal(n[0].dx, n[k].dx, 3 * n[0].in * sizeof(float));
        assert_memory_equal(n[0].grads, n[k].grads, n[0].total * sizeof(float));
    }
    for (int k = 0; k < 3; k++) network_close(&n[k]);
}

static void what_is_kept_instead_of_done_again_changes_no_bit(void **state)
{
    (void)state;
    ddpm_unet_config config = odd();
    network n[2];
    ddpm_unet_needs needs[2];
    for (int k = 0; k < 2; k++) {
        config.keep = k == 1;
        CHECK_OK(ddpm_unet_plan(&needs[k], &config, 3, DDPM_UNET_TRAINING));
        network_open(&n[k], &config, 3, DDPM_UNET_TRAINING);
        forward(&n[k], &n[k].dropout);
        backward(&n[k], NULL, NULL);
    }
    CHECK_LE(1.2 * (double)needs[0].activation_bytes, needs[1].activation_bytes);
    assert_memory_equal(n[0].y, n[1].y, 3 * n[0].out * sizeof(float));
    assert_memory_equal(n[0].dx, n[1].dx, 3 * n[0].in * sizeof(float));
    assert_memory_equal(n[0].grads, n[1].grads, n[0].total * sizeof(float));
    for (int k = 0; k < 2; k++) network_close(&n[k]);
}

static void inference_gives_the_bits_of_training_in_less_memory(void **state)
{
    (void)state;
    const ddpm_unet_config config = odd();
    network training, inference;
    ddpm_unet_needs more, less;
    CHECK_OK(ddpm_unet_plan(&more, &config, 2, DDPM_UNET_TRAINING));
    CHECK_OK(ddpm_unet_plan(&less, &config, 2, DDPM_UNET_INFERENCE));
    CHECK_LE(3.0 * (double)less.activation_bytes, more.activation_bytes);
    network_open(&training, &config, 2, DDPM_UNET_TRAINING);
    forward(&training, NULL);
    network_open(&inference, &config, 2, DDPM_UNET_INFERENCE);
    forward(&inference, NULL);
    assert_memory_equal(training.y, inference.y, 2 * training.out * sizeof(float));
    network_close(&training);
    network_close(&inference);
}

/* The configuration asks for it whatever the network is for. */
static void bfloat16_is_for_training_alone(void **state)
{
    (void)state;
    ddpm_unet_config config = odd();
    config.channels = 40;
    for (int mode = DDPM_UNET_INFERENCE; mode <= DDPM_UNET_TRAINING; mode++) {
        network exact, rounded;
        config.bf16 = false;
        network_open(&exact, &config, 2, (ddpm_unet_mode)mode);
        config.bf16 = true;
        network_open(&rounded, &config, 2, (ddpm_unet_mode)mode);
        forward(&exact, NULL);
        forward(&rounded, NULL);
        const bool same = memcmp(exact.y, rounded.y, 2 * exact.out * sizeof *exact.y) == 0;
        assert_int_equal(same, mode == DDPM_UNET_INFERENCE);
        CHECK_LE(rms_error_f32(rounded.y, exact.y, 2 * exact.out), 0.1);
        network_close(&exact);
        network_close(&rounded);
    }
}

static void frozen_weights_give_the_same_bits(void **state)
{
    (void)state;
    const ddpm_unet_config config = odd();
    network n;
    network_open(&n, &config, 2, DDPM_UNET_INFERENCE);
    float *y = take(2 * n.out);
    forward(&n, NULL);
    memcpy(y, n.y, 2 * n.out * sizeof *y);
    CHECK_OK(ddpm_unet_freeze(n.unet, n.weights));
    forward(&n, NULL);
    assert_memory_equal(y, n.y, 2 * n.out * sizeof *y);

    /* Other weights while those are frozen, then a change and a new freeze. */
    float *other = take(n.total);
    for (size_t i = 0; i < n.total; i++) other[i] = 0.9f * n.weights[i];
    ddpm_unet_forward(n.unet, y, n.x, n.t, other, NULL);
    memcpy(n.weights, other, n.total * sizeof *other);
    CHECK_OK(ddpm_unet_freeze(n.unet, n.weights));
    forward(&n, NULL);
    assert_memory_equal(y, n.y, 2 * n.out * sizeof *y);
    free(y), free(other);
    network_close(&n);
}

/* The smallest network there is, and a side that ends at one pixel. */
static void tiny_images_pass(void **state)
{
    (void)state;
    const ddpm_unet_config smallest = {
        .height = 1,
        .width = 1,
        .in_channels = 1,
        .out_channels = 1,
        .channels = 1,
        .levels = 1,
        .mult = { 1 },
        .blocks = 1,
        .groups = 1,
        .epsilon = 1e-6f,
    };
    ddpm_unet_config narrow = odd();
    narrow.height = 4;
    narrow.width = 28;
    narrow.attention[0] = 4;
    const ddpm_unet_config *configs[] = { &smallest, &narrow };
    for (size_t k = 0; k < 2; k++) {
        network n;
        network_open(&n, configs[k], 1, DDPM_UNET_TRAINING);
        forward(&n, NULL);
        backward(&n, NULL, NULL);
        for (size_t i = 0; i < n.out; i++) assert_true(isfinite(n.y[i]));
        for (size_t i = 0; i < n.total; i++) assert_true(isfinite(n.grads[i]));
        network_close(&n);
    }
}

static void the_description_names_every_operation(void **state)
{
    (void)state;
    const ddpm_unet_config config = odd();
    ddpm_unet *unet;
    CHECK_OK(ddpm_unet_create(&unet, &config, 1, DDPM_UNET_TRAINING));
    char *text = ddpm_unet_describe(unet);
    assert_non_null(text);
    static const char *const parts[] = { "time_embedding",
                                         "conv_in",
                                         "down_blocks.1.attentions.1",
                                         "down_blocks.0.downsamplers.0",
                                         "mid_block.resnets.1",
                                         "up_blocks.2.resnets.2",
                                         "up_blocks.0.upsamplers.0",
                                         "12x20x15",
                                         "conv_out" };
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (!strstr(text, parts[i])) fail_msg("%s is not in\n%s", parts[i], text);
    char count[32];
    snprintf(count, sizeof count, "%zu", ddpm_unet_params(unet)->parameters);
    assert_non_null(strstr(text, count));
    free(text);
    ddpm_unet_free(unet);
}

/* Checks every convolution of a network in that mode; returns how many there are. */
static size_t check_convolutions(ddpm_unet_mode mode, size_t directions)
{
    const ddpm_unet_config config = odd();
    const size_t batch = 3;
    ddpm_unet *unet;
    CHECK_OK(ddpm_unet_create(&unet, &config, batch, mode));
    ddpm_unet_conv conv;
    size_t count = 0;
    for (; ddpm_unet_conv_at(&conv, unet, count); count++) {
        char weight[128];
        snprintf(weight, sizeof weight, "%s.weight", conv.name);
        const ddpm_param *param = ddpm_params_find(ddpm_unet_params(unet), weight);
        assert_non_null(param);
        assert_int_equal(param->shape[2], conv.in.c);
        assert_int_equal(param->shape[3], conv.out.c);
        assert_int_equal(conv.in.n, batch);
        assert_int_equal(conv.in.h, conv.out.h * conv.stride);
        assert_int_equal(conv.directions, directions);
        for (size_t d = 0; d < directions; d++) {
            assert_non_null(conv.algorithm[d]);
            assert_true(conv.cost_ns[d] > 0.0);
        }
    }
    size_t kernels = 0; /* of 3x3, in the table */
    for (size_t i = 0; i < ddpm_unet_params(unet)->count; i++) {
        const ddpm_param *param = &ddpm_unet_params(unet)->param[i];
        kernels += param->layout == DDPM_LAYOUT_HWIO && param->shape[0] == 3;
    }
    assert_int_equal(count, kernels);
    ddpm_unet_free(unet);
    return count;
}

static void every_convolution_can_be_asked_for_its_algorithms(void **state)
{
    (void)state;
    const size_t count = check_convolutions(DDPM_UNET_TRAINING, 3);
    assert_true(count > 20);
    assert_int_equal(check_convolutions(DDPM_UNET_INFERENCE, 1), count);
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
        cmocka_unit_test(gradients_are_derivatives_with_dropout_on),
        cmocka_unit_test(dropout_follows_seed_and_sample_and_nothing_else),
        cmocka_unit_test(the_backward_pass_needs_nothing_of_the_callers),
        cmocka_unit_test(gradients_are_added_to),
        cmocka_unit_test(ready_ranges_are_final_and_cover_the_buffer_once),
        cmocka_unit_test(images_do_not_see_each_other),
        cmocka_unit_test(the_number_of_threads_changes_no_bit),
        cmocka_unit_test(what_is_kept_instead_of_done_again_changes_no_bit),
        cmocka_unit_test(inference_gives_the_bits_of_training_in_less_memory),
        cmocka_unit_test(bfloat16_is_for_training_alone),
        cmocka_unit_test(frozen_weights_give_the_same_bits),
        cmocka_unit_test(tiny_images_pass),
        cmocka_unit_test(the_description_names_every_operation),
        cmocka_unit_test(every_convolution_can_be_asked_for_its_algorithms),
        cmocka_unit_test(no_test_left_memory_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
