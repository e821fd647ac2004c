/* Adam and the averages written as their definition, with their state in double: what the tests
 * believe. See ddpm/kernels/optimizer.h. */
#ifndef DDPM_KERNELS_REF_OPTIMIZER_REF_H
#define DDPM_KERNELS_REF_OPTIMIZER_REF_H
#include "ddpm/kernels/optimizer.h"

void ddpm_adam_step_ref(double *p, double *m, double *v, const float *grad, size_t count,
                        const ddpm_adam *adam);
void ddpm_ema_step_ref(double *average, const double *p, double decay, size_t count);
#endif
