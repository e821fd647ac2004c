/* F(4x4, 3x3) with the interpolation points 0, +-a, +-b and infinity, a = sqrt(1/2), b = sqrt(2).
 *
 * Toom-Cook: the values of a polynomial product at six points determine its coefficients. Row i of
 * A^T's transpose is (1, p, p^2, p^3) at the finite points p and (0, 0, 0, 1) at infinity; row i of
 * G is (1, p, p^2) / f with f = the product of p - q over the other points q, and (0, 0, 1); row i
 * of B^T holds the coefficients of the product of z - q over the other finite points q, which at
 * infinity are those of z (z^2 - a^2)(z^2 - b^2).
 *
 * Here a^2 + b^2 = 5/2 and a^2 b^2 = 1, so f = 1 at 0, -3/2 at +-a and 6 at +-b. The usual
 * points 0, +-1, +-2 need as many operations and lose two to four times as much to rounding,
 * because b^3 = 2.8 here and 8 there. */
#ifndef DDPM_KERNELS_SIMD_WINOGRAD4_TRANSFORMS_H
#define DDPM_KERNELS_SIMD_WINOGRAD4_TRANSFORMS_H
#include "isa.h"

enum { TILE = 4 };

static const float root_half = 0.70710678118654752f, root_two = 1.4142135623730950f;

/* B^T */
INLINE void input_1d(vec t[6], const vec d[6])
{
    const vec even_half = d[4] - 2.0f * d[2], odd_half = root_half * (d[3] - 2.0f * d[1]);
    const vec even_two = d[4] - 0.5f * d[2], odd_two = root_two * (d[3] - 0.5f * d[1]);
    t[0] = d[0] - 2.5f * d[2] + d[4];
    t[1] = even_half + odd_half;
    t[2] = even_half - odd_half;
    t[3] = even_two + odd_two;
    t[4] = even_two - odd_two;
    t[5] = d[1] - 2.5f * d[3] + d[5];
}

/* G */
INLINE void weights_1d(vec u[6], const vec g[3])
{
    const vec even_half = (g[0] + 0.5f * g[2]) * (-2.0f / 3.0f),
              odd_half = (-2.0f / 3.0f * root_half) * g[1];
    const vec even_two = (g[0] + 2.0f * g[2]) * (1.0f / 6.0f), odd_two = (root_two / 6.0f) * g[1];
    u[0] = g[0];
    u[1] = even_half + odd_half;
    u[2] = even_half - odd_half;
    u[3] = even_two + odd_two;
    u[4] = even_two - odd_two;
    u[5] = g[2];
}

/* A^T */
INLINE void output_1d(vec y[4], const vec m[6])
{
    const vec even_half = m[1] + m[2], odd_half = root_half * (m[1] - m[2]);
    const vec even_two = m[3] + m[4], odd_two = root_two * (m[3] - m[4]);
    y[0] = m[0] + even_half + even_two;
    y[1] = odd_half + odd_two;
    y[2] = 0.5f * even_half + 2.0f * even_two;
    y[3] = 0.5f * odd_half + 2.0f * odd_two + m[5];
}

/* A */
INLINE void output_gradient_1d(vec m[6], const vec y[4])
{
    const vec even_half = y[0] + 0.5f * y[2], odd_half = root_half * (y[1] + 0.5f * y[3]);
    const vec even_two = y[0] + 2.0f * y[2], odd_two = root_two * (y[1] + 2.0f * y[3]);
    m[0] = y[0];
    m[1] = even_half + odd_half;
    m[2] = even_half - odd_half;
    m[3] = even_two + odd_two;
    m[4] = even_two - odd_two;
    m[5] = y[3];
}

/* G^T */
INLINE void weight_gradient_1d(vec g[3], const vec u[6])
{
    const vec even_half = (u[1] + u[2]) * (-2.0f / 3.0f),
              odd_half = (u[1] - u[2]) * (-2.0f / 3.0f * root_half);
    const vec even_two = (u[3] + u[4]) * (1.0f / 6.0f), odd_two = (u[3] - u[4]) * (root_two / 6.0f);
    g[0] = u[0] + even_half + even_two;
    g[1] = odd_half + odd_two;
    g[2] = 0.5f * even_half + 2.0f * even_two + u[5];
}
#endif
