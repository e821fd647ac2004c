/* F(2x2, 3x3) with the interpolation points 0, 1, -1 and infinity (Lavin & Gray 2016, section 4.1;
 * the sign of B^T's last row is chosen so that A^T's last entry is +1). See winograd4_transforms.h.
 */
#ifndef DDPM_KERNELS_SIMD_WINOGRAD2_TRANSFORMS_H
#define DDPM_KERNELS_SIMD_WINOGRAD2_TRANSFORMS_H
#include "isa.h"

enum { TILE = 2 };

/* B^T */
INLINE void input_1d(vec t[4], const vec d[4])
{
    t[0] = d[0] - d[2];
    t[1] = d[1] + d[2];
    t[2] = d[2] - d[1];
    t[3] = d[3] - d[1];
}

/* G */
INLINE void weights_1d(vec u[4], const vec g[3])
{
    const vec even = 0.5f * (g[0] + g[2]), odd = 0.5f * g[1];
    u[0] = g[0];
    u[1] = even + odd;
    u[2] = even - odd;
    u[3] = g[2];
}

/* A^T */
INLINE void output_1d(vec y[2], const vec m[4])
{
    y[0] = m[0] + m[1] + m[2];
    y[1] = m[1] - m[2] + m[3];
}

/* A */
INLINE void output_gradient_1d(vec m[4], const vec y[2])
{
    m[0] = y[0];
    m[1] = y[0] + y[1];
    m[2] = y[0] - y[1];
    m[3] = y[1];
}

/* G^T */
INLINE void weight_gradient_1d(vec g[3], const vec u[4])
{
    const vec even = 0.5f * (u[1] + u[2]), odd = 0.5f * (u[1] - u[2]);
    g[0] = u[0] + even;
    g[1] = odd;
    g[2] = even + u[3];
}
#endif
