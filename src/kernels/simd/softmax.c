#include "exp.h"

/* Lane by lane; NaN is passed over here, and shows in the exponentials. */
INLINE float largest(const float *x, size_t n)
{
    float lane[LANES], most = x[0];
    size_t i = 0;
    for (size_t k = 0; k < LANES; k++) lane[k] = x[0];
    for (; i + LANES <= n; i += LANES)
        for (size_t k = 0; k < LANES; k++) lane[k] = x[i + k] > lane[k] ? x[i + k] : lane[k];
    for (size_t k = 0; k < LANES; k++) most = lane[k] > most ? lane[k] : most;
    for (; i < n; i++) most = x[i] > most ? x[i] : most;
    return most;
}

/* With the maximum subtracted no exponential overflows and the sum is at least 1. */
void DDPM_K(softmax)(float *row, size_t n)
{
    const float most = largest(row, n);
    double sum = 0.0;
#pragma omp simd reduction(+ : sum)
    for (size_t i = 0; i < n; i++) {
        row[i] = exp_nonpositive(row[i] - most);
        sum += (double)row[i];
    }
    const float factor = (float)(1.0 / sum);
#pragma omp simd
    for (size_t i = 0; i < n; i++) row[i] *= factor;
}

/* p_i = e^x_i / sum_j e^x_j, so dp_j/dx_i = p_i (delta_ij - p_j) and dx_i = p_i (d_i - sum_j p_j
 * d_j). */
void DDPM_K(softmax_backward)(float *d, const float *p, size_t n)
{
    double sum = 0.0;
#pragma omp simd reduction(+ : sum)
    for (size_t i = 0; i < n; i++) sum += (double)d[i] * (double)p[i];
    const float mean = (float)sum;
#pragma omp simd
    for (size_t i = 0; i < n; i++) d[i] = p[i] * (d[i] - mean);
}
