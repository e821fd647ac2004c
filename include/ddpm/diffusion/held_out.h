/** @file diffusion/held_out.h
 *  The training loss of images that nothing is learned from, by quarter of the timesteps.
 *
 *  Every image has one evaluation in each quarter, at a timestep drawn uniformly from it, with
 * noise of its own. Both are keyed by the image's index and the seed, so that evaluations of one
 * run differ by the weights alone. The loss is the mean over all timesteps alike, however the
 * training draws its own. */
#ifndef DDPM_DIFFUSION_HELD_OUT_H
#define DDPM_DIFFUSION_HELD_OUT_H
#include "ddpm/diffusion/bpd.h"
#include "ddpm/diffusion/loss.h"

typedef struct {
    const ddpm_objective *objective;
    uint64_t seed;
    size_t batch, d, channels;
    ddpm_bpd_network *network; /**< as the bound's */
    void *network_context;
} ddpm_held_out_options;

size_t ddpm_held_out_scratch_floats(const ddpm_held_out_options *options);

/** A call of the network: sum of the losses in a quarter of images first .. first + count - 1, x0
 *  [batch,D], of which those from `count` on are evaluated and left out; batch <=
 *  DDPM_BPD_BATCH_MOST. 0, without a call, where the quarter has no timestep. */
double ddpm_held_out_call(float *scratch, const float *x0, uint64_t first, size_t count,
                          size_t quarter, const ddpm_held_out_options *options);

typedef struct {
    double mean;                    /**< over images and all timesteps */
    double quarter[DDPM_QUARTILES]; /**< NaN where a quarter has no timestep */
} ddpm_held_out_loss;
/** From the sums [DDPM_QUARTILES] over all `images` images. */
ddpm_held_out_loss ddpm_held_out_mean(const double *sums, size_t images,
                                      const ddpm_schedule *schedule);
#endif
