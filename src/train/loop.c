/* The steps of a run, and what is due between them. */
#include "trainer_internal.h"

#include "ddpm/base/clock.h"
#include "ddpm/base/log.h"
#include "ddpm/base/text.h"
#include "ddpm/data/prefetch.h"
#include "signals.h"

#include <inttypes.h>
#include <string.h>

enum { SKIPPED_IN_A_ROW_MOST = 3 };

static bool is_writer(const ddpm_trainer *trainer)
{
    return ddpm_comm_rank(trainer->comm) == 0;
}

static double trained_seconds(const ddpm_trainer *trainer)
{
    return trainer->begin_seconds + ddpm_clock_seconds(trainer->begin_ns, ddpm_clock_ns());
}

static bool time_limit_is_over(const ddpm_trainer *trainer, double seconds)
{
    const double limit = trainer->config.train.time_limit;
    return limit > 0.0 && seconds >= limit;
}

static bool is_due(uint64_t step, int64_t every)
{
    return every > 0 && step % (uint64_t)every == 0;
}

/* Why the run is at its end, or NULL. The same on all ranks. */
static const char *end_reason(const ddpm_trainer *trainer)
{
    if (trainer->progress.step >= (uint64_t)trainer->config.train.steps) return "steps";
    return trainer->time_is_up ? "time limit" : NULL;
}

static ddpm_status start_reading(ddpm_prefetch **out, const ddpm_trainer *trainer)
{
    const ddpm_config *config = &trainer->config;
    size_t first, count;
    ddpm_step_micro_batches(trainer->step, &first, &count);
    const ddpm_prefetch_options options = {
        .seed = (uint64_t)config->train.seed,
        .global_batch = (uint64_t)config->train.batch,
        .first_step = trainer->progress.step,
        .first = first * (size_t)config->train.micro_batch,
        .count = (size_t)config->train.micro_batch,
        .per_step = count,
        .flip = config->data.flip,
        .depth = (size_t)config->data.prefetch,
    };
    return ddpm_comm_agree(trainer->comm, ddpm_prefetch_create(out, trainer->data, &options));
}

static ddpm_status next_images(const float **x, const uint64_t **sample_index, void *context)
{
    return ddpm_prefetch_next(context, x, sample_index);
}

static void write_line(ddpm_trainer *trainer)
{
    if (trainer->sum.steps == 0) return;
    const ddpm_progress *progress = &trainer->progress;
    ddpm_metrics_line line = ddpm_train__metrics_take(&trainer->sum,
                                                      (uint64_t)trainer->config.train.batch);
    line.step = progress->step;
    line.images_seen = progress->images_seen;
    line.epoch = (double)progress->images_seen /
                 (double)ddpm_dataset_get_info(trainer->data)->shape.n;
    line.skipped_steps = progress->skipped_steps;
    line.train_seconds = progress->train_seconds;
    trainer->progress.loss = line.loss;
    if (!is_writer(trainer)) return;
    ddpm_train__metrics_write(trainer->metrics, &line);
    ddpm_train__progress_line(&trainer->view, &line);
}

/* Counts a step that was taken, on every rank. */
static ddpm_status account(ddpm_trainer *trainer, const ddpm_step_result *result, double seconds)
{
    ddpm_progress *progress = &trainer->progress;
    const uint64_t batch = (uint64_t)trainer->config.train.batch;
    progress->step++;
    progress->images_seen += batch;
    progress->train_seconds = trained_seconds(trainer);
    trainer->time_is_up = result->time_is_up;
    ddpm_train__metrics_add(&trainer->sum, result, seconds);
    ddpm_train__progress_step(&trainer->view, progress->step, batch, progress->train_seconds,
                              result, seconds);
    if (result->finite) {
        trainer->skipped_in_a_row = 0;
        return DDPM_OK;
    }
    progress->skipped_steps++;
    trainer->skipped_in_a_row++;
    if (is_writer(trainer))
        ddpm_log_warning("step %" PRIu64 " is skipped: loss %g, gradient norm %g", progress->step,
                         result->loss, result->grad_norm);
    if (trainer->skipped_in_a_row < SKIPPED_IN_A_ROW_MOST) return DDPM_OK;
    const ddpm_status status = ddpm_train__diagnose(trainer, result);
    write_line(trainer);
    return status;
}

/* The replicas of the weights have no way to differ, short of a broken processor or memory; a
 * checkpoint is the moment to be sure. */
static ddpm_status check_replicas(const ddpm_trainer *trainer)
{
    if (ddpm_comm_size(trainer->comm) == 1) return DDPM_OK;
    char hash[DDPM_XXH128_HEX], message[1024];
    ddpm_watchdog_at(trainer->watchdog, trainer->progress.step, DDPM_AT_AUDIT);
    ddpm_flat_hash(hash, ddpm_step_state(trainer->step)->weights, ddpm_step_params(trainer->step));
    const ddpm_status status = ddpm_comm_require_same(trainer->comm, "the hash of the weights",
                                                      hash);
    if (status != DDPM_ECONFIG) return status;
    snprintf(message, sizeof message, "%s", ddpm_status_message());
    return ddpm_fail(
        DDPM_EINTERNAL,
        "after step %" PRIu64 " the ranks no longer hold the same weights, and nothing "
        "was saved: suspect the hardware of the node; the last checkpoint is good (%s)",
        trainer->progress.step, message);
}

/* What is due after a step that is not the last. Rank 0's failures go to *pending: the next step
 * brings them to all ranks. `again`: an earlier checkpoint failed and is due once more. */
static ddpm_status between_steps(ddpm_trainer *trainer, ddpm_status *pending, bool *stopped,
                                 bool again)
{
    const uint64_t step = trainer->progress.step;
    const bool due = is_due(step, trainer->config.checkpoint.every);
    if (due || is_due(step, trainer->config.log.every)) write_line(trainer);
    if (due || again) {
        DDPM_TRY(check_replicas(trainer));
        ddpm_train__at_file(trainer, DDPM_AT_CHECKPOINT);
        DDPM_TRY(ddpm_step_collect(trainer->step));
        if (is_writer(trainer)) *pending = ddpm_train__save(&trainer->saver, &trainer->progress);
    }
    if (is_due(step, trainer->config.sample.every)) return ddpm_train__draw_grid(trainer, stopped);
    return DDPM_OK;
}

/* Steps until the end or until some rank is asked to stop. */
static ddpm_status take_steps(ddpm_trainer *trainer, bool *stopped, ddpm_prefetch *prefetch)
{
    ddpm_status pending = DDPM_OK;
    while (!*stopped && !end_reason(trainer)) {
        const ddpm_step_request request = {
            .status = pending,
            .stop = ddpm_train__signals_caught() != 0,
            .time_is_up = is_writer(trainer) &&
                          time_limit_is_over(trainer, trained_seconds(trainer)),
            .save = is_writer(trainer) && ddpm_train__save_is_due(&trainer->saver),
        };
        ddpm_step_result result;
        const uint64_t begin = ddpm_clock_ns();
        DDPM_TRY(ddpm_step_run(trainer->step, &result, trainer->progress.step,
                               trainer->progress.skipped_steps, &request, next_images, prefetch));
        DDPM_TRY(account(trainer, &result, ddpm_clock_seconds(begin, ddpm_clock_ns())));
        *stopped = result.stop;
        if (!*stopped && !end_reason(trainer))
            DDPM_TRY(between_steps(trainer, &pending, stopped, result.save));
    }
    return ddpm_comm_agree(trainer->comm, pending);
}

static ddpm_status save_last(ddpm_trainer *trainer)
{
    write_line(trainer);
    DDPM_TRY(check_replicas(trainer));
    ddpm_train__at_file(trainer, DDPM_AT_CHECKPOINT);
    DDPM_TRY(ddpm_step_collect(trainer->step));
    ddpm_status status = DDPM_OK;
    if (is_writer(trainer)) status = ddpm_train__save_last(&trainer->saver, &trainer->progress);
    return ddpm_comm_agree(trainer->comm, status);
}

static void say_how_to_go_on(const ddpm_trainer *trainer)
{
    ddpm_log_live_end();
    ddpm_log_info("stopped by %s after %" PRIu64 " steps; saved as %s; the same command goes on "
                  "from there",
                  ddpm_train__signal_name(ddpm_train__signals_caught()), trainer->progress.step,
                  trainer->saver.last);
}

static void say_what_came_out(const ddpm_trainer *trainer, const char *reason)
{
    char time[32], steps[32];
    const ddpm_progress *progress = &trainer->progress;
    ddpm_log_live_end();
    ddpm_log_info("done (%s): %s steps in %s, loss %.4f; samples in %s, metrics in %s", reason,
                  ddpm_text_count(steps, progress->step),
                  ddpm_text_seconds(time, progress->train_seconds), progress->loss,
                  trainer->dir.samples, trainer->dir.metrics);
    ddpm_log_info("the result is %s; draw from it with: ddpm-sample %s -n 64 -o grid.png",
                  trainer->saver.last, trainer->saver.last);
}

/* The marker that scripts look for. */
static ddpm_status mark_done(ddpm_trainer *trainer, const char *reason)
{
    ddpm_status status = DDPM_OK;
    if (is_writer(trainer))
        status = ddpm_train__run_dir_write_done(&trainer->dir, &trainer->progress, reason,
                                                trainer->saver.last);
    return ddpm_comm_agree(trainer->comm, status);
}

/* The end by itself: last checkpoint, last grid. */
static ddpm_status finish(ddpm_trainer *trainer, const char *reason)
{
    bool stopped = false; /* all that matters is saved: a grid that is cut short is none */
    DDPM_TRY(save_last(trainer));
    if (trainer->config.sample.every > 0) DDPM_TRY(ddpm_train__draw_grid(trainer, &stopped));
    DDPM_TRY(mark_done(trainer, reason));
    say_what_came_out(trainer, reason);
    return DDPM_OK;
}

static ddpm_status train(ddpm_trainer *trainer, bool *stopped)
{
    ddpm_prefetch *prefetch = NULL;
    if (is_writer(trainer)) ddpm_train__run_dir_remove_done(&trainer->dir);
    ddpm_status status = start_reading(&prefetch, trainer);
    if (status == DDPM_OK) status = take_steps(trainer, stopped, prefetch);
    ddpm_prefetch_free(prefetch);
    if (status != DDPM_OK) return status;
    const char *reason = end_reason(trainer);
    if (reason) {
        *stopped = false;
        return finish(trainer, reason);
    }
    DDPM_TRY(save_last(trainer));
    say_how_to_go_on(trainer);
    return DDPM_OK;
}

ddpm_status ddpm_trainer_run(ddpm_trainer *trainer, bool *stopped)
{
    const ddpm_config *config = &trainer->config;
    *stopped = false;
    trainer->begin_ns = ddpm_clock_ns();
    trainer->begin_seconds = trainer->progress.train_seconds;
    trainer->time_is_up = time_limit_is_over(trainer, trainer->begin_seconds);
    trainer->view = (ddpm_progress_view){ .steps = (uint64_t)config->train.steps,
                                          .time_limit = config->train.time_limit,
                                          .loss = trainer->progress.loss };
    const char *reason = end_reason(trainer);
    if (reason && trainer->progress.step > 0) {
        DDPM_TRY(mark_done(trainer, reason)); /* it may have died just before it could say so */
        say_what_came_out(trainer, reason);
        ddpm_log_info("nothing is left to do: raise train.steps or train.time_limit to go on, or "
                      "begin anew with --fresh");
        return DDPM_OK;
    }
    ddpm_train__signals_install();
    const ddpm_status status = train(trainer, stopped);
    ddpm_train__signals_restore();
    return status;
}
