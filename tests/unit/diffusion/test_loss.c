#include "check.h"
#include "numeric.h"

#include "ddpm/diffusion/loss.h"

#include <math.h>
#include <string.h>

enum { N = 3, D = 35 };

static void the_loss_is_the_mean_square_of_each_image(void **state)
{
    (void)state;
    const float prediction[4] = { 1.0f, 3.0f, 0.5f, -0.5f };
    const float target[4] = { 0.0f, 1.0f, 0.5f, -0.25f };
    double per_image[2];
    ddpm_mse_loss(per_image, NULL, prediction, target, 2, 2, (const double[]){ 1.0, 7.0 });
    assert_true(per_image[0] == 2.5);
    assert_true(per_image[1] == 0.03125);
}

static const double weight[N] = { 1.0 / 64, 0.5, 0.0 };

typedef struct {
    const float *target;
} problem;

static double weighted_sum(const float *prediction, void *context)
{
    const problem *p = context;
    double per_image[N], sum = 0.0;
    ddpm_mse_loss(per_image, NULL, prediction, p->target, N, D, weight);
    for (int n = 0; n < N; n++) sum += weight[n] * per_image[n];
    return sum;
}

static void the_gradient_is_the_derivative_of_the_weighted_sum(void **state)
{
    (void)state;
    float prediction[N * D], target[N * D], v[N * D], gradient[N * D], scratch[N * D];
    double per_image[N];
    fill_normal(prediction, N * D, 1);
    fill_normal(target, N * D, 2);
    fill_normal(v, N * D, 3);
    /* so that prediction + e v is exact in float */
    for (int i = 0; i < N * D; i++) {
        prediction[i] = rintf(64.0f * prediction[i]) / 64.0f;
        v[i] = rintf(64.0f * v[i]) / 64.0f;
    }
    problem p = { .target = target };
    ddpm_mse_loss(per_image, gradient, prediction, target, N, D, weight);
    const double want = directional(weighted_sum, &p, prediction, v, scratch, N * D, 0x1p-4);
    const double sizes = sqrt(dot(gradient, gradient, N * D) * dot(v, v, N * D));
    CHECK_LE(fabs(dot(gradient, v, N * D) - want), 1e-7 * sizes);
}

static void the_gradient_may_overwrite_the_prediction(void **state)
{
    (void)state;
    float prediction[N * D], target[N * D], gradient[N * D];
    double apart[N], in_place[N];
    fill_normal(prediction, N * D, 4);
    fill_normal(target, N * D, 5);
    ddpm_mse_loss(apart, gradient, prediction, target, N, D, weight);
    ddpm_mse_loss(in_place, prediction, prediction, target, N, D, weight);
    assert_memory_equal(prediction, gradient, sizeof gradient);
    assert_memory_equal(apart, in_place, sizeof apart);
}

static void not_a_number_comes_through(void **state)
{
    (void)state;
    float prediction[4] = { 0.0f, NAN, 0.0f, 0.0f };
    const float target[4] = { 0 };
    double per_image[2];
    ddpm_mse_loss(per_image, prediction, prediction, target, 2, 2, (const double[]){ 1.0, 1.0 });
    assert_true(isnan(per_image[0]) && isnan(prediction[1]));
    assert_true(per_image[1] == 0.0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_loss_is_the_mean_square_of_each_image),
        cmocka_unit_test(the_gradient_is_the_derivative_of_the_weighted_sum),
        cmocka_unit_test(the_gradient_may_overwrite_the_prediction),
        cmocka_unit_test(not_a_number_comes_through),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
