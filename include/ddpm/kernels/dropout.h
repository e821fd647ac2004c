/** @file kernels/dropout.h
 *  Dropout (Srivastava et al. 2014, inverted): the mask is a pure function of (seed, global sample
 *  index, layer), so the backward pass draws it again instead of keeping it. */
#ifndef DDPM_KERNELS_DROPOUT_H
#define DDPM_KERNELS_DROPOUT_H
#include "ddpm/base/shape.h"

#include <stdint.h>

typedef struct {
    ddpm_shape shape;
    float p;        /**< the probability to drop, in [0, 1) */
    uint32_t layer; /**< stream of the random numbers, < 2^24 */
} ddpm_dropout;

/** mask [N,H,W,C], one byte an element: 1 keeps. sample_index [N]: the global index of each image.
 *  Cannot fail. */
void ddpm_dropout_mask(uint8_t *mask, uint64_t seed, const uint64_t *sample_index,
                       const ddpm_dropout *op);
/** y = x mask / (1 - p). Forward with x, backward with dy; y may be x. */
void ddpm_dropout_apply(float *y, const float *x, const uint8_t *mask, const ddpm_dropout *op);
#endif
