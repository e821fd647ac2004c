#include "ddpm/diffusion/bpd.h"

#include <stdlib.h>

/* Stratum k > 0 of K begins at 1 + (T-1) ((k-1)/(K-1))^3, rounded down, and no stratum is empty:
 * the terms fall about as fast as this widens, so that each draw stands for bits of about the same
 * size. Of squares the standard error is twice as large, of equal strata many times. */
static size_t begin_of(size_t k, size_t draws, size_t steps)
{
    if (k >= draws) return steps;
    const double share = (double)(k - 1) / (double)(draws - 1);
    const size_t wanted = 1 + (size_t)((double)(steps - 1) * share * share * share);
    const size_t least = k, most = steps - (draws - k);
    return wanted < least ? least : wanted > most ? most : wanted;
}

ddpm_status ddpm_bpd_strata(ddpm_bpd_stratum **out, size_t *count, size_t steps, size_t draws)
{
    if (draws == 0) draws = steps;
    if (draws > steps)
        return ddpm_fail(DDPM_ECONFIG, "%zu draws, but there are %zu steps to draw from", draws,
                         steps);
    if (draws == 1 && steps > 1)
        return ddpm_fail(DDPM_ECONFIG, "1 draw: it would be t = 0; at least 2 are needed");
    ddpm_bpd_stratum *strata = calloc(draws, sizeof *strata);
    if (!strata) return ddpm_fail(DDPM_EOS, "out of memory");
    strata[0] = (ddpm_bpd_stratum){ 0, 1 };
    for (size_t k = 1, first = 1; k < draws; k++) {
        const size_t end = begin_of(k + 1, draws, steps);
        strata[k] = (ddpm_bpd_stratum){ first, end - first };
        first = end;
    }
    *out = strata;
    *count = draws;
    return DDPM_OK;
}
