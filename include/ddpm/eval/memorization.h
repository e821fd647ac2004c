/** @file eval/memorization.h
 *  Whether a model repeats its training images: how near its samples come to them, against how near
 *  images come that it never saw. */
#ifndef DDPM_EVAL_MEMORIZATION_H
#define DDPM_EVAL_MEMORIZATION_H
#include "ddpm/eval/neighbours.h"

/** Nearer than half a grey level an image is a copy: as 8 bits hold it, it stands in the training
 * set.
 */
#define DDPM_NEARNESS_COPY 0.5

/** Distances are root mean squares over pixels, of 0 .. 255. */
typedef struct {
    size_t images;
    size_t copies;        /**< nearer than DDPM_NEARNESS_COPY */
    double median, least; /**< distance to the nearest training image */
    double standing_out;  /**< share whose nearest is nearer than a third of the second nearest:
                               a copy of one image (Yoon et al. 2023); not one of an image that
                               is twice in the training set, which `copies` has */
    double *sorted;       /**< [images], ascending; malloc'ed */
} ddpm_nearness;
/** nearest [n,2] of images of d values in [-1,1]. DDPM_EOS. */
DDPM_NODISCARD ddpm_status ddpm_nearness_of(ddpm_nearness *out, const ddpm_neighbour *nearest,
                                            size_t n, size_t d);
void ddpm_nearness_free(ddpm_nearness *nearness);
/** Median of `samples` by that of `held_out`: near 1 nothing is remembered. NaN where the latter is
 *  that of a copy, because half of these images were trained on. */
double ddpm_nearness_ratio(const ddpm_nearness *samples, const ddpm_nearness *held_out);
/** Share of `samples` that are nearer than the `quantile` of `held_out`: about the quantile where
 *  nothing is remembered. NaN where that is the distance of a copy. */
double ddpm_nearness_share_below(const ddpm_nearness *samples, const ddpm_nearness *held_out,
                                 double quantile);
#endif
