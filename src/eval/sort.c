#include "sort.h"

#include <stdint.h>
#include <string.h>

enum { DIGITS = 11, BINS = 1 << DIGITS };

/* Bits in whose order the floats are: of negative ones all are turned, of others the sign. */
static uint32_t key_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

static void pass(float *to, const float *from, size_t n, unsigned shift)
{
    size_t start[BINS] = { 0 }, sum = 0;
    for (size_t i = 0; i < n; i++) start[key_of(from[i]) >> shift & (BINS - 1)]++;
    for (size_t b = 0; b < BINS; b++) {
        const size_t count = start[b];
        start[b] = sum;
        sum += count;
    }
    for (size_t i = 0; i < n; i++) to[start[key_of(from[i]) >> shift & (BINS - 1)]++] = from[i];
}

void eval_sort(float *x, float *scratch, size_t n)
{
    pass(scratch, x, n, 0);
    pass(x, scratch, n, DIGITS);
    pass(scratch, x, n, 2 * DIGITS);
    memcpy(x, scratch, n * sizeof *x);
}
