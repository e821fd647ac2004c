#include "exp.h"

void DDPM_K(silu_forward)(float *y, const float *x, size_t n)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++) y[i] = silu(x[i]);
}

void DDPM_K(silu_backward)(float *dx, const float *dy, const float *x, size_t n)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++) dx[i] = dy[i] * silu_slope(x[i]);
}

void DDPM_K(add)(float *y, const float *a, const float *b, size_t n)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++) y[i] = a[i] + b[i];
}

void DDPM_K(scale)(float *y, float factor, const float *x, size_t n)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++) y[i] = factor * x[i];
}

void DDPM_K(sum_squares)(double *sum, const float *x, size_t n)
{
    double total = 0.0;
#pragma omp simd reduction(+ : total)
    for (size_t i = 0; i < n; i++) total += (double)x[i] * (double)x[i];
    *sum = total;
}
