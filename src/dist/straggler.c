#include "straggler.h"

#include <stdlib.h>

static int ascending(const void *a, const void *b)
{
    const double p = *(const double *)a, q = *(const double *)b;
    return (p > q) - (p < q);
}

double ddpm_dist__lower_median(double *values, size_t count)
{
    if (count == 0) return 0.0;
    qsort(values, count, sizeof *values, ascending);
    return values[(count - 1) / 2];
}

ddpm_straggler_news ddpm_dist__straggler(ddpm_straggler *rank, double ratio, double now,
                                         const ddpm_straggler_rule *rule)
{
    const bool slow = rule->factor > 0.0 && ratio > rule->factor;
    if (slow != rank->slow) {
        rank->slow = slow;
        rank->since = now;
    }
    if (now - rank->since < rule->patience) return DDPM_STRAGGLER_NOTHING;
    if (!slow) {
        if (!rank->warned) return DDPM_STRAGGLER_NOTHING;
        rank->warned = false;
        return DDPM_STRAGGLER_KEEPS_UP;
    }
    const bool grown = ratio > 1.5 * rank->told && now - rank->told_at >= rule->patience;
    if (rank->warned && !grown && now - rank->told_at < rule->again) return DDPM_STRAGGLER_NOTHING;
    rank->warned = true;
    rank->told = ratio;
    rank->told_at = now;
    return DDPM_STRAGGLER_SLOW;
}
