#include "ddpm/diffusion/loss.h"

#include "ddpm/diffusion/bound.h"
#include "names.h"

#include <assert.h>

const char *const ddpm_loss_names[] = { "mse", "kl", "hybrid", NULL };

ddpm_status ddpm_loss_find(ddpm_loss *out, const char *name)
{
    size_t place;
    DDPM_TRY(ddpm_diffusion__place(&place, "loss", name, ddpm_loss_names));
    *out = (ddpm_loss)place;
    return DDPM_OK;
}

ddpm_status ddpm_objective_check(const ddpm_objective *objective)
{
    const bool flows = objective->schedule->is_flow;
    const bool learned = ddpm_variance_is_learned(objective->variance);
    const char *loss = ddpm_loss_names[objective->loss];
    const char *prediction = ddpm_prediction_names[objective->prediction];
    if (flows != (objective->prediction == DDPM_PREDICT_VELOCITY))
        return ddpm_fail(DDPM_ECONFIG,
                         "%s cannot be predicted for a %s: a flow has a velocity, and a diffusion "
                         "eps, x0, xprev or v",
                         prediction, flows ? "flow" : "diffusion");
    if (flows && objective->loss != DDPM_LOSS_MSE)
        return ddpm_fail(DDPM_ECONFIG,
                         "loss %s: the bound is that of a diffusion; a flow is "
                         "trained by mse",
                         loss);
    if (learned && objective->loss == DDPM_LOSS_MSE)
        return ddpm_fail(DDPM_ECONFIG,
                         "variance %s is learned by the bound, which loss mse does not have: take "
                         "hybrid or kl, or a fixed variance",
                         ddpm_variance_names[objective->variance]);
    if (!learned && objective->loss == DDPM_LOSS_HYBRID)
        return ddpm_fail(DDPM_ECONFIG,
                         "loss hybrid learns a variance, and %s is fixed: take learned_range, or "
                         "loss mse",
                         ddpm_variance_names[objective->variance]);
    if (objective->min_snr_gamma > 0.0 && objective->loss == DDPM_LOSS_KL)
        return ddpm_fail(DDPM_ECONFIG,
                         "loss kl has the bound's own weights: min-SNR is for mse and "
                         "hybrid");
    return DDPM_OK;
}

void ddpm_mse_loss(double *per_image, float *d_prediction, const float *prediction,
                   const float *target, size_t n, size_t d, const double *weight)
{
    for (size_t i = 0; i < n; i++) {
        /* d/dp weight mean (p - target)^2 = 2 weight / D (p - target) */
        const double slope = 2.0 * weight[i] / (double)d;
        const size_t end = (i + 1) * d;
        double sum = 0.0;
        for (size_t j = i * d; j < end; j++) {
            const double error = (double)prediction[j] - (double)target[j];
            sum += error * error;
            if (d_prediction) d_prediction[j] = (float)(slope * error);
        }
        per_image[i] = sum / (double)d;
    }
}

static ddpm_bound_step step_of(const ddpm_lesson *lesson, size_t i, const float *x0_hat,
                               const ddpm_objective *objective)
{
    const size_t at = i * lesson->d;
    return (ddpm_bound_step){ .x0 = lesson->x0 + at,
                              .xt = lesson->xt + at,
                              .x0_hat = x0_hat,
                              .said = lesson->said_variance ? lesson->said_variance + at : NULL,
                              .variance = objective->variance,
                              .index = lesson->level[i].index,
                              .schedule = objective->schedule };
}

/* The bound's term of image i and, where they are asked for, its gradients. x0_hat [D] is
 * scratch. */
static double bound_of(float *d_said, float *d_variance, float *x0_hat, const ddpm_lesson *lesson,
                       size_t i, double scale, const ddpm_objective *objective)
{
    const size_t d = lesson->d, at = i * d;
    const ddpm_level *level = &lesson->level[i];
    ddpm_prediction_x0(x0_hat, lesson->xt + at, lesson->said + at, level, d, objective->prediction,
                       objective->schedule);
    const ddpm_bound_step step = step_of(lesson, i, x0_hat, objective);
    const double bits = ddpm_bound_gradient(d_said ? d_said + at : NULL,
                                            d_variance ? d_variance + at : NULL, &step, d, scale);
    if (!d_said) return bits;
    const double of_said =
        ddpm_prediction_coefficients(level, objective->prediction, objective->schedule).of_said;
    for (size_t j = at; j < at + d; j++) d_said[j] = (float)((double)d_said[j] * of_said);
    return bits;
}

static void kl_loss(double *per_image, float *d_said, float *d_variance, float *x0_hat,
                    const ddpm_lesson *lesson, double share, const ddpm_objective *objective)
{
    for (size_t i = 0; i < lesson->n; i++)
        per_image[i] = bound_of(d_said, d_variance, x0_hat, lesson, i, share * lesson->weight[i],
                                objective);
}

void ddpm_objective_loss(double *per_image, float *d_said, float *d_variance, float *target,
                         const ddpm_lesson *lesson, double share, const ddpm_objective *objective)
{
    const size_t n = lesson->n, d = lesson->d;
    const ddpm_schedule *schedule = objective->schedule;
    assert(ddpm_variance_is_learned(objective->variance) == (d_variance != NULL));
    if (objective->loss == DDPM_LOSS_KL) {
        kl_loss(per_image, d_said, d_variance, target, lesson, share, objective);
        return;
    }
    const double bound_share = (double)schedule->steps / 1000.0;
    for (size_t i = 0; i < n; i++) { /* image by image: d_said may be said */
        const size_t at = i * d;
        const ddpm_level *level = &lesson->level[i];
        double bits = 0.0;
        if (objective->loss == DDPM_LOSS_HYBRID) /* the mean is not to learn from it */
            bits = bound_of(NULL, d_variance, target, lesson, i,
                            share * lesson->weight[i] * bound_share, objective);
        const double min_snr = objective->min_snr_gamma > 0.0
                                   ? ddpm_min_snr_weight(level, objective->prediction,
                                                         objective->min_snr_gamma, schedule)
                                   : 1.0;
        const double weight = share * lesson->weight[i] * min_snr;
        ddpm_prediction_target(target, lesson->x0 + at, lesson->eps + at, level, 1, d,
                               objective->prediction, schedule);
        ddpm_mse_loss(&per_image[i], d_said + at, lesson->said + at, target, 1, d, &weight);
        per_image[i] = per_image[i] * min_snr + bits * bound_share;
    }
}
