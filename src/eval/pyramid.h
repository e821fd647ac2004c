/* Gaussian and Laplacian pyramids (Burt & Adelson 1983) of one image [H,W,C]. */
#ifndef PYRAMID_H
#define PYRAMID_H
#include "ddpm/base/shape.h"

/* out [H/2,W/2,C]: the image after a 5x5 binomial filter, every other pixel. H, W even. */
void pyramid_down(float *out, const float *image, ddpm_shape shape);
/* out [2H,2W,C]: the image with zeros between, after four times that filter. */
void pyramid_up(float *out, const float *image, ddpm_shape shape);
#endif
