/* Numbers in bfloat16, the upper half of a float rounded to nearest even, two in a 32-bit word: the
 * low half is the one of the even index. */
#ifndef DDPM_KERNELS_SIMD_BF16_H
#define DDPM_KERNELS_SIMD_BF16_H
#include "isa.h"

#if defined __AVX512BF16__
#include <immintrin.h>
#endif

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "a pair's first half has the low bits");

typedef uint32_t words __attribute__((vector_size(LANES * 4)));
typedef uint32_t words_at __attribute__((vector_size(LANES * 4), aligned(4), may_alias));
typedef uint32_t word_at __attribute__((may_alias));
typedef uint16_t halves __attribute__((vector_size(LANES * 2)));
typedef uint16_t halves_at __attribute__((vector_size(LANES * 2), aligned(2), may_alias));

#if defined __AVX512BF16__
INLINE halves to_bf16(vec x)
{
    return (halves)_mm512_cvtneps_pbh((__m512)x);
}
/* sum + the products of both halves */
INLINE vec add_products(vec sum, words a, words b)
{
    return (vec)_mm512_dpbf16_ps((__m512)sum, (__m512bh)a, (__m512bh)b);
}
#else
/* Half of the last place, and one less where that makes an even number: adding it carries where
 * rounding goes up. NaN would carry into its sign and is made a quiet one instead. */
INLINE halves to_bf16(vec x)
{
    const words bits = (words)x, rounded = bits + 0x7FFFu + (bits >> 16 & 1u);
    const words is_nan = (words)((bits & 0x7FFFFFFFu) > (words){ 0 } + 0x7F800000u);
    const words chosen = (is_nan & (bits | 0x400000u)) | (~is_nan & rounded);
    return __builtin_convertvector(chosen >> 16, halves);
}
INLINE vec add_products(vec sum, words a, words b)
{
    sum += (vec)(a << 16) * (vec)(b << 16);
    return sum + (vec)(a & 0xFFFF0000u) * (vec)(b & 0xFFFF0000u);
}
#endif

/* Each number in the low half of a word. */
INLINE words to_low(vec x)
{
    return __builtin_convertvector(to_bf16(x), words);
}
INLINE words pair(vec even, vec odd)
{
    return to_low(even) | to_low(odd) << 16;
}
INLINE words load_words(const void *p)
{
    return *(const words_at *)p;
}
INLINE void store_words(void *p, words v)
{
    *(words_at *)p = v;
}
/* Neighbours of x become pairs: LANES / 2 words. */
INLINE void store_neighbours(void *p, vec x)
{
    *(halves_at *)p = to_bf16(x);
}
/* The first `count` numbers, count < LANES. */
INLINE void store_some_neighbours(void *p, vec x, size_t count)
{
    const halves all = to_bf16(x);
    memcpy(p, &all, count * sizeof(uint16_t));
}
#endif
