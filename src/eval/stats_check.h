/* Statistics out of a file. */
#ifndef STATS_CHECK_H
#define STATS_CHECK_H
#include "ddpm/eval/frechet.h"

/* DDPM_EDATA unless all is finite and the covariance may be one: symmetric, with no negative
 * variance, but for rounding. A distance by any other would look like every distance. */
DDPM_NODISCARD ddpm_status stats_check(const ddpm_feature_stats *stats, const char *path);
#endif
