#include "save.h"

#include "ddpm/base/clock.h"
#include "ddpm/base/log.h"
#include "ddpm/base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

/* What small runs need to have their checkpoints at the steps that were asked for, while no disk
 * holds up a large one. */
static const double patience_seconds = 1.0;

/* Doubles with every failure in a row, up to an hour. */
static double backoff_seconds(const ddpm_saver *saver)
{
    const double longest = 3600.0;
    double seconds = saver->retry_seconds;
    for (int i = 1; i < saver->failures && seconds < longest; i++) seconds *= 2.0;
    return seconds < longest ? seconds : longest;
}

/* Counts a checkpoint that was written, or was not; returns its failure. */
static ddpm_status account(ddpm_saver *saver, const ddpm_written *written)
{
    if (written->status != DDPM_OK) {
        saver->failures++;
        return ddpm_fail(written->status, "%s", written->message);
    }
    saver->failures = 0;
    saver->seconds = written->seconds;
    saver->last_step = written->step;
    saver->last_evaluated = written->evaluated;
    snprintf(saver->last, sizeof saver->last, "%s", written->path);
    ddpm_log_info("saved    %s in %.2f s (training waited %.3f s)", written->path, written->seconds,
                  written->copy_seconds);
    return DDPM_OK;
}

/* What came out since the last look must not be lost when another is given. */
static void settle(ddpm_saver *saver)
{
    ddpm_written written;
    if (ddpm_train__writer_take(saver->writer, &written) && account(saver, &written) != DDPM_OK)
        ddpm_log_warning("checkpoint not written: %s", ddpm_status_message());
}

void ddpm_train__save(ddpm_saver *saver, const ddpm_progress *progress)
{
    const bool is_best = progress->best.step == progress->step;
    saver->overdue = !ddpm_train__writer_wait(saver->writer, is_best ? -1.0 : patience_seconds);
    if (saver->overdue)
        ddpm_log_warning("the checkpoint of step %" PRIu64 " has to wait for the one before, which "
                         "is still being written: checkpoint.every is too small for this disk",
                         progress->step);
    else {
        settle(saver);
        ddpm_train__writer_give(saver->writer, progress);
    }
}

ddpm_status ddpm_train__save_poll(ddpm_saver *saver)
{
    ddpm_written written;
    if (!ddpm_train__writer_take(saver->writer, &written)) return DDPM_OK;
    const ddpm_status status = account(saver, &written);
    if (status == DDPM_OK) return DDPM_OK;
    if (saver->failures >= saver->attempts)
        return ddpm_fail_within(status, "giving up after %d failed checkpoints in a row",
                                saver->failures);
    const double seconds = backoff_seconds(saver);
    saver->retry_ns = ddpm_clock_ns() + (uint64_t)(seconds * 1e9);
    char text[32];
    ddpm_log_warning("checkpoint not written (%d of %d attempts): %s; training goes on, next "
                     "attempt in %s",
                     saver->failures, saver->attempts, ddpm_status_message(),
                     ddpm_text_seconds(text, seconds));
    return DDPM_OK;
}

ddpm_best ddpm_train__save_best(ddpm_saver *saver)
{
    ddpm_train__writer_wait(saver->writer, -1.0);
    return ddpm_train__writer_best(saver->writer);
}

bool ddpm_train__save_is_due(ddpm_saver *saver)
{
    if (ddpm_train__writer_is_busy(saver->writer)) return false;
    return saver->overdue || (saver->failures > 0 && ddpm_clock_ns() >= saver->retry_ns);
}

ddpm_status ddpm_train__save_last(ddpm_saver *saver, const ddpm_progress *progress)
{
    static const struct timespec pause = { .tv_sec = 1 };
    ddpm_written written;
    ddpm_train__writer_wait(saver->writer, -1.0);
    settle(saver);
    if (*saver->last && saver->last_step == progress->step &&
        saver->last_evaluated == progress->evaluated)
        return DDPM_OK;
    for (saver->failures = 0; saver->failures < saver->attempts;) {
        if (saver->failures > 0) nanosleep(&pause, NULL);
        ddpm_train__writer_write(saver->writer, &written, progress);
        const ddpm_status status = account(saver, &written);
        if (status == DDPM_OK) return DDPM_OK;
        if (saver->failures >= saver->attempts)
            return ddpm_fail_within(status, "the last steps are lost");
        ddpm_log_warning("last checkpoint not written (%d of %d attempts): %s", saver->failures,
                         saver->attempts, ddpm_status_message());
    }
    return DDPM_OK;
}
