#include "ddpm/kernels/optimizer.h"

#include "parallel.h"
#include "table.h"

#include <assert.h>
#include <math.h>

/* A piece is small enough that the weights are still in the cache for the averages. */
void ddpm_adam_ema_step(float *p, float *m, float *v, const float *grad, size_t count,
                        const ddpm_adam *adam, const ddpm_ema *ema)
{
    const ddpm_kernel_table *kernels = ddpm_kernels__table();
    const double steps = (double)adam->step + 1.0;
    const ddpm_adam_factors factors = {
        .grad_factor = (float)adam->grad_factor,
        .rate1 = (float)(1.0 - adam->beta1),
        .rate2 = (float)(1.0 - adam->beta2),
        .step_size = (float)(adam->lr / (1.0 - pow(adam->beta1, steps))),
        .inverse_root_correction = (float)(1.0 / sqrt(1.0 - pow(adam->beta2, steps))),
        .epsilon = (float)adam->epsilon,
    };
    const size_t averages = ema ? ema->count : 0;
    float rate[DDPM_EMA_MOST] = { 0 };
    assert(averages <= DDPM_EMA_MOST);
    for (size_t k = 0; k < averages; k++) rate[k] = (float)(1.0 - ema->decay[k]);

#pragma omp parallel for schedule(static) if (worth_threads(count))
    for (size_t i = 0; i < count; i += DDPM_PIECE) {
        const size_t n = piece_length(i, count);
        kernels->adam(p + i, m + i, v + i, grad + i, n, &factors);
        for (size_t k = 0; k < averages; k++) kernels->ema(ema->average[k] + i, p + i, rate[k], n);
    }
}
