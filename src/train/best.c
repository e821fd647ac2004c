#include "best.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

void ddpm_train__best_by(char by[DDPM_BEST_BY], const ddpm_config *config, size_t images,
                         const char *content_hash)
{
    const char *metric = config->eval.metric;
    char draws[48] = "";
    if (strcmp(metric, "none") == 0) {
        by[0] = 0;
        return;
    }
    if (strcmp(metric, "bpd") == 0)
        snprintf(draws, sizeof draws, " (%" PRId64 " draws)", config->eval.draws);
    snprintf(by, DDPM_BEST_BY, "%s%s of %zu images of %s", metric, draws, images, content_hash);
}

bool ddpm_train__best_is_passed(const ddpm_best *best, double value, const char *by)
{
    if (!*by || !isfinite(value)) return false;
    return best->step == 0 || strcmp(best->by, by) != 0 || value < best->value;
}
