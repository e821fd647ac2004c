/* A 3x3 convolution by itself, or behind what is cheap to do again: conv_in (nothing), the
 * downsamplers (stride 2), the upsamplers (every pixel twice), the tail (norm and SiLU).
 *   p = before(x),  y = conv(p) */
#ifndef DDPM_NN_CONV_BLOCK_H
#define DDPM_NN_CONV_BLOCK_H
#include "layers.h"

typedef enum { DDPM_NN__PLAIN, DDPM_NN__UPSAMPLE, DDPM_NN__NORM_SILU } ddpm_nn__before;

typedef struct {
    ddpm_shape in;
    size_t out, stride; /* channels; 1 or 2 */
    ddpm_nn__before before;
    size_t groups; /* of the norm, where there is one */
    float epsilon;
    double init_scale;
} ddpm_nn__conv_block_config;

typedef struct {
    ddpm_nn__conv_block_config config;
    ddpm_nn__norm norm;
    ddpm_nn__conv conv;
    size_t p, p_again; /* buffers, forward and backward */
} ddpm_nn__conv_block;

/* The convolution is "prefix.name", the norm before it "conv_norm_out". */
void ddpm_nn__conv_block_add(ddpm_nn__conv_block *block, ddpm_nn__build *build, const char *prefix,
                             const char *name, const ddpm_nn__conv_block_config *config);
void ddpm_nn__conv_block_free(ddpm_nn__conv_block *block);
void ddpm_nn__conv_block_forward(float *y, const float *x, const ddpm_nn__conv_block *block,
                                 const ddpm_nn__run *run);
/* dx is overwritten; only a plain block takes NULL for it. */
void ddpm_nn__conv_block_backward(float *dx, const float *dy, const float *x,
                                  const ddpm_nn__conv_block *block, const ddpm_nn__run *run);
#endif
