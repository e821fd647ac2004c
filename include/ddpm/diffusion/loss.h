/** @file diffusion/loss.h  Training losses and their gradients, float32 data, [N, D]. */
#ifndef DDPM_DIFFUSION_LOSS_H
#define DDPM_DIFFUSION_LOSS_H
#include "ddpm/diffusion/prediction.h"
#include "ddpm/diffusion/variance.h"

#include <stddef.h>

typedef enum {
    DDPM_LOSS_MSE,   /**< L_simple (DDPM eq. 14), of whatever is predicted */
    DDPM_LOSS_KL,    /**< the bound's term at t, in bits a dimension; x_0 is not clipped */
    DDPM_LOSS_HYBRID /**< L_simple, and T / 1000 times the bound's term for the variance alone
                          (Nichol & Dhariwal 2021 eq. 16, as their code scales it) */
} ddpm_loss;

/** "mse", "kl", "hybrid"; NULL-terminated. */
extern const char *const ddpm_loss_names[];
/** DDPM_ECONFIG: unknown, with the nearest. */
DDPM_NODISCARD ddpm_status ddpm_loss_find(ddpm_loss *out, const char *name);

/** What is learned, and by which loss. */
typedef struct {
    ddpm_prediction prediction;
    ddpm_loss loss;
    ddpm_variance variance;
    double min_snr_gamma;          /**< of mse and hybrid; 0: every timestep weighs the same */
    const ddpm_schedule *schedule; /**< of the training */
} ddpm_objective;

/** DDPM_ECONFIG: what does not go together, and why. */
DDPM_NODISCARD ddpm_status ddpm_objective_check(const ddpm_objective *objective);

/** A batch and what the network said of it. */
typedef struct {
    size_t n, d;
    const float *x0, *eps, *xt;
    const ddpm_level *level;    /**< [N] */
    const double *weight;       /**< [N], of ddpm_draw_levels */
    const float *said;          /**< the prediction [N,D] */
    const float *said_variance; /**< [N,D]; NULL where it is fixed */
} ddpm_lesson;

/** per_image [N]: the loss, unweighted but for min-SNR, in double. d_said and d_variance [N,D]
 *  (NULL where that is fixed) are overwritten with the gradient of `share` times the sum of weight
 *  times loss (share = 1 / (global batch) makes it a share of the mean); d_said may be
 *  said, d_variance said_variance. target [N,D] is scratch. */
void ddpm_objective_loss(double *per_image, float *d_said, float *d_variance, float *target,
                         const ddpm_lesson *lesson, double share, const ddpm_objective *objective);

/** L_simple alone: per_image[n] = mean over D of (prediction - target)^2, in double.
 *  d_prediction [N,D] is overwritten with the gradient of the sum over n of weight[n] per_image[n];
 *  may be NULL or prediction. */
void ddpm_mse_loss(double *per_image, float *d_prediction, const float *prediction,
                   const float *target, size_t n, size_t d, const double *weight);
#endif
