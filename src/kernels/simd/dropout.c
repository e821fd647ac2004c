#include "isa.h"

/* Philox blocks that are computed side by side; each gives eight elements. */
enum { BLOCKS = 64, ELEMENTS = 8 };

/* Philox4x32-10 of the counters {first + b, from->counter}, b < BLOCKS; the same numbers as
 * ddpm_philox4x32, which the tests hold it against. */
INLINE void philox_blocks(uint32_t word[4][BLOCKS], uint32_t first, const ddpm_mask_source *from)
{
    uint32_t k0 = from->key[0], k1 = from->key[1];
    for (uint32_t b = 0; b < BLOCKS; b++) {
        word[0][b] = first + b;
        word[1][b] = from->counter[0];
        word[2][b] = from->counter[1];
        word[3][b] = from->counter[2];
    }
    for (int round = 0; round < 10; round++) {
#pragma omp simd
        for (size_t b = 0; b < BLOCKS; b++) {
            const uint64_t p0 = (uint64_t)UINT32_C(0xD2511F53) * word[0][b];
            const uint64_t p1 = (uint64_t)UINT32_C(0xCD9E8D57) * word[2][b];
            const uint32_t c1 = word[1][b], c3 = word[3][b];
            word[0][b] = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
            word[1][b] = (uint32_t)p1;
            word[2][b] = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
            word[3][b] = (uint32_t)p0;
        }
        k0 += UINT32_C(0x9E3779B9);
        k1 += UINT32_C(0xBB67AE85);
    }
}

void DDPM_K(dropout_mask)(uint8_t *mask, uint32_t first_block, size_t n,
                          const ddpm_mask_source *from)
{
    for (size_t start = 0; start < n; start += BLOCKS * ELEMENTS) {
        uint32_t word[4][BLOCKS];
        uint8_t keep[BLOCKS][ELEMENTS];
        philox_blocks(word, first_block + (uint32_t)(start / ELEMENTS), from);
        for (size_t b = 0; b < BLOCKS; b++)
            for (size_t i = 0; i < ELEMENTS; i++) {
                const uint32_t bits = word[i / 2][b] >> (i % 2 * 16) & 0xFFFF;
                keep[b][i] = bits >= from->drop_below;
            }
        const size_t left = n - start;
        memcpy(mask + start, keep, left < sizeof keep ? left : sizeof keep);
    }
}

void DDPM_K(dropout_apply)(float *y, const float *x, const uint8_t *mask, float factor, size_t n)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++) y[i] = x[i] * (factor * (float)mask[i]);
}
