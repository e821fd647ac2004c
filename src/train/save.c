#include "save.h"

#include "ddpm/base/clock.h"
#include "ddpm/base/log.h"
#include "ddpm/base/text.h"

#include <stdio.h>
#include <time.h>

enum { ATTEMPTS = 5 };

/* 10 s, 20 s, 40 s, ... during training. */
static double backoff_seconds(int failures)
{
    return 10.0 * (double)(1u << (failures - 1));
}

static void prune(const ddpm_saver *saver)
{
    if (ddpm_checkpoint_prune(saver->dir->checkpoints, saver->config->checkpoint.keep,
                              saver->config->checkpoint.keep_every) != DDPM_OK)
        ddpm_log_warning("old checkpoints stay: %s", ddpm_status_message());
}

static ddpm_status attempt(ddpm_saver *saver, const ddpm_progress *progress)
{
    char name[64], path[sizeof saver->last];
    ddpm_checkpoint_file_name(name, sizeof name, progress->step);
    snprintf(path, sizeof path, "%s/%s", saver->dir->checkpoints, name);
    ddpm_progress now = *progress;
    ddpm_clock_utc(now.created, sizeof now.created);
    const ddpm_status status = ddpm_checkpoint_write(path, saver->config, saver->params,
                                                     saver->state, &now);
    if (status != DDPM_OK) {
        saver->failures++;
        return status;
    }
    saver->failures = 0;
    snprintf(saver->last, sizeof saver->last, "%s", path);
    prune(saver);
    return DDPM_OK;
}

ddpm_status ddpm_train__save(ddpm_saver *saver, const ddpm_progress *progress)
{
    const ddpm_status status = attempt(saver, progress);
    if (status == DDPM_OK) return DDPM_OK;
    if (saver->failures >= ATTEMPTS)
        return ddpm_fail_within(status, "giving up after %d failed checkpoints in a row",
                                saver->failures);
    const double seconds = backoff_seconds(saver->failures);
    saver->retry_ns = ddpm_clock_ns() + (uint64_t)(seconds * 1e9);
    char text[32];
    ddpm_log_warning("checkpoint not written (%d of %d attempts): %s; training goes on, next "
                     "attempt in %s",
                     saver->failures, ATTEMPTS, ddpm_status_message(),
                     ddpm_text_seconds(text, seconds));
    return DDPM_OK;
}

bool ddpm_train__save_is_due(const ddpm_saver *saver)
{
    return saver->failures > 0 && ddpm_clock_ns() >= saver->retry_ns;
}

ddpm_status ddpm_train__save_last(ddpm_saver *saver, const ddpm_progress *progress)
{
    static const struct timespec pause = { .tv_sec = 1 };
    saver->failures = 0;
    ddpm_status status = attempt(saver, progress);
    while (status != DDPM_OK && saver->failures < ATTEMPTS) {
        ddpm_log_warning("last checkpoint not written (%d of %d attempts): %s", saver->failures,
                         ATTEMPTS, ddpm_status_message());
        nanosleep(&pause, NULL);
        status = attempt(saver, progress);
    }
    if (status == DDPM_OK) return DDPM_OK;
    return ddpm_fail_within(status, "the last steps are lost");
}
