/** @file numeric.h  Comparisons and derivatives for tests of float32 code against double. */
#ifndef NUMERIC_H
#define NUMERIC_H
#include <stddef.h>
#include <stdint.h>

/** The larger of two errors, and NaN for ever once one was: `worst = worse(worst, error)`. fmax
 *  leaves NaN out. */
double worse(double worst, double error);
/** sum a_i b_i in double. */
double dot(const float *a, const float *b, size_t n);
/** max |a - b| / max |b|; infinity where anything is not finite. */
double max_error(const float *a, const double *b, size_t n);
double max_error_f32(const float *a, const float *b, size_t n);
/** sqrt(sum (a-b)^2 / sum b^2); infinity where anything is not finite. */
double rms_error(const float *a, const double *b, size_t n);
double rms_error_f32(const float *a, const float *b, size_t n);
/** Uniform in [-1, 1), the same for the same seed. */
void fill_uniform(float *x, size_t n, uint64_t seed);
/** Standard normal. */
void fill_normal(float *x, size_t n, uint64_t seed);
/** d/de loss(x + e v) at e = 0 by a four-point stencil, in double. scratch [n]. */
double directional(double (*loss)(const float *x, void *context), void *context, const float *x,
                   const float *v, float *scratch, size_t n, double step);
#endif
