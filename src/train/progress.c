#include "progress.h"

#include "ddpm/base/clock.h"
#include "ddpm/base/log.h"
#include "ddpm/base/text.h"

#include <inttypes.h>
#include <math.h>

/* Weight of a new step in what is shown: the last twenty or so count. */
static const double smoothing = 0.05;

static double smooth(double old, double value)
{
    if (!isfinite(value)) return old;
    return old > 0.0 ? old + smoothing * (value - old) : value;
}

double ddpm_train__progress_eta(const ddpm_progress_view *view, uint64_t step, double train_seconds)
{
    const double left = step < view->steps ? (double)(view->steps - step) : 0.0;
    double seconds = left * view->step_seconds;
    const double limit = view->time_limit - train_seconds;
    if (view->time_limit > 0.0 && limit < seconds) seconds = limit > 0.0 ? limit : 0.0;
    return seconds;
}

void ddpm_train__progress_step(ddpm_progress_view *view, uint64_t step, uint64_t batch,
                               double train_seconds, const ddpm_step_result *result, double seconds)
{
    static const uint64_t interval_ns = 250000000;
    view->step_seconds = smooth(view->step_seconds, seconds);
    view->loss = smooth(view->loss, result->loss);
    if (!ddpm_log_is_live()) return;
    const uint64_t now = ddpm_clock_ns();
    if (now - view->shown_ns < interval_ns) return;
    view->shown_ns = now;
    char left[32];
    ddpm_log_live("step %" PRIu64 "/%" PRIu64 "  loss %.4f  %.1f images/s  %s left", step,
                  view->steps, view->loss, (double)batch / view->step_seconds,
                  ddpm_text_seconds(left, ddpm_train__progress_eta(view, step, train_seconds)));
}

void ddpm_train__progress_line(const ddpm_progress_view *view, const ddpm_metrics_line *line)
{
    if (ddpm_log_is_live()) return;
    char left[32];
    ddpm_log_info(
        "step %" PRIu64 "/%" PRIu64 "  loss %.4f  grad %.3f  lr %.3g  %.1f images/s  "
        "%s left",
        line->step, view->steps, line->loss, line->grad_norm, line->lr, line->images_per_second,
        ddpm_text_seconds(left, ddpm_train__progress_eta(view, line->step, line->train_seconds)));
}
