#include "ddpm/diffusion/bound.h"

#include <assert.h>
#include <math.h>

static const double ln2 = 0.693147180559945309417;
static const double sqrt_2_over_pi = 0.797884560802865355880;

/* A value with its derivatives by the mean and by the log variance of p. */
typedef struct {
    double value, d_mean, d_log_variance;
} term;

/* KL of two normals in nats: (lv2 - lv1 + exp(lv1 - lv2) + (m1 - m2)^2 exp(-lv2) - 1) / 2 */
static term divergence(double m1, double lv1, double m2, double lv2)
{
    const double ratio = exp(lv1 - lv2), precision = exp(-lv2), apart = m2 - m1;
    const double square = apart * apart * precision;
    return (term){ 0.5 * (lv2 - lv1 + ratio + square - 1.0), apart * precision,
                   0.5 * (1.0 - ratio - square) };
}

/* The standard normal's distribution function as the official code has it, with its slope. */
static double phi(double *slope, double z)
{
    const double th = tanh(sqrt_2_over_pi * (z + 0.044715 * z * z * z));
    *slope = 0.5 * (1.0 - th * th) * sqrt_2_over_pi * (1.0 + 3.0 * 0.044715 * z * z);
    return 0.5 * (1.0 + th);
}

/* -log of the mass of the pixel's bin in nats. The outer bins have no outer edge (DDPM eq. 13). */
static term decoder(double x, double mean, double log_variance)
{
    const double half_bin = 1.0 / 255.0, least = 1e-12;
    const double inverse = exp(-0.5 * log_variance), centred = x - mean;
    const double upper = inverse * (centred + half_bin), lower = inverse * (centred - half_bin);
    double d_upper, d_lower, mass;
    const double below_upper = phi(&d_upper, upper), below_lower = phi(&d_lower, lower);
    if (x < -0.999) {
        mass = below_upper;
        d_lower = 0.0;
    } else if (x > 0.999) {
        mass = 1.0 - below_lower;
        d_upper = 0.0;
    } else
        mass = below_upper - below_lower;
    if (!(mass > least)) return (term){ -log(isnan(mass) ? mass : least), 0.0, 0.0 };
    /* dz/dmean = -inverse, dz/dlog_variance = -z/2 */
    return (term){ -log(mass), inverse * (d_upper - d_lower) / mass,
                   0.5 * (upper * d_upper - lower * d_lower) / mass };
}

double ddpm_bound_gradient(float *d_x0_hat, float *d_said, const ddpm_bound_step *step, size_t d,
                           double scale)
{
    const ddpm_schedule *schedule = step->schedule;
    const size_t t = step->index;
    assert(t < schedule->steps);
    const ddpm_posterior posterior = ddpm_posterior_at(schedule, t);
    const double true_log_variance = schedule->posterior_log_variance_clipped[t];
    const ddpm_log_variance at = ddpm_log_variance_at(schedule, t, step->variance);
    const double unit = 1.0 / (ln2 * (double)d);
    double sum = 0.0;
    for (size_t i = 0; i < d; i++) {
        const double log_variance = step->said ? ddpm_log_variance_of(&at, step->said[i]) : at.base;
        const double mean = ddpm_posterior_mean(&posterior, step->x0_hat[i], step->xt[i]);
        const double true_mean = ddpm_posterior_mean(&posterior, step->x0[i], step->xt[i]);
        const term of = t == 0 ? decoder((double)step->x0[i], mean, log_variance)
                               : divergence(true_mean, true_log_variance, mean, log_variance);
        sum += of.value;
        if (d_x0_hat) d_x0_hat[i] = (float)(scale * unit * of.d_mean * posterior.of_x0);
        if (d_said) d_said[i] = (float)(scale * unit * of.d_log_variance * at.slope);
    }
    return sum * unit;
}

double ddpm_bound_term(const ddpm_bound_step *step, size_t d)
{
    return ddpm_bound_gradient(NULL, NULL, step, d, 0.0);
}

double ddpm_bound_prior(const float *x0, size_t d, const ddpm_schedule *schedule)
{
    const size_t last = schedule->steps - 1;
    const double signal = schedule->sqrt_alpha_bar[last];
    const double log_variance = schedule->log_one_minus_alpha_bar[last];
    double sum = 0.0;
    for (size_t i = 0; i < d; i++)
        sum += divergence(signal * (double)x0[i], log_variance, 0.0, 0.0).value;
    return sum / (ln2 * (double)d);
}
