/* Bits a dimension of a trained network, term by term against float64: network, schedule and bound
 * together. */
#include "check.h"
#include "golden.h"
#include "numeric.h"
#include "weights.h"

#include "ddpm/diffusion/bound.h"
#include "ddpm/diffusion/process.h"
#include "ddpm/kernels/isa.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 2 };

typedef struct {
    ddpm_unet *unet;
    float *weights, *x0;
    size_t d;
} fixture;

static void setup(fixture *f, golden *file)
{
    CHECK_OK(ddpm_kernels_init());
    golden *network = golden_open("unet_tiny");
    const ddpm_unet_config config = load_golden_config(network, "tiny");
    CHECK_OK(ddpm_unet_create(&f->unet, &config, BATCH, DDPM_UNET_INFERENCE));
    f->weights = calloc(ddpm_unet_params(f->unet)->total, sizeof *f->weights);
    assert_non_null(f->weights);
    load_golden_weights(network, "tiny/params", ddpm_unet_params(f->unet), f->weights);
    golden_close(network);
    size_t count;
    f->x0 = golden_f32(file, &count, "x0");
    f->d = count / BATCH;
}

static void teardown(fixture *f)
{
    ddpm_unet_free(f->unet);
    free(f->weights);
    free(f->x0);
}

static void clip(float *x, size_t count)
{
    for (size_t i = 0; i < count; i++) x[i] = fminf(fmaxf(x[i], -1.0f), 1.0f);
}

static double mean_square_error(const float *a, const float *b, size_t n)
{
    double sum = 0.0;
    for (size_t i = 0; i < n; i++)
        sum += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
    return sum / (double)n;
}

/* What is compared: the largest error of a term in bits a dimension, relative to the largest term
 * or to a thousandth of a bit, and of a squared error relative to itself. */
typedef struct {
    double bits, x0, eps, total;
} errors;

static void compare_group(fixture *f, golden *file, const char *group, const char *variant,
                          ddpm_variance variance, bool clips, const ddpm_schedule *schedule)
{
    size_t entries, count;
    int64_t *index = golden_i64(file, &entries, "%s/index", group);
    float *noise = golden_f32(file, &count, "%s/noise", group);
    double *vb = golden_f64(file, NULL, "%s/%s/vb", group, variant);
    double *x0_mse = golden_f64(file, NULL, "%s/%s/xstart_mse", group, variant);
    double *mse = golden_f64(file, NULL, "%s/%s/mse", group, variant);
    double *prior = golden_f64(file, NULL, "%s/prior", group);
    const size_t d = f->d;
    float *xt = malloc(4 * BATCH * d * sizeof *xt), *eps = xt + BATCH * d;
    assert_non_null(xt);
    float *x0_hat = eps + BATCH * d, *eps_hat = x0_hat + BATCH * d;
    errors worst = { 0 };
    double sum[BATCH] = { 0 };
    for (size_t e = 0; e < entries; e++) {
        const ddpm_level level = ddpm_level_at(schedule, (size_t)index[e]);
        const ddpm_level levels[BATCH] = { level, level };
        const float times[BATCH] = { (float)level.network, (float)level.network };
        ddpm_q_sample(xt, f->x0, noise + e * BATCH * d, levels, BATCH, d);
        ddpm_unet_forward(f->unet, eps, xt, times, f->weights, NULL);
        ddpm_prediction_x0(x0_hat, xt, eps, &level, BATCH * d, DDPM_PREDICT_EPS, schedule);
        if (clips) clip(x0_hat, BATCH * d);
        ddpm_eps_from_x0(eps_hat, xt, x0_hat, &level, BATCH * d);
        for (size_t n = 0; n < BATCH; n++) {
            const ddpm_bound_step step = { .x0 = f->x0 + n * d,
                                           .xt = xt + n * d,
                                           .x0_hat = x0_hat + n * d,
                                           .variance = variance,
                                           .index = (size_t)index[e],
                                           .schedule = schedule };
            const double bits = ddpm_bound_term(&step, d);
            const double x0_error = mean_square_error(x0_hat + n * d, f->x0 + n * d, d);
            const double eps_error = mean_square_error(eps_hat + n * d, noise + (e * BATCH + n) * d,
                                                       d);
            const size_t at = n * entries + e;
            sum[n] += bits;
            worst.bits = worse(worst.bits, fabs(bits - vb[at]) / fmax(vb[at], 1e-3));
            worst.x0 = worse(worst.x0, fabs(x0_error - x0_mse[at]) / x0_mse[at]);
            worst.eps = worse(worst.eps, fabs(eps_error - mse[at]) / mse[at]);
        }
    }
    for (size_t n = 0; n < BATCH; n++)
        CHECK_LE(fabs(ddpm_bound_prior(f->x0 + n * d, d, schedule) - prior[n]), 1e-6 * prior[n]);
    if (golden_exists(file, "%s/%s/total", group, variant)) {
        double *total = golden_f64(file, NULL, "%s/%s/total", group, variant);
        for (size_t n = 0; n < BATCH; n++)
            worst.total = worse(worst.total, fabs(sum[n] + prior[n] - total[n]) / total[n]);
        free(total);
    }
    print_message("%s/%s: terms %.1e, x0 %.1e, eps %.1e, total %.1e\n", group, variant, worst.bits,
                  worst.x0, worst.eps, worst.total);
    CHECK_LE(worst.bits, 3e-6);
    CHECK_LE(worst.x0, 6e-6);
    CHECK_LE(worst.eps, 6e-6);
    CHECK_LE(worst.total, 1e-6);
    free(xt);
    free(prior);
    free(mse);
    free(x0_mse);
    free(vb);
    free(noise);
    free(index);
}

static void compare_all(fixture *f, golden *file, const char *group, const ddpm_schedule *schedule)
{
    static const struct {
        const char *name;
        ddpm_variance variance;
        bool clips;
    } variants[] = {
        { "fixedlarge_clip", DDPM_VARIANCE_FIXEDLARGE, true },
        { "fixedlarge_noclip", DDPM_VARIANCE_FIXEDLARGE, false },
        { "fixedsmall_clip", DDPM_VARIANCE_FIXEDSMALL, true },
        { "fixedsmall_noclip", DDPM_VARIANCE_FIXEDSMALL, false },
    };
    for (size_t v = 0; v < sizeof variants / sizeof *variants; v++)
        compare_group(f, file, group, variants[v].name, variants[v].variance, variants[v].clips,
                      schedule);
}

static void the_bounds_terms_are_those_of_float64(void **state)
{
    (void)state;
    fixture f;
    golden *file = golden_open("vlb");
    setup(&f, file);
    ddpm_schedule *full = NULL, *spaced = NULL;
    CHECK_OK(ddpm_schedule_create(&full, "linear", 1000, 1e-4, 0.02));
    CHECK_OK(ddpm_schedule_space(&spaced, full, "sections", 50));
    compare_all(&f, file, "T1000_some", full);
    compare_all(&f, file, "spaced50", spaced);
    ddpm_schedule_free(full);
    ddpm_schedule_free(spaced);
    teardown(&f);
    golden_close(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_bounds_terms_are_those_of_float64),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
