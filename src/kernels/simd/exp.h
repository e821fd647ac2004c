/* exp and the logistic function, written so that a loop over them becomes vector code: no branch,
 * no call, no table. */
#ifndef DDPM_KERNELS_SIMD_EXP_H
#define DDPM_KERNELS_SIMD_EXP_H
#include "isa.h"

#include <math.h>
#include <stdint.h>

INLINE uint32_t bits_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}
INLINE float float_of(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* e^x for x <= 0 within 1.1 ulp, down through the subnormal numbers to 0; NaN stays NaN.
 *
 * e^x = 2^n e^r with n = round(x / ln 2), |r| <= ln(2)/2 (Cody & Waite 1980). Adding 1.5 2^23
 * rounds to an integer and leaves it in the low bits; ln 2 is split so that n times its first part
 * is exact; the polynomial is that of Cephes' expf (Moshier 1992). 2^n is applied in two factors,
 * since n falls to -150, below the exponents of normal numbers. */
INLINE float exp_nonpositive(float x)
{
    const float rounder = 0x1.8p23f;
    x = x < -104.0f ? -104.0f : x; /* there e^x rounds to 0 already */
    const float shifted = x * 0x1.715476p0f + rounder, n = shifted - rounder;
    const float r = (x - n * 0.693359375f) - n * -2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = (p * r) * r + r + 1.0f;
    const uint32_t exponent = bits_of(shifted) - bits_of(rounder);
    const uint32_t half = (uint32_t)((int32_t)exponent >> 1);
    return p * float_of((half + 127) << 23) * float_of((exponent - half + 127) << 23);
}

/* s(u) = 1 / (1 + e^-u) and s(-u) = 1 - s(u), both to full relative accuracy: from e^-|u|, which
 * never overflows. */
typedef struct {
    float at, opposite;
} logistic_pair;

INLINE logistic_pair logistic(float u)
{
    const float e = exp_nonpositive(-fabsf(u)), larger = 1.0f / (1.0f + e), smaller = e * larger;
    return (logistic_pair){ .at = u >= 0.0f ? larger : smaller,
                            .opposite = u >= 0.0f ? smaller : larger };
}

INLINE float silu(float u)
{
    return u * logistic(u).at;
}

/* silu'(u) = s(u) (1 + u s(-u)) = s(u) + u s(u) s(-u) */
INLINE float silu_slope(float u)
{
    const logistic_pair s = logistic(u);
    return s.at + u * (s.at * s.opposite);
}
#endif
