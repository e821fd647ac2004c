#include "progress.h"

#include "ddpm/base/clock.h"
#include "ddpm/base/log.h"
#include "ddpm/base/text.h"

static const double live_seconds = 0.2, line_seconds = 30.0;

progress progress_begin(const char *name, size_t all)
{
    const uint64_t now = ddpm_clock_ns();
    return (progress){ .name = name, .all = all, .started_ns = now, .told_ns = now };
}

void progress_tell(progress *p, size_t done)
{
    if (!p->name) return;
    const bool live = ddpm_log_is_live();
    const uint64_t now = ddpm_clock_ns();
    if (ddpm_clock_seconds(p->told_ns, now) < (live ? live_seconds : line_seconds)) return;
    p->told_ns = now;
    const double share = (double)done / (double)p->all;
    char left[32];
    ddpm_text_seconds(left, ddpm_clock_seconds(p->started_ns, now) * (1.0 - share) / share);
    if (live)
        ddpm_log_live("%s: %.1f%%, %s left", p->name, 100.0 * share, left);
    else
        ddpm_log_info("%s: %.1f%%, %s left", p->name, 100.0 * share, left);
}
