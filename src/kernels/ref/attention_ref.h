/* Self-attention written as its definition, in double: what the tests believe. All outputs are
 * overwritten; shapes as in ddpm/kernels/attention.h, with dq, dk, dv laid out as q, k, v are. */
#ifndef DDPM_KERNELS_REF_ATTENTION_REF_H
#define DDPM_KERNELS_REF_ATTENTION_REF_H
#include "ddpm/kernels/attention.h"

void ddpm_attention_forward_ref(double *o, double *probabilities, const float *q, const float *k,
                                const float *v, const ddpm_attention *op);
/** probabilities: from the forward pass. */
void ddpm_attention_backward_ref(double *dq, double *dk, double *dv, const float *d_o,
                                 const double *probabilities, const float *q, const float *k,
                                 const float *v, const ddpm_attention *op);
#endif
