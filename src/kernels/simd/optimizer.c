#include "isa.h"

#include <math.h>

/* Each line has one product that an instruction set may fuse with an addition, and no choice of
 * which: vector loops and their ends then round alike, and so does any cut of the buffer.
 *   m = b1 m + (1-b1) g = m + (1-b1) (g - m), v likewise. */
void DDPM_K(adam)(float *p, float *m, float *v, const float *grad, size_t n,
                  const ddpm_adam_factors *by)
{
    const ddpm_adam_factors f = *by;
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        const float g = f.grad_factor * grad[i];
        const float first = m[i] + f.rate1 * (g - m[i]);
        const float second = v[i] + f.rate2 * (g * g - v[i]);
        m[i] = first;
        v[i] = second;
        p[i] -= f.step_size * (first / (sqrtf(second) * f.inverse_root_correction + f.epsilon));
    }
}

void DDPM_K(ema)(float *average, const float *p, float rate, size_t n)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++) average[i] += rate * (p[i] - average[i]);
}
