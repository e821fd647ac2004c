/** @file diffusion/prediction.h
 *  What a network is asked for. Every choice is linear in x_0 and eps, so that each can be turned
 *  into each other; the network's loss weighs noise levels differently, and that is all. */
#ifndef DDPM_DIFFUSION_PREDICTION_H
#define DDPM_DIFFUSION_PREDICTION_H
#include "ddpm/base/status.h"
#include "ddpm/diffusion/schedule.h"

typedef enum {
    DDPM_PREDICT_EPS,     /**< the noise (DDPM section 3.2) */
    DDPM_PREDICT_X0,      /**< the image */
    DDPM_PREDICT_XPREV,   /**< the mean of q(x_{t-1} | x_t, x_0), mu of DDPM eq. 8 */
    DDPM_PREDICT_V,       /**< signal eps - noise x_0 (Salimans & Ho 2022) */
    DDPM_PREDICT_VELOCITY /**< eps - x_0, d x_t / dt of the rectified flow (Liu et al. 2022) */
} ddpm_prediction;

/** "eps", "x0", "xprev", "v", "velocity" in the order of the enumeration; NULL-terminated. */
extern const char *const ddpm_prediction_names[];
/** DDPM_ECONFIG: unknown, with the nearest. */
DDPM_NODISCARD ddpm_status ddpm_prediction_find(ddpm_prediction *out, const char *name);

/** A noise level: x_t = signal x_0 + noise eps. */
typedef struct {
    size_t index;   /**< into the schedule; of a flow, where in T equal parts of [0, 1] it lies */
    double signal;  /**< sqrt(abar_t) (DDPM eq. 4); 1 - t of a flow */
    double noise;   /**< sqrt(1 - abar_t); t of a flow */
    double network; /**< the time that the network is told: 0 .. T-1; 1000 t of a flow */
} ddpm_level;

/** Level `index` of a schedule. */
ddpm_level ddpm_level_at(const ddpm_schedule *schedule, size_t index);

/** The network's target [N,D] for images at level[n]. xprev: `schedule` is the one of `level`;
 *  others do not look at it. target may be x0 or eps. */
void ddpm_prediction_target(float *target, const float *x0, const float *eps,
                            const ddpm_level *level, size_t n, size_t d, ddpm_prediction kind,
                            const ddpm_schedule *schedule);
/** x_0 from x_t and what the network said, one image; x0 may be either. eps where there is no
 *  signal: x_t holds nothing of x_0, and 0, the middle of its range, is the answer. */
void ddpm_prediction_x0(float *x0, const float *xt, const float *said, const ddpm_level *level,
                        size_t d, ddpm_prediction kind, const ddpm_schedule *schedule);
/** Those two numbers: x_0 = of_xt x_t + of_said said. */
typedef struct {
    double of_xt, of_said;
} ddpm_prediction_to_x0;
ddpm_prediction_to_x0 ddpm_prediction_coefficients(const ddpm_level *level, ddpm_prediction kind,
                                                   const ddpm_schedule *schedule);
/** Weight of an image's squared error by min-SNR (Hang et al. 2023): min(SNR, gamma) of the error
 *  of x_0, in terms of what is predicted. SNR = (signal / noise)^2. */
double ddpm_min_snr_weight(const ddpm_level *level, ddpm_prediction kind, double gamma,
                           const ddpm_schedule *schedule);
#endif
