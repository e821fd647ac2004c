#include "stats_check.h"

#include <math.h>

/* Of the largest variance: a covariance summed in float32 over some ten thousands of images, in any
 * order, is wrong by less. */
static const double rounding = 1e-4;

static ddpm_status check_finite(const ddpm_feature_stats *stats, const char *path)
{
    const size_t d = stats->d;
    for (size_t i = 0; i < d; i++)
        if (!isfinite(stats->mean[i]))
            return ddpm_fail(DDPM_EDATA, "%s: mu[%zu] is not finite", path, i);
    for (size_t i = 0; i < d * d; i++)
        if (!isfinite(stats->covariance[i]))
            return ddpm_fail(DDPM_EDATA, "%s: sigma[%zu,%zu] is not finite", path, i / d, i % d);
    return DDPM_OK;
}

ddpm_status stats_check(const ddpm_feature_stats *stats, const char *path)
{
    const size_t d = stats->d;
    const double *sigma = stats->covariance;
    double largest = 0.0;
    DDPM_TRY(check_finite(stats, path));
    for (size_t i = 0; i < d; i++) largest = fmax(largest, sigma[i * d + i]);
    for (size_t i = 0; i < d; i++)
        if (sigma[i * d + i] < -rounding * largest)
            return ddpm_fail(DDPM_EDATA, "%s: sigma[%zu,%zu] is %g, which is no variance", path, i,
                             i, sigma[i * d + i]);
    for (size_t i = 0; i < d; i++)
        for (size_t j = 0; j < i; j++) {
            const double one = sigma[i * d + j], other = sigma[j * d + i];
            if (fabs(one - other) > rounding * largest)
                return ddpm_fail(DDPM_EDATA,
                                 "%s: sigma is not symmetric, so no covariance: [%zu,%zu] is %g, "
                                 "[%zu,%zu] is %g",
                                 path, i, j, one, j, i, other);
        }
    return DDPM_OK;
}
