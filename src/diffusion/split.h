/* What a network says, taken apart. */
#ifndef SPLIT_H
#define SPLIT_H
#include <stddef.h>
#include <string.h>

/* What it says of the variance lies beside what it predicts, pixel by pixel: output [n / channels,
 * 2, channels] -> said, variance [n]. Where it says nothing of it, variance is NULL. */
static inline void ddpm_diffusion__split(float *said, float *variance, const float *output,
                                         size_t n, size_t channels)
{
    if (!variance) {
        memcpy(said, output, n * sizeof *said);
        return;
    }
    for (size_t p = 0; p < n / channels; p++) {
        const float *both = output + 2 * p * channels;
        memcpy(said + p * channels, both, channels * sizeof *said);
        memcpy(variance + p * channels, both + channels, channels * sizeof *said);
    }
}
#endif
