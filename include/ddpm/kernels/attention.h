/** @file kernels/attention.h
 *  Single-head self-attention over the pixels of each image (Vaswani et al. 2017, eq. 1, as used
 *  by DDPM at 16x16): o = softmax(q k^T / sqrt(C)) v, float32. */
#ifndef DDPM_KERNELS_ATTENTION_H
#define DDPM_KERNELS_ATTENTION_H
#include <stdbool.h>
#include <stddef.h>

typedef struct {
    size_t n, tokens, c; /**< images; pixels an image; channels */
    size_t row_stride;   /**< floats from one token of q, k, v (and dq, dk, dv) to the next; c, or
                              3c where q, k and v lie side by side; o and do are dense */
    bool bf16;           /**< as in kernels/linear.h */
} ddpm_attention;

/** o [N,tokens,C] overwritten; probabilities [N,tokens,tokens] overwritten and kept for the
 * backward pass; q, k, v [N,tokens,row_stride]. Cannot fail, allocates nothing. */
void ddpm_attention_forward(float *o, float *probabilities, const float *q, const float *k,
                            const float *v, const ddpm_attention *op);
/** Adjoint: dq, dk, dv overwritten. scratch: ddpm_attention_scratch_bytes(op), 64-byte aligned. */
void ddpm_attention_backward(float *dq, float *dk, float *dv, const float *d_o,
                             const float *probabilities, const float *q, const float *k,
                             const float *v, void *scratch, const ddpm_attention *op);
size_t ddpm_attention_scratch_bytes(const ddpm_attention *op);
#endif
