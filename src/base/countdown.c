#include "ddpm/base/countdown.h"

#include "ddpm/base/clock.h"
#include "ddpm/base/log.h"
#include "ddpm/base/text.h"

static const double live_seconds = 0.2, line_seconds = 30.0;

ddpm_countdown ddpm_countdown_begin(const char *name, size_t all)
{
    const uint64_t now = ddpm_clock_ns();
    return (ddpm_countdown){ .name = name, .all = all, .started_ns = now, .told_ns = now };
}

void ddpm_countdown_tell(ddpm_countdown *countdown, size_t done)
{
    if (!countdown->name) return;
    const bool live = ddpm_log_is_live();
    const uint64_t now = ddpm_clock_ns();
    if (ddpm_clock_seconds(countdown->told_ns, now) < (live ? live_seconds : line_seconds)) return;
    countdown->told_ns = now;
    const double share = (double)done / (double)countdown->all;
    char left[32];
    ddpm_text_seconds(left, ddpm_clock_seconds(countdown->started_ns, now) * (1.0 - share) / share);
    if (live)
        ddpm_log_live("%s: %.1f%%, %s left", countdown->name, 100.0 * share, left);
    else
        ddpm_log_info("%s: %.1f%%, %s left", countdown->name, 100.0 * share, left);
}
