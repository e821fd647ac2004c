/* Whole networks against golden values: the output, the loss, and every gradient. */
#include "check.h"
#include "numeric.h"
#include "weights.h"

#include "ddpm/base/memory.h"
#include "ddpm/kernels/isa.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static const double OUTPUT_BOUND = 3e-6, GRADIENT_BOUND = 6e-6;

/* softmax does not see a constant added to all keys, and a norm with one channel a group takes out
 * what is added to a channel everywhere: these gradients are 0 but for rounding. */
static bool is_zero_but_for_rounding(const double *gradient, size_t count, double grad_norm)
{
    double largest = 0.0;
    for (size_t i = 0; i < count; i++) largest = fmax(largest, fabs(gradient[i]));
    return largest < 1e-12 * grad_norm;
}

static void check_gradients(const float *grads, const ddpm_params *params, golden *file,
                            const char *group)
{
    double *norm = golden_f64(file, NULL, "%s/grad_norm", group);
    char grads_group[64];
    snprintf(grads_group, sizeof grads_group, "%s/grads", group);
    double worst = 0.0;
    for (size_t i = 0; i < params->count; i++) {
        const ddpm_param *row = &params->param[i];
        double *theirs = golden_tensor(file, grads_group, row);
        const float *ours = grads + row->offset;
        if (is_zero_but_for_rounding(theirs, row->count, *norm)) {
            for (size_t k = 0; k < row->count; k++) CHECK_LE(fabs((double)ours[k]), 1e-6 * *norm);
        } else {
            const double error = rms_error(ours, theirs, row->count);
            worst = worse(worst, error);
            if (!(error <= GRADIENT_BOUND))
                fail_msg("%s/%s: relative error %.3g", grads_group, row->name, error);
        }
        free(theirs);
    }
    print_message("%s: worst gradient %.2e\n", group, worst);
    const double ours = sqrt(dot(grads, grads, params->total));
    CHECK_LE(fabs(ours - *norm), 2e-6 * *norm);
    free(norm);
}

static void check_network(const char *group)
{
    golden *file = golden_open("unet_tiny");
    const ddpm_unet_config config = load_golden_config(file, group);
    size_t batch, count;
    float *t = golden_f32(file, &batch, "%s/t", group);
    float *x = golden_f32(file, &count, "%s/x", group);
    double *noise = golden_f64(file, NULL, "%s/noise", group);
    double *out = golden_f64(file, NULL, "%s/out", group);
    double *grad_x = golden_f64(file, NULL, "%s/grad_x", group);
    double *loss = golden_f64(file, NULL, "%s/loss", group);

    ddpm_unet *unet;
    CHECK_OK(ddpm_unet_create(&unet, &config, batch, DDPM_UNET_TRAINING));
    const ddpm_params *params = ddpm_unet_params(unet);
    assert_int_equal(params->count, golden_number(file, "n_tensors", group));
    assert_int_equal(params->parameters, golden_number(file, "n_parameters", group));
    float *weights = calloc(params->total, sizeof *weights);
    float *grads = calloc(params->total, sizeof *grads);
    float *y = calloc(count, sizeof *y), *dy = calloc(count, sizeof *dy);
    float *dx = calloc(count, sizeof *dx);
    char weights_group[64];
    snprintf(weights_group, sizeof weights_group, "%s/params", group);
    load_golden_weights(file, weights_group, params, weights);

    ddpm_unet_forward(unet, y, x, t, weights, NULL);
    const double error = rms_error(y, out, count);
    print_message("%s: output %.2e\n", group, error);
    CHECK_LE(error, OUTPUT_BOUND);

    double sum = 0.0;
    for (size_t i = 0; i < count; i++) {
        const double difference = (double)y[i] - noise[i];
        sum += difference * difference;
        dy[i] = (float)(2.0 * difference / (double)count);
    }
    CHECK_LE(fabs(sum / (double)count - *loss), 1e-6 * *loss);
    ddpm_unet_backward(unet, grads, dx, dy, weights, NULL, NULL);
    CHECK_LE(rms_error(dx, grad_x, count), GRADIENT_BOUND);
    check_gradients(grads, params, file, group);

    free(weights), free(grads), free(y), free(dy), free(dx);
    free(t), free(x), free(noise), free(out), free(grad_x), free(loss);
    ddpm_unet_free(unet);
    golden_close(file);
}

static void a_trained_network_matches(void **state)
{
    (void)state;
    check_network("tiny");
}

static void a_network_of_four_levels_matches(void **state)
{
    (void)state;
    check_network("four");
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
        cmocka_unit_test(a_trained_network_matches),
        cmocka_unit_test(a_network_of_four_levels_matches),
        cmocka_unit_test(no_test_left_memory_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
