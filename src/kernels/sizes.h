/* Arithmetic on sizes. */
#ifndef DDPM_KERNELS_SIZES_H
#define DDPM_KERNELS_SIZES_H
#include <stddef.h>

static inline size_t at_least(size_t a, size_t b)
{
    return a > b ? a : b;
}

static inline size_t at_most(size_t a, size_t b)
{
    return a < b ? a : b;
}

static inline size_t ceil_div(size_t a, size_t b)
{
    return (a + b - 1) / b;
}

static inline size_t round_up(size_t a, size_t multiple)
{
    return ceil_div(a, multiple) * multiple;
}
#endif
