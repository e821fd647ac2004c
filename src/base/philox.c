#include "ddpm/base/philox.h"

#include <assert.h>
#include <math.h>

void ddpm_philox4x32(uint32_t out[4], const uint32_t counter[4], const uint32_t key[2])
{
    /* Multipliers and key increments of Salmon et al. 2011, section 5.3. */
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
    uint32_t k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; round++) {
        const uint64_t p0 = (uint64_t)UINT32_C(0xD2511F53) * c0;
        const uint64_t p1 = (uint64_t)UINT32_C(0xCD9E8D57) * c2;
        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)p1;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)p0;
        k0 += UINT32_C(0x9E3779B9);
        k1 += UINT32_C(0xBB67AE85);
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

static void block_of(uint32_t out[4], uint32_t block, const ddpm_random *random)
{
    assert(random->stream < UINT32_C(1) << 24);
    const uint32_t counter[4] = {
        block,
        (uint32_t)random->index,
        (uint32_t)(random->index >> 32),
        (uint32_t)random->purpose << 24 | random->stream,
    };
    const uint32_t key[2] = { (uint32_t)random->seed, (uint32_t)(random->seed >> 32) };
    ddpm_philox4x32(out, counter, key);
}

void ddpm_random_bits(uint32_t *bits, size_t count, const ddpm_random *random)
{
    for (size_t i = 0; i < count; i += 4) {
        uint32_t word[4];
        block_of(word, (uint32_t)(i / 4), random);
        for (size_t k = 0; k < 4 && i + k < count; k++) bits[i + k] = word[k];
    }
}

/* In (0, 1): never 0, so that its logarithm is finite. */
static double unit(uint32_t bits)
{
    return ((double)bits + 0.5) * 0x1p-32;
}

void ddpm_random_uniform(float *out, size_t count, const ddpm_random *random)
{
    for (size_t i = 0; i < count; i += 4) {
        uint32_t word[4];
        block_of(word, (uint32_t)(i / 4), random);
        for (size_t k = 0; k < 4 && i + k < count; k++) out[i + k] = (float)unit(word[k]);
    }
}

void ddpm_random_normal(float *out, size_t count, const ddpm_random *random)
{
    static const double two_pi = 6.283185307179586477;
    for (size_t i = 0; i < count; i += 4) {
        uint32_t word[4];
        block_of(word, (uint32_t)(i / 4), random);
        for (size_t k = 0; k < 4 && i + k < count; k += 2) {
            const double radius = sqrt(-2.0 * log(unit(word[k])));
            const double angle = two_pi * unit(word[k + 1]);
            double sine, cosine;
            sincos(angle, &sine, &cosine);
            out[i + k] = (float)(radius * cosine);
            if (i + k + 1 < count) out[i + k + 1] = (float)(radius * sine);
        }
    }
}

uint64_t ddpm_random_below(uint64_t bound, const ddpm_random *random)
{
    assert(bound > 0);
    uint32_t word[4];
    block_of(word, 0, random);
    /* The high word of (64 random bits) * bound, by halves: __int128 is not ISO C. */
    const uint64_t bits = (uint64_t)word[1] << 32 | word[0];
    const uint64_t low = (bits & UINT32_MAX) * (bound & UINT32_MAX);
    const uint64_t middle1 = (bits >> 32) * (bound & UINT32_MAX) + (low >> 32);
    const uint64_t middle2 = (bits & UINT32_MAX) * (bound >> 32) + (middle1 & UINT32_MAX);
    return (bits >> 32) * (bound >> 32) + (middle1 >> 32) + (middle2 >> 32);
}
