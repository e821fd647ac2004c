/** @file diffusion/bpd.h
 *  Bits a dimension of images by the variational bound (DDPM eq. 5), and their rate-distortion
 *  curve (DDPM figure 5).
 *
 *  The timesteps 0 .. T-1 are cut into strata, and every image has one evaluation in each: a
 * stratum of one timestep is evaluated at it, a wider one at a timestep drawn for the image, which
 * counts as many times as there are timesteps in it. So the sum is unbiased whatever the strata,
 * and with T strata of one it is the whole bound. t = 0 is always a stratum by itself.
 *
 *  Images are evaluated in batches of a fixed size, each by its index in the data set: noise and
 *  timesteps are keyed by it, sums go over images in a batch and batches in order. So results are
 * the same, bit for bit, on any number of ranks and threads, and of a resumed evaluation. */
#ifndef DDPM_DIFFUSION_BPD_H
#define DDPM_DIFFUSION_BPD_H
#include "ddpm/base/status.h"
#include "ddpm/diffusion/prediction.h"
#include "ddpm/diffusion/timesteps.h"
#include "ddpm/diffusion/variance.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    size_t first, count; /**< timesteps, by their index in the schedule */
} ddpm_bpd_stratum;

/** `draws` strata over all `steps` (0: every step one), t = 0 alone, the others wider the further
 *  they are from it, since the terms are largest near it. strata [draws or steps], malloc'ed.
 *  DDPM_ECONFIG: more draws than steps, or one draw of several steps. */
DDPM_NODISCARD ddpm_status ddpm_bpd_strata(ddpm_bpd_stratum **strata, size_t *count, size_t steps,
                                           size_t draws);

/** output [B,H,W,C or 2C] = the network at xt [B,D], times [B]: what it predicts and, where it
 *  learns the variance, pixel by pixel beside it, its word on that. */
typedef void ddpm_bpd_network(float *output, const float *xt, const float *times, void *context);
/** eps [D] of image `image` at index t of the schedule; NULL in the options: by the seed. */
typedef void ddpm_bpd_noise(float *eps, uint64_t image, size_t t, size_t d, void *context);

typedef struct {
    const ddpm_schedule *schedule; /**< of the bound */
    const ddpm_schedule *trained;  /**< of the network; may be the same */
    ddpm_prediction prediction;
    ddpm_variance variance;
    bool clip; /**< the predicted x_0 to [-1,1], as the official code does in evaluation; there and
                    here the mean that a network says as xprev is none of it */
    uint64_t seed;
    size_t batch, d, channels;
    const ddpm_bpd_stratum *strata;
    size_t strata_count;
    ddpm_bpd_network *network;
    void *network_context;
    ddpm_bpd_noise *noise; /**< may be NULL */
    void *noise_context;
} ddpm_bpd_options;

/** DDPM_ECONFIG: a flow, which has no such bound; a prediction or variance that the schedule cannot
 *  be judged with. */
DDPM_NODISCARD ddpm_status ddpm_bpd_check(const ddpm_bpd_options *options);

/** What is computed at once is a call of the network: a batch of images in one stratum. What is
 * kept is a unit: the calls of a batch in DDPM_BPD_SEGMENT strata or fewer, a segment. */
enum { DDPM_BPD_SEGMENT = 50, DDPM_BPD_BATCH_MOST = 256, DDPM_BPD_BATCH = 8 /**< usual */ };
size_t ddpm_bpd_call_values(const ddpm_bpd_options *options); /**< numbers that a call comes to */
size_t ddpm_bpd_unit_values(const ddpm_bpd_options *options); /**< and a unit */
size_t ddpm_bpd_segments(const ddpm_bpd_options *options);    /**< of a batch */
size_t ddpm_bpd_segment(size_t stratum, const ddpm_bpd_options *options); /**< that it lies in */
bool ddpm_bpd_ends_segment(size_t stratum, const ddpm_bpd_options *options);
size_t ddpm_bpd_scratch_floats(const ddpm_bpd_options *options);

/** call [ddpm_bpd_call_values]: images first .. first + batch - 1, x0 [batch,D], in a stratum. */
void ddpm_bpd_call(double *call, float *scratch, const float *x0, uint64_t first, size_t stratum,
                   const ddpm_bpd_options *options);
/** Adds a call's images first .. first + count - 1 (the others are left out) to the values
 *  [ddpm_bpd_unit_values] of the unit that it belongs to. The calls of a unit are added in the
 * order of their strata: the first begins the values. */
void ddpm_bpd_add(double *values, const double *call, uint64_t first, size_t count, size_t stratum,
                  const ddpm_bpd_options *options);

typedef struct {
    double mean, standard_error; /**< over images; NaN of one image */
} ddpm_bpd_estimate;
typedef struct {
    ddpm_bpd_stratum stratum;
    ddpm_bpd_estimate bits; /**< of all timesteps of the stratum together */
    double mse;             /**< mean over images and dimensions of (x0_hat - x0)^2 */
    double rate;            /**< bits a dimension that are known there: L_T and all terms above */
    double rmse;            /**< in 0 .. 255 */
} ddpm_bpd_term;
typedef struct {
    size_t images, terms;
    ddpm_bpd_estimate total, prior, middle, decoder; /**< all; L_T; L_1 .. L_{T-1}; L_0 */
    double quarter[DDPM_QUARTILES];                  /**< `middle` by quarter of T; means */
    ddpm_bpd_term *term;                             /**< [terms], ascending in t; malloc'ed */
} ddpm_bpd_summary;

/** The numbers of a unit, NULL where there are none. Unit u is segment u % segments of batch
 *  u / segments. */
typedef const double *ddpm_bpd_units(size_t unit, void *context);
/** Sums the units of `batches` batches in order. DDPM_EINTERNAL: one is missing; DDPM_EOS. */
DDPM_NODISCARD ddpm_status ddpm_bpd_sum(ddpm_bpd_summary *summary, size_t batches,
                                        ddpm_bpd_units *units, void *context,
                                        const ddpm_bpd_options *options);
void ddpm_bpd_summary_free(ddpm_bpd_summary *summary);
#endif
