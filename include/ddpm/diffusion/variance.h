/** @file diffusion/variance.h  The variance of p(x_{t-1} | x_t). */
#ifndef DDPM_DIFFUSION_VARIANCE_H
#define DDPM_DIFFUSION_VARIANCE_H
#include "ddpm/base/status.h"
#include "ddpm/diffusion/schedule.h"

#include <stdbool.h>

typedef enum {
    DDPM_VARIANCE_FIXEDLARGE,   /**< beta_t (DDPM section 3.2) */
    DDPM_VARIANCE_FIXEDSMALL,   /**< the posterior's, DDPM eq. 7 */
    DDPM_VARIANCE_LEARNED,      /**< its logarithm is the network's second half (DDPM's code) */
    DDPM_VARIANCE_LEARNED_RANGE /**< the second half, from -1 to 1, picks a logarithm between
                                     fixedsmall's and fixedlarge's (Nichol & Dhariwal 2021 eq. 15)
                                 */
} ddpm_variance;

/** "fixedlarge", "fixedsmall", "learned", "learned_range"; NULL-terminated. */
extern const char *const ddpm_variance_names[];
/** DDPM_ECONFIG: unknown, with the nearest. */
DDPM_NODISCARD ddpm_status ddpm_variance_find(ddpm_variance *out, const char *name);
/** Whether the network says something about it, in as many channels again. */
static inline bool ddpm_variance_is_learned(ddpm_variance variance)
{
    return variance == DDPM_VARIANCE_LEARNED || variance == DDPM_VARIANCE_LEARNED_RANGE;
}

/** Such a network says two things of every pixel, one beside the other: both [pixels, 2 channels]
 * are said and variance [pixels, channels]. To split, variance may be NULL. */
void ddpm_variance_split(float *said, float *variance, const float *both, size_t pixels,
                         size_t channels);
void ddpm_variance_join(float *both, const float *said, const float *variance, size_t pixels,
                        size_t channels);

/** log variance = base + slope * (what the network said). */
typedef struct {
    double base, slope;
} ddpm_log_variance;
ddpm_log_variance ddpm_log_variance_at(const ddpm_schedule *schedule, size_t index,
                                       ddpm_variance variance);
static inline double ddpm_log_variance_of(const ddpm_log_variance *at, float said)
{
    return at->base + at->slope * (double)said;
}
#endif
