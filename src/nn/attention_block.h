/* Attention block (Ho et al. 2020, appendix B), one head over the pixels of each image:
 *   n = norm(x);  q, k, v = to_q(n), to_k(n), to_v(n)
 *   o = softmax(q k^T C^-1/2) v
 *   y = to_out(o) + x
 * Kept for the backward pass: q, k, v, the probabilities, o, mean and rstd. Done again, unless
 * build->keep: n. */
#ifndef DDPM_NN_ATTENTION_BLOCK_H
#define DDPM_NN_ATTENTION_BLOCK_H
#include "layers.h"

#include "ddpm/kernels/attention.h"

typedef struct {
    ddpm_shape shape;
    ddpm_attention op;
    ddpm_nn__norm norm;
    ddpm_nn__linear to_q, to_k, to_v, to_out;
    size_t n, q, k, v, probabilities, o; /* buffers of the forward pass; all but n kept */
    size_t n_kept;                       /* n, or none */
    size_t d_o, dq, dk, dv;              /* buffers of the backward pass */
} ddpm_nn__attention_block;

void ddpm_nn__attention_block_add(ddpm_nn__attention_block *block, ddpm_nn__build *build,
                                  const char *prefix, ddpm_shape shape, size_t groups,
                                  float epsilon);
/* y, x [N,H,W,C]. */
void ddpm_nn__attention_block_forward(float *y, const float *x,
                                      const ddpm_nn__attention_block *block,
                                      const ddpm_nn__run *run);
/* dx is overwritten. */
void ddpm_nn__attention_block_backward(float *dx, const float *dy, const float *x,
                                       const ddpm_nn__attention_block *block,
                                       const ddpm_nn__run *run);
#endif
