/* The layers that blocks are made of: a kernel's operation, and where its parameters lie in the
 * flat buffers. *_add enters the parameters into the table ("prefix.name.weight", ".bias") and the
 * needs into the plan; the others call the kernel (ddpm/kernels/) with the weights of the run.
 * Gradients of parameters are added to run->grads. */
#ifndef DDPM_NN_LAYERS_H
#define DDPM_NN_LAYERS_H
#include "build.h"

#include "ddpm/kernels/conv.h"
#include "ddpm/kernels/linear.h"
#include "ddpm/kernels/norm.h"

typedef struct {
    ddpm_norm op;
    size_t gamma, beta; /* offsets */
    size_t mean, rstd;  /* buffers */
} ddpm_nn__norm;

void ddpm_nn__norm_add(ddpm_nn__norm *norm, ddpm_nn__build *build, const char *prefix,
                       const char *name, const ddpm_norm *op);
void ddpm_nn__norm_forward(float *y, const float *x, const ddpm_nn__norm *norm,
                           const ddpm_nn__run *run);
void ddpm_nn__norm_reapply(float *y, const float *x, const ddpm_nn__norm *norm,
                           const ddpm_nn__run *run);
/* dx may be dy. */
void ddpm_nn__norm_backward(float *dx, const float *dy, const float *x, const ddpm_nn__norm *norm,
                            const ddpm_nn__run *run);

typedef struct {
    ddpm_conv3x3 op;
    ddpm_conv3x3_plan *plan;
    size_t w, bias; /* offsets */
    size_t packed;  /* offset in the packed weights */
} ddpm_nn__conv;

void ddpm_nn__conv_add(ddpm_nn__conv *conv, ddpm_nn__build *build, const char *prefix,
                       const char *name, const ddpm_conv3x3 *op, double init_scale);
void ddpm_nn__conv_free(ddpm_nn__conv *conv);
/* y = conv(x) + bias + per_image + residual; per_image, residual may be NULL. */
void ddpm_nn__conv_forward(float *y, const float *x, const float *per_image, const float *residual,
                           const ddpm_nn__conv *conv, const ddpm_nn__run *run);
void ddpm_nn__conv_backward_data(float *dx, const float *dy, const ddpm_nn__conv *conv,
                                 const ddpm_nn__run *run);
/* dper_image [N,K], where not NULL, is added to. */
void ddpm_nn__conv_backward_weights(float *dper_image, const float *dy, const float *x,
                                    const ddpm_nn__conv *conv, const ddpm_nn__run *run);

typedef struct {
    ddpm_linear op;
    size_t w, bias; /* offsets */
} ddpm_nn__linear;

void ddpm_nn__linear_add(ddpm_nn__linear *linear, ddpm_nn__build *build, const char *prefix,
                         const char *name, const ddpm_linear *op, double init_scale,
                         bool is_conv1x1);
/* y = x w + bias + residual; residual may be NULL. */
void ddpm_nn__linear_forward(float *y, const float *x, const float *residual,
                             const ddpm_nn__linear *linear, const ddpm_nn__run *run);
void ddpm_nn__linear_backward_data(float *dx, const float *dy, const ddpm_nn__linear *linear,
                                   const ddpm_nn__run *run);
void ddpm_nn__linear_backward_data_add(float *dx, const float *dy, const ddpm_nn__linear *linear,
                                       const ddpm_nn__run *run);
void ddpm_nn__linear_backward_weights(const float *dy, const float *x,
                                      const ddpm_nn__linear *linear, const ddpm_nn__run *run);
#endif
