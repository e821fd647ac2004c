/** @file eval/swd.h
 *  Sliced Wasserstein distance between patches of two sets of images, at each level of their
 *  Laplacian pyramids (Karras et al. 2018, section 5): no network, and by scale. */
#ifndef DDPM_EVAL_SWD_H
#define DDPM_EVAL_SWD_H
#include "ddpm/base/shape.h"
#include "ddpm/eval/neighbours.h"

enum { DDPM_SWD_PATCH = 7, DDPM_SWD_LEVELS = 8 };

typedef struct {
    ddpm_shape shape;  /**< n: images of each set; h and w at least DDPM_SWD_PATCH */
    size_t patches;    /**< an image; 128 in the paper */
    size_t directions; /**< 512 in the paper */
    uint64_t seed;
    ddpm_row_reader *read[2]; /**< images of either set, [count,H,W,C] */
    void *context[2];
    ddpm_comm *comm; /**< the ranks that share the work; NULL: this process alone */
} ddpm_swd_options;

typedef struct {
    size_t levels;
    size_t side[DDPM_SWD_LEVELS];     /**< the smaller side of each level, the finest first */
    double distance[DDPM_SWD_LEVELS]; /**< times 1000, as in the paper */
    double mean;                      /**< over levels */
} ddpm_swd;

/** Levels of an image of that size: halved as long as both sides are even and come to 16 or more.
 */
size_t ddpm_swd_levels(ddpm_shape shape);
/** The same bits on any number of ranks. Each holds all patches of a level: 2 n patches 49 C
 * floats. Collective. DDPM_ECONFIG: images smaller than a patch; DDPM_EOS; what a reader failed
 * with. */
DDPM_NODISCARD ddpm_status ddpm_swd_of(ddpm_swd *out, const ddpm_swd_options *options);
#endif
