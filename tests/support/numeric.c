#include "numeric.h"

#include "ddpm/base/philox.h"

#include <math.h>
#include <stdlib.h>

double worse(double worst, double error)
{
    return isnan(worst) || error <= worst ? worst : error;
}

double dot(const float *a, const float *b, size_t n)
{
    double sum = 0.0;
    for (size_t i = 0; i < n; i++) sum += (double)a[i] * (double)b[i];
    return sum;
}

double max_error(const float *a, const double *b, size_t n)
{
    double error = 0.0, largest = 0.0;
    for (size_t i = 0; i < n; i++) {
        const double difference = fabs((double)a[i] - b[i]);
        if (!isfinite(difference)) return HUGE_VAL;
        if (difference > error) error = difference;
        if (fabs(b[i]) > largest) largest = fabs(b[i]);
    }
    return error == 0.0 ? 0.0 : error / largest;
}

double rms_error(const float *a, const double *b, size_t n)
{
    double error = 0.0, size = 0.0;
    for (size_t i = 0; i < n; i++) {
        const double difference = (double)a[i] - b[i];
        error += difference * difference;
        size += b[i] * b[i];
    }
    if (!isfinite(error)) return HUGE_VAL;
    return error == 0.0 ? 0.0 : sqrt(error / size);
}

static double with_double(double (*measure)(const float *, const double *, size_t), const float *a,
                          const float *b, size_t n)
{
    double *wide = malloc((n ? n : 1) * sizeof *wide);
    if (!wide) abort();
    for (size_t i = 0; i < n; i++) wide[i] = (double)b[i];
    const double error = measure(a, wide, n);
    free(wide);
    return error;
}

double max_error_f32(const float *a, const float *b, size_t n)
{
    return with_double(max_error, a, b, n);
}

double rms_error_f32(const float *a, const float *b, size_t n)
{
    return with_double(rms_error, a, b, n);
}

void fill_uniform(float *x, size_t n, uint64_t seed)
{
    const ddpm_random random = { .seed = seed, .purpose = DDPM_RANDOM_TEST };
    ddpm_random_uniform(x, n, &random);
    for (size_t i = 0; i < n; i++) x[i] = 2.0f * x[i] - 1.0f;
}

void fill_normal(float *x, size_t n, uint64_t seed)
{
    const ddpm_random random = { .seed = seed, .purpose = DDPM_RANDOM_TEST, .stream = 1 };
    ddpm_random_normal(x, n, &random);
}

double directional(double (*loss)(const float *x, void *context), void *context, const float *x,
                   const float *v, float *scratch, size_t n, double step)
{
    static const double at[4] = { -2, -1, 1, 2 }, weight[4] = { 1, -8, 8, -1 };
    double sum = 0.0;
    for (int k = 0; k < 4; k++) {
        for (size_t i = 0; i < n; i++)
            scratch[i] = (float)((double)x[i] + at[k] * step * (double)v[i]);
        sum += weight[k] * loss(scratch, context);
    }
    return sum / (12.0 * step);
}
