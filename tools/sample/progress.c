#include "progress.h"

#include "ddpm/base/clock.h"
#include "ddpm/base/log.h"
#include "ddpm/base/stop.h"
#include "ddpm/base/text.h"

static const double live_seconds = 0.1, line_seconds = 30.0;

void sample_progress_begin(sample_progress *progress, size_t images)
{
    ddpm_stop_catch();
    const uint64_t now = ddpm_clock_ns();
    *progress = (sample_progress){ .images = images, .start_ns = now, .last_ns = now };
}

bool sample_progress_step(size_t done, size_t total, void *context)
{
    sample_progress *progress = context;
    const uint64_t now = ddpm_clock_ns();
    const bool live = ddpm_log_is_live();
    if (ddpm_clock_seconds(progress->last_ns, now) >= (live ? live_seconds : line_seconds)) {
        /* The other ranks are about as far as this one. */
        const double share = (double)done / (double)total;
        const double seconds = ddpm_clock_seconds(progress->start_ns, now);
        char left[32];
        ddpm_text_seconds(left, seconds * (1.0 - share) / share);
        const char format[] = "%5.1f%% of %zu images, %.2f images/s, %s left";
        const double percent = 100.0 * share, rate = share * (double)progress->images / seconds;
        if (live)
            ddpm_log_live(format, percent, progress->images, rate, left);
        else
            ddpm_log_info(format, percent, progress->images, rate, left);
        progress->last_ns = now;
    }
    return !ddpm_stop_asked;
}
