#include "safetensors.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

static uint32_t get16(const unsigned char *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8;
}

static uint32_t get32(const unsigned char *p)
{
    return get16(p) | get16(p + 2) << 16;
}

static float from_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

void safetensors_from_f32(float *to, const unsigned char *from, size_t count)
{
    for (size_t i = 0; i < count; i++) to[i] = from_bits(get32(from + 4 * i));
}

/* The upper half of a float32. */
void safetensors_from_bf16(float *to, const unsigned char *from, size_t count)
{
    for (size_t i = 0; i < count; i++) to[i] = from_bits(get16(from + 2 * i) << 16);
}

/* IEEE 754 binary16: sign, 5 bits of exponent with bias 15, 10 of fraction. */
static float from_half(uint32_t half)
{
    const uint32_t sign = (half & 0x8000u) << 16, exponent = half >> 10 & 31u;
    const uint32_t fraction = half & 0x3ffu;
    if (exponent == 31) return from_bits(sign | 0x7f800000u | fraction << 13);
    if (exponent > 0) return from_bits(sign | (exponent + 112) << 23 | fraction << 13);
    const float subnormal = ldexpf((float)fraction, -24);
    return sign ? -subnormal : subnormal;
}

void safetensors_from_f16(float *to, const unsigned char *from, size_t count)
{
    for (size_t i = 0; i < count; i++) to[i] = from_half(get16(from + 2 * i));
}

void safetensors_from_f64(float *to, const unsigned char *from, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const uint64_t bits = get32(from + 8 * i) | (uint64_t)get32(from + 8 * i + 4) << 32;
        double value;
        memcpy(&value, &bits, sizeof value);
        to[i] = (float)value;
    }
}
