/* Time embedding: sinusoids of t (Vaswani et al. 2017, section 3.5, with the DDPM code's
 * frequencies), two dense layers, and the SiLU that every residual block begins its projection
 * with, taken once. */
#ifndef DDPM_NN_TIME_EMBEDDING_H
#define DDPM_NN_TIME_EMBEDDING_H
#include "layers.h"

typedef struct {
    size_t n, channels, width; /* sinusoids; width = 4 channels */
    size_t classes, table;     /* offset of [classes + 1][width] in the flat buffers; 0: none */
    ddpm_nn__linear linear_1, linear_2;
    size_t s, l, a, temb; /* buffers kept for the backward pass, as below */
    size_t dl, dtemb;     /* buffers */
} ddpm_nn__time_embedding;

void ddpm_nn__time_embedding_add(ddpm_nn__time_embedding *block, ddpm_nn__build *build,
                                 const char *prefix, size_t n, size_t channels, size_t classes);

/* s [N,channels] = [sin(t f_0), .., cos(t f_0), ..] and a 0 where channels is odd, with
 * f_i = 10000^(-i / (half - 1)), half = channels / 2. In double, rounded once. */
void ddpm_nn__timestep_embedding(float *s, const float *t, size_t n, size_t channels);

/* temb [N,width] = linear_2(silu(linear_1(s))). */
void ddpm_nn__time_mlp_forward(float *temb, const float *s, const ddpm_nn__time_embedding *block,
                               const ddpm_nn__run *run);
/* ds [N,channels] is overwritten where not NULL. */
void ddpm_nn__time_mlp_backward(float *ds, const float *dtemb, const float *s,
                                const ddpm_nn__time_embedding *block, const ddpm_nn__run *run);

/* e [N,width] = silu(temb(t) + the row of the image's class), that row where there are classes
 * (Dhariwal & Nichol 2021). */
void ddpm_nn__time_embedding_forward(float *e, const float *t, const ddpm_nn__time_embedding *block,
                                     const ddpm_nn__run *run);
/* Parameters only: t has no gradient. */
void ddpm_nn__time_embedding_backward(const float *de, const ddpm_nn__time_embedding *block,
                                      const ddpm_nn__run *run);
#endif
