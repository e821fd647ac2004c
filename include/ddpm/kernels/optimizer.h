/** @file kernels/optimizer.h
 *  Adam (Kingma & Ba 2015, algorithm 1, in PyTorch's form: epsilon outside the corrected root) and
 *  exponential moving averages, one pass over flat float32 buffers. */
#ifndef DDPM_KERNELS_OPTIMIZER_H
#define DDPM_KERNELS_OPTIMIZER_H
#include <stddef.h>
#include <stdint.h>

enum { DDPM_EMA_MOST = 8 };

typedef struct {
    double lr, beta1, beta2, epsilon;
    uint64_t step;      /**< counted from 0: corrections use step + 1 */
    double grad_factor; /**< every gradient is multiplied by it first: clipping, 1/micro-batches */
} ddpm_adam;

typedef struct {
    size_t count;
    float *average[DDPM_EMA_MOST]; /**< each of the buffer's length */
    double decay[DDPM_EMA_MOST];
} ddpm_ema;

/** For i < count, with g = grad_factor grad: m = b1 m + (1-b1) g; v = b2 v + (1-b2) g^2;
 *  p -= lr mhat / (sqrt(vhat) + epsilon); then every average: e = d e + (1-d) p.
 *  p, m, v and the averages are updated in place, elementwise, so any cut of the buffer into ranges
 *  gives the same bits. ema may be NULL. */
void ddpm_adam_ema_step(float *p, float *m, float *v, const float *grad, size_t count,
                        const ddpm_adam *adam, const ddpm_ema *ema);
#endif
