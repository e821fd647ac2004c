#include "ddpm/diffusion/variance.h"

#include "names.h"

#include <math.h>
#include <string.h>

const char *const ddpm_variance_names[] = { "fixedlarge", "fixedsmall", "learned", "learned_range",
                                            NULL };

ddpm_status ddpm_variance_find(ddpm_variance *out, const char *name)
{
    size_t place;
    DDPM_TRY(ddpm_diffusion__place(&place, "variance", name, ddpm_variance_names));
    *out = (ddpm_variance)place;
    return DDPM_OK;
}

void ddpm_variance_split(float *said, float *variance, const float *both, size_t pixels,
                         size_t channels)
{
    const size_t bytes = channels * sizeof *both;
    for (size_t p = 0; p < pixels; p++) {
        memcpy(said + p * channels, both + 2 * p * channels, bytes);
        if (variance) memcpy(variance + p * channels, both + (2 * p + 1) * channels, bytes);
    }
}

void ddpm_variance_join(float *both, const float *said, const float *variance, size_t pixels,
                        size_t channels)
{
    const size_t bytes = channels * sizeof *both;
    for (size_t p = 0; p < pixels; p++) {
        memcpy(both + 2 * p * channels, said + p * channels, bytes);
        memcpy(both + (2 * p + 1) * channels, variance + p * channels, bytes);
    }
}

ddpm_log_variance ddpm_log_variance_at(const ddpm_schedule *schedule, size_t index,
                                       ddpm_variance variance)
{
    const double small = schedule->posterior_log_variance_clipped[index];
    switch (variance) {
    case DDPM_VARIANCE_FIXEDLARGE: break;
    case DDPM_VARIANCE_FIXEDSMALL: return (ddpm_log_variance){ small, 0.0 };
    case DDPM_VARIANCE_LEARNED: return (ddpm_log_variance){ 0.0, 1.0 };
    case DDPM_VARIANCE_LEARNED_RANGE: { /* (v + 1) / 2 log beta + (1 - v) / 2 log posterior */
        const double large = log(schedule->beta[index]);
        return (ddpm_log_variance){ 0.5 * (large + small), 0.5 * (large - small) };
    }
    }
    return (ddpm_log_variance){ schedule->fixedlarge_log_variance[index], 0.0 };
}
