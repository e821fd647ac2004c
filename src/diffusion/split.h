/* What a network says, taken apart. */
#ifndef SPLIT_H
#define SPLIT_H
#include "ddpm/diffusion/variance.h"

#include <string.h>

/* output -> said, variance [n]. Where it says nothing of the variance, that is NULL, and output as
 * long as said. */
static inline void ddpm_diffusion__split(float *said, float *variance, const float *output,
                                         size_t n, size_t channels)
{
    if (!variance) {
        memcpy(said, output, n * sizeof *said);
        return;
    }
    ddpm_variance_split(said, variance, output, n / channels, channels);
}
#endif
