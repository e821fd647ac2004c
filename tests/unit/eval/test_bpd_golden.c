/* The evaluation as ddpm-eval runs it, units and sums, against float64: all 50 steps of a respaced
 * model on given noise. */
#include "bpd_units.h"
#include "check.h"
#include "golden.h"
#include "numeric.h"
#include "weights.h"

#include "ddpm/diffusion/bpd.h"
#include "ddpm/kernels/isa.h"

#include <math.h>
#include <stdlib.h>

enum { BATCH = 2 };
static const char group[] = "spaced50";

typedef struct {
    ddpm_unet *unet;
    float *weights, *noise;
    double *units;
    ddpm_bpd_options options;
} fixture;

static void network(float *output, const float *xt, const float *times, void *context)
{
    const fixture *f = context;
    ddpm_unet_forward(f->unet, output, xt, times, f->weights, NULL);
}

static void noise(float *eps, uint64_t image, size_t t, size_t d, void *context)
{
    const fixture *f = context;
    for (size_t i = 0; i < d; i++) eps[i] = f->noise[(t * BATCH + image) * d + i];
}

static const double *unit_of(size_t unit, void *context)
{
    const fixture *f = context;
    return f->units + unit * ddpm_bpd_unit_values(&f->options);
}

static double mean_of(const double *a, size_t entries, size_t t)
{
    return 0.5 * (a[t] + a[entries + t]);
}

static void compare(fixture *f, golden *file, const float *x0, const char *variant)
{
    size_t entries;
    double *vb = golden_f64(file, NULL, "%s/%s/vb", group, variant);
    double *mse = golden_f64(file, NULL, "%s/%s/xstart_mse", group, variant);
    double *total = golden_f64(file, NULL, "%s/%s/total", group, variant);
    int64_t *index = golden_i64(file, &entries, "%s/index", group);
    float *scratch = calloc(ddpm_bpd_scratch_floats(&f->options), sizeof *scratch);
    f->units = calloc(ddpm_bpd_segments(&f->options) * ddpm_bpd_unit_values(&f->options),
                      sizeof *f->units);
    assert_true(scratch && f->units);
    assert_int_equal(entries, f->options.strata_count);
    for (size_t t = 0; t < entries; t++) assert_int_equal(index[t], t);
    for (size_t s = 0; s < ddpm_bpd_segments(&f->options); s++)
        bpd_unit(f->units + s * ddpm_bpd_unit_values(&f->options), scratch, x0, 0, BATCH, s,
                 &f->options);
    ddpm_bpd_summary summary;
    CHECK_OK(ddpm_bpd_sum(&summary, 1, unit_of, f, &f->options));
    double bits = 0.0, squares = 0.0;
    for (size_t t = 0; t < entries; t++) {
        const double want = mean_of(vb, entries, t), error = mean_of(mse, entries, t);
        bits = fmax(bits, fabs(summary.term[t].bits.mean - want) / fmax(want, 1e-3));
        squares = fmax(squares, fabs(summary.term[t].mse - error) / error);
    }
    const double want = 0.5 * (total[0] + total[1]), apart = 0.5 * fabs(total[0] - total[1]);
    print_message("%s: terms %.1e, x0 %.1e, total %.1e\n", variant, bits, squares,
                  fabs(summary.total.mean - want) / want);
    CHECK_LE(bits, 3e-6);
    CHECK_LE(squares, 6e-6);
    CHECK_LE(fabs(summary.total.mean - want), 1e-6 * want);
    /* Of two numbers the standard error is half of what lies between them. */
    CHECK_LE(fabs(summary.total.standard_error - apart), 1e-4 * want);
    ddpm_bpd_summary_free(&summary);
    free(scratch);
    free(f->units);
    free(index);
    free(total);
    free(mse);
    free(vb);
}

static void an_evaluation_comes_to_the_bits_of_float64(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        ddpm_variance variance;
        bool clip;
    } variants[] = {
        { "fixedlarge_clip", DDPM_VARIANCE_FIXEDLARGE, true },
        { "fixedlarge_noclip", DDPM_VARIANCE_FIXEDLARGE, false },
        { "fixedsmall_clip", DDPM_VARIANCE_FIXEDSMALL, true },
        { "fixedsmall_noclip", DDPM_VARIANCE_FIXEDSMALL, false },
    };
    fixture f = { 0 };
    ddpm_schedule *full = NULL, *spaced = NULL;
    ddpm_bpd_stratum *strata;
    size_t count;
    CHECK_OK(ddpm_kernels_init());
    golden *model = golden_open("unet_tiny");
    const ddpm_unet_config config = load_golden_config(model, "tiny");
    CHECK_OK(ddpm_unet_create(&f.unet, &config, BATCH, DDPM_UNET_INFERENCE));
    f.weights = calloc(ddpm_unet_params(f.unet)->total, sizeof *f.weights);
    assert_non_null(f.weights);
    load_golden_weights(model, "tiny/params", ddpm_unet_params(f.unet), f.weights);
    golden_close(model);
    golden *file = golden_open("vlb");
    float *x0 = golden_f32(file, &count, "x0");
    f.noise = golden_f32(file, NULL, "%s/noise", group);
    CHECK_OK(ddpm_schedule_create(&full, "linear", 1000, 1e-4, 0.02));
    CHECK_OK(ddpm_schedule_space(&spaced, full, "sections", 50));
    for (size_t v = 0; v < sizeof variants / sizeof *variants; v++) {
        f.options = (ddpm_bpd_options){ .schedule = spaced,
                                        .trained = full,
                                        .prediction = DDPM_PREDICT_EPS,
                                        .variance = variants[v].variance,
                                        .clip = variants[v].clip,
                                        .batch = BATCH,
                                        .d = count / BATCH,
                                        .channels = config.in_channels,
                                        .network = network,
                                        .network_context = &f,
                                        .noise = noise,
                                        .noise_context = &f };
        CHECK_OK(ddpm_bpd_strata(&strata, &f.options.strata_count, 50, 0));
        f.options.strata = strata;
        compare(&f, file, x0, variants[v].name);
        free(strata);
    }
    golden_close(file);
    ddpm_schedule_free(full);
    ddpm_schedule_free(spaced);
    ddpm_unet_free(f.unet);
    free(f.weights);
    free(f.noise);
    free(x0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_evaluation_comes_to_the_bits_of_float64),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
