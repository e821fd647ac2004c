#include "ddpm/diffusion/prediction.h"

#include "names.h"

#include <assert.h>
#include <math.h>

const char *const ddpm_prediction_names[] = { "eps", "x0", "xprev", "v", "velocity", NULL };

ddpm_status ddpm_prediction_find(ddpm_prediction *out, const char *name)
{
    size_t place;
    DDPM_TRY(ddpm_diffusion__place(&place, "prediction", name, ddpm_prediction_names));
    *out = (ddpm_prediction)place;
    return DDPM_OK;
}

ddpm_level ddpm_level_at(const ddpm_schedule *schedule, size_t index)
{
    assert(index < schedule->steps);
    return (ddpm_level){ .index = index,
                         .signal = schedule->sqrt_alpha_bar[index],
                         .noise = schedule->sqrt_one_minus_alpha_bar[index],
                         .network = schedule->timestep[index] };
}

/* target = of_x0 x_0 + of_eps eps */
typedef struct {
    double of_x0, of_eps;
} target;

static target target_at(const ddpm_level *level, ddpm_prediction kind,
                        const ddpm_schedule *schedule)
{
    switch (kind) {
    case DDPM_PREDICT_EPS: break;
    case DDPM_PREDICT_X0: return (target){ 1.0, 0.0 };
    case DDPM_PREDICT_XPREV: { /* eq. 7 */
        const ddpm_posterior of = ddpm_posterior_at(schedule, level->index);
        return (target){ of.of_x0 + of.of_xt * level->signal, of.of_xt * level->noise };
    }
    case DDPM_PREDICT_V: return (target){ -level->noise, level->signal };
    case DDPM_PREDICT_VELOCITY: return (target){ -1.0, 1.0 };
    }
    return (target){ 0.0, 1.0 };
}

void ddpm_prediction_target(float *out, const float *x0, const float *eps, const ddpm_level *level,
                            size_t n, size_t d, ddpm_prediction kind, const ddpm_schedule *schedule)
{
    for (size_t i = 0; i < n; i++) {
        const target of = target_at(&level[i], kind, schedule);
        const size_t end = (i + 1) * d;
        for (size_t j = i * d; j < end; j++)
            out[j] = (float)(of.of_x0 * (double)x0[j] + of.of_eps * (double)eps[j]);
    }
}

ddpm_prediction_to_x0 ddpm_prediction_coefficients(const ddpm_level *level, ddpm_prediction kind,
                                                   const ddpm_schedule *schedule)
{
    const double signal = level->signal, noise = level->noise;
    switch (kind) {
    case DDPM_PREDICT_EPS: break;
    case DDPM_PREDICT_X0: return (ddpm_prediction_to_x0){ 0.0, 1.0 };
    case DDPM_PREDICT_XPREV: {
        const ddpm_posterior of = ddpm_posterior_at(schedule, level->index);
        return (ddpm_prediction_to_x0){ -of.of_xt / of.of_x0, 1.0 / of.of_x0 };
    }
    /* signal x_t - noise v = (signal^2 + noise^2) x_0, and their squares sum to 1 */
    case DDPM_PREDICT_V: return (ddpm_prediction_to_x0){ signal, -noise };
    /* x_t - noise (eps - x_0) = (signal + noise) x_0, and they sum to 1 */
    case DDPM_PREDICT_VELOCITY: return (ddpm_prediction_to_x0){ 1.0, -noise };
    }
    if (signal <= 0.0) return (ddpm_prediction_to_x0){ 0.0, 0.0 };
    return (ddpm_prediction_to_x0){ 1.0 / signal, -noise / signal }; /* DDPM eq. 15 */
}

void ddpm_prediction_x0(float *x0, const float *xt, const float *said, const ddpm_level *level,
                        size_t d, ddpm_prediction kind, const ddpm_schedule *schedule)
{
    const ddpm_prediction_to_x0 of = ddpm_prediction_coefficients(level, kind, schedule);
    for (size_t j = 0; j < d; j++)
        x0[j] = (float)(of.of_xt * (double)xt[j] + of.of_said * (double)said[j]);
}

/* The error of x_0 is of_said times the error of what is said, so weighing the latter by
 * min(SNR, gamma) of_said^2 weighs the former by min(SNR, gamma). */
double ddpm_min_snr_weight(const ddpm_level *level, ddpm_prediction kind, double gamma,
                           const ddpm_schedule *schedule)
{
    if (level->noise <= 0.0) return 0.0;
    const double ratio = level->signal / level->noise, snr = ratio * ratio;
    if (kind == DDPM_PREDICT_EPS) return snr > gamma ? gamma / snr : 1.0; /* also where SNR = 0 */
    const double of_said = ddpm_prediction_coefficients(level, kind, schedule).of_said;
    return fmin(snr, gamma) * of_said * of_said;
}
