#include "optimizer_ref.h"

#include <math.h>

/* Kingma & Ba 2015, algorithm 1 */
void ddpm_adam_step_ref(double *p, double *m, double *v, const float *grad, size_t count,
                        const ddpm_adam *adam)
{
    const double steps = (double)adam->step + 1.0, b1 = adam->beta1, b2 = adam->beta2;
    for (size_t i = 0; i < count; i++) {
        const double g = adam->grad_factor * (double)grad[i];
        m[i] = b1 * m[i] + (1.0 - b1) * g;
        v[i] = b2 * v[i] + (1.0 - b2) * g * g;
        const double m_hat = m[i] / (1.0 - pow(b1, steps)), v_hat = v[i] / (1.0 - pow(b2, steps));
        p[i] -= adam->lr * m_hat / (sqrt(v_hat) + adam->epsilon);
    }
}

void ddpm_ema_step_ref(double *average, const double *p, double decay, size_t count)
{
    for (size_t i = 0; i < count; i++) average[i] = decay * average[i] + (1.0 - decay) * p[i];
}
