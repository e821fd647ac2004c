#include "ddpm/eval/memorization.h"

#include <math.h>
#include <stdlib.h>

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

ddpm_status ddpm_nearness_of(ddpm_nearness *out, const ddpm_neighbour *nearest, size_t n, size_t d)
{
    *out = (ddpm_nearness){ .images = n, .sorted = malloc(n * sizeof *out->sorted) };
    if (!out->sorted) return ddpm_fail(DDPM_EOS, "out of memory");
    size_t standing_out = 0;
    for (size_t i = 0; i < n; i++) {
        out->sorted[i] = 127.5 * sqrt(nearest[2 * i].square / (double)d);
        out->copies += out->sorted[i] < DDPM_NEARNESS_COPY;
        standing_out += 9.0 * nearest[2 * i].square < nearest[2 * i + 1].square;
    }
    qsort(out->sorted, n, sizeof *out->sorted, ascending);
    out->least = out->sorted[0];
    out->median = 0.5 * (out->sorted[(n - 1) / 2] + out->sorted[n / 2]);
    out->standing_out = (double)standing_out / (double)n;
    return DDPM_OK;
}

void ddpm_nearness_free(ddpm_nearness *nearness)
{
    free(nearness->sorted);
    nearness->sorted = NULL;
}

double ddpm_nearness_ratio(const ddpm_nearness *samples, const ddpm_nearness *held_out)
{
    if (held_out->median < DDPM_NEARNESS_COPY) return (double)NAN;
    return samples->median / held_out->median;
}

double ddpm_nearness_share_below(const ddpm_nearness *samples, const ddpm_nearness *held_out,
                                 double quantile)
{
    const double limit = held_out->sorted[(size_t)(quantile * (double)held_out->images)];
    size_t below = 0;
    if (limit < DDPM_NEARNESS_COPY) return (double)NAN;
    while (below < samples->images && samples->sorted[below] < limit) below++;
    return (double)below / (double)samples->images;
}
