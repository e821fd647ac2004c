/* Where the numbers of a call and of a unit stand. */
#ifndef BPD_UNIT_H
#define BPD_UNIT_H
#include "ddpm/diffusion/bpd.h"
#include "ddpm/diffusion/timesteps.h"

/* Of each image of a call: bits and squared error in the stratum, and in stratum 0 its L_T. */
enum { BPD_CALL_BITS = 0, BPD_CALL_MSE, BPD_CALL_PRIOR, BPD_CALL_VALUES };

/* The unit's images; sums over them of the bits of L_1 .. L_{T-1} by quarter of T; of each stratum
 * the sums over images of bits, of their squares and of the squared error; of each image its bits
 * and its L_T (0 but in segment 0) and L_0 (likewise). */
enum {
    BPD_COUNT = 0,
    BPD_QUARTERS = 1,
    BPD_STRATA = BPD_QUARTERS + DDPM_QUARTILES,
    BPD_BITS = 0, /* of a stratum */
    BPD_SQUARES,
    BPD_MSE,
    BPD_STRATUM_VALUES,
    BPD_IMAGE_BITS = 0, /* of an image */
    BPD_IMAGE_PRIOR,
    BPD_IMAGE_DECODER,
    BPD_IMAGE_VALUES
};

static inline size_t bpd_segment_most(const ddpm_bpd_options *options)
{
    return options->strata_count < DDPM_BPD_SEGMENT ? options->strata_count : DDPM_BPD_SEGMENT;
}
static inline size_t bpd_images_at(const ddpm_bpd_options *options)
{
    return BPD_STRATA + BPD_STRATUM_VALUES * bpd_segment_most(options);
}
/* Strata of a segment: the last has fewer. */
static inline size_t bpd_segment_strata(const ddpm_bpd_options *options, size_t segment)
{
    const size_t most = bpd_segment_most(options), left = options->strata_count - segment * most;
    return left < most ? left : most;
}
/* The image's timestep in stratum k. */
size_t ddpm_diffusion__bpd_timestep(uint64_t image, size_t k, const ddpm_bpd_options *options);
#endif
