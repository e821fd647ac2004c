/* The steps of a run, and what is due between them. */
#include "trainer_internal.h"

#include "audit.h"
#include "ddpm/base/clock.h"
#include "ddpm/base/log.h"
#include "ddpm/base/text.h"
#include "ddpm/data/prefetch.h"
#include "signals.h"
#include "step_memory.h"

#include <inttypes.h>
#include <math.h>
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

static ddpm_status next_images(ddpm_batch *batch, void *context)
{
    return ddpm_prefetch_next(context, batch);
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
    trainer->longest_step = fmax(seconds, 0.99 * trainer->longest_step);
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

static ddpm_status audit(const ddpm_trainer *trainer)
{
    ddpm_watchdog_at(trainer->watchdog, trainer->progress.step, DDPM_AT_AUDIT);
    const bool sharded = ddpm_train__is_sharded(&trainer->config, ddpm_comm_size(trainer->comm));
    const ddpm_audit audit = { .state = ddpm_step_state(trainer->step),
                               .params = ddpm_step_params(trainer->step),
                               .sharded = sharded,
                               .step = trainer->progress.step };
    return ddpm_train__audit(trainer->comm, &audit);
}

/* Rank 0; elsewhere false. After `before` seconds of something else. */
static bool job_ends(ddpm_trainer *trainer, double before)
{
    if (!is_writer(trainer)) return false;
    /* One more step, a checkpoint under way, and the last one. */
    const double seconds = before + trainer->longest_step + 2.0 * trainer->saver.seconds;
    trainer->job_ends = ddpm_train__job_end_is_near(&trainer->job_end, ddpm_clock_ns(), seconds);
    return trainer->job_ends;
}

void ddpm_train__begin_calls(ddpm_trainer *trainer)
{
    trainer->asked_ns = 0;
}

bool ddpm_train__may_go_on(ddpm_trainer *trainer)
{
    const uint64_t now = ddpm_clock_ns();
    ddpm_watchdog_beat(trainer->watchdog);
    if (trainer->asked_ns > 0)
        trainer->longest_call = fmax(ddpm_clock_seconds(trainer->asked_ns, now),
                                     0.99 * trainer->longest_call);
    trainer->asked_ns = now;
    /* Other ranks may only begin the call that this one has just done. */
    return ddpm_train__signals_caught() == 0 && !job_ends(trainer, 2.0 * trainer->longest_call);
}

static ddpm_status save(ddpm_trainer *trainer)
{
    DDPM_TRY(audit(trainer));
    ddpm_train__at_file(trainer, DDPM_AT_CHECKPOINT);
    DDPM_TRY(ddpm_step_collect(trainer->step));
    if (is_writer(trainer)) ddpm_train__save(&trainer->saver, &trainer->progress);
    return DDPM_OK;
}

/* What is due after a step that is not the last. `again`: a checkpoint is due apart from
 * checkpoint.every; it waits for a line of the metrics, so that these are the same in a run that
 * goes on from it. A state that the ranks do not agree on is never saved. The evaluation comes
 * first, so that a checkpoint of the same step knows of it; where it is stopped, the caller saves.
 */
static ddpm_status between_steps(ddpm_trainer *trainer, bool *stopped, bool again)
{
    const ddpm_config *config = &trainer->config;
    const uint64_t step = trainer->progress.step;
    const bool due = is_due(step, config->checkpoint.every);
    const bool evaluates = is_due(step, config->eval.every);
    const bool logs = due || evaluates || is_due(step, config->log.every);
    bool best = false;
    if (logs) write_line(trainer);
    if (evaluates) DDPM_TRY(ddpm_train__evaluate(trainer, &best, stopped));
    if (*stopped) return DDPM_OK;
    if (due || best || (again && logs))
        DDPM_TRY(save(trainer));
    else if (is_due(step, config->train.audit_every))
        DDPM_TRY(audit(trainer));
    if (is_due(step, config->sample.every)) return ddpm_train__draw_grid(trainer, stopped);
    return DDPM_OK;
}

/* The evaluation of the state that a run goes on from, where it was cut short. */
static ddpm_status catch_up(ddpm_trainer *trainer, bool *stopped)
{
    bool best;
    if (!ddpm_train__evaluation_is_missing(trainer) || end_reason(trainer) ||
        !is_due(trainer->progress.step, trainer->config.eval.every))
        return DDPM_OK;
    DDPM_TRY(ddpm_train__evaluate(trainer, &best, stopped));
    return best ? save(trainer) : DDPM_OK;
}

/* What this rank brings into the next step. Rank 0's failures are brought to all ranks by it. */
static ddpm_step_request make_request(ddpm_trainer *trainer)
{
    ddpm_step_request request = { .status = DDPM_OK, .stop = ddpm_train__signals_caught() != 0 };
    if (!is_writer(trainer)) return request;
    request.status = ddpm_train__save_poll(&trainer->saver);
    if (request.status == DDPM_OK) request.status = ddpm_train__lock_check(trainer->dir.lock);
    request.stop = request.stop || job_ends(trainer, 0.0);
    request.time_is_up = time_limit_is_over(trainer, trained_seconds(trainer));
    request.save = ddpm_train__save_is_due(&trainer->saver);
    return request;
}

/* Steps until the end or until some rank is asked to stop. */
static ddpm_status take_steps(ddpm_trainer *trainer, bool *stopped, ddpm_prefetch *prefetch)
{
    while (!*stopped && !end_reason(trainer)) {
        const ddpm_step_request request = make_request(trainer);
        ddpm_step_result result;
        const uint64_t begin = ddpm_clock_ns();
        DDPM_TRY(ddpm_step_run(trainer->step, &result, trainer->progress.step,
                               trainer->progress.skipped_steps, &request, next_images, prefetch));
        DDPM_TRY(account(trainer, &result, ddpm_clock_seconds(begin, ddpm_clock_ns())));
        *stopped = result.stop;
        if (!*stopped && !end_reason(trainer))
            DDPM_TRY(between_steps(trainer, stopped, result.save));
    }
    return DDPM_OK;
}

static ddpm_status save_last(ddpm_trainer *trainer)
{
    write_line(trainer);
    DDPM_TRY(audit(trainer));
    ddpm_train__at_file(trainer, DDPM_AT_CHECKPOINT);
    DDPM_TRY(ddpm_step_collect(trainer->step));
    ddpm_status status = DDPM_OK;
    if (is_writer(trainer)) status = ddpm_train__lock_check(trainer->dir.lock);
    if (is_writer(trainer) && status == DDPM_OK) {
        status = ddpm_train__save_last(&trainer->saver, &trainer->progress);
        trainer->progress.best = ddpm_train__save_best(&trainer->saver);
    }
    return ddpm_comm_agree(trainer->comm, status);
}

static void say_how_to_go_on(const ddpm_trainer *trainer)
{
    const int signal = ddpm_train__signals_caught();
    const char *by = signal == 0 && trainer->job_ends ? "the job's end"
                                                      : ddpm_train__signal_name(signal);
    ddpm_log_live_end();
    ddpm_log_info("stopped by %s after %" PRIu64 " steps; saved as %s; the same command goes on "
                  "from there",
                  by, trainer->progress.step, trainer->saver.last);
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
    if (progress->best.step > 0)
        ddpm_log_info("the best by %.*s is that of step %" PRIu64 " (%.5f): ddpm-sample --best %s",
                      (int)strcspn(progress->best.by, " "), progress->best.by, progress->best.step,
                      progress->best.value, trainer->dir.path);
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

/* The end by itself: last evaluation, last checkpoint, last grid. */
static ddpm_status finish(ddpm_trainer *trainer, const char *reason, bool *stopped)
{
    bool best, ignored = false; /* all that matters is saved: a grid that is cut short is none */
    write_line(trainer);
    if (ddpm_train__evaluation_is_missing(trainer))
        DDPM_TRY(ddpm_train__evaluate(trainer, &best, stopped));
    DDPM_TRY(save_last(trainer));
    if (*stopped) {
        say_how_to_go_on(trainer);
        return DDPM_OK;
    }
    if (trainer->config.sample.every > 0) DDPM_TRY(ddpm_train__draw_grid(trainer, &ignored));
    DDPM_TRY(mark_done(trainer, reason));
    say_what_came_out(trainer, reason);
    return DDPM_OK;
}

static ddpm_status train(ddpm_trainer *trainer, bool *stopped)
{
    ddpm_prefetch *prefetch = NULL;
    if (is_writer(trainer)) ddpm_train__run_dir_remove_done(&trainer->dir);
    ddpm_status status = start_reading(&prefetch, trainer);
    if (status == DDPM_OK) status = catch_up(trainer, stopped);
    if (status == DDPM_OK) status = take_steps(trainer, stopped, prefetch);
    ddpm_prefetch_free(prefetch);
    if (status != DDPM_OK) return status;
    const char *reason = end_reason(trainer);
    if (reason) {
        *stopped = false;
        return finish(trainer, reason, stopped);
    }
    DDPM_TRY(save_last(trainer));
    say_how_to_go_on(trainer);
    return DDPM_OK;
}

static void find_job_end(ddpm_trainer *trainer)
{
    ddpm_job_end *end = &trainer->job_end;
    ddpm_train__job_end_find(end, &trainer->config, trainer->start_ns);
    if (end->end_ns == 0) return;
    char left[32], reserve[32];
    const uint64_t now = ddpm_clock_ns();
    const double seconds = end->end_ns > now ? ddpm_clock_seconds(now, end->end_ns) : 0.0;
    ddpm_log_info("job      ends in %s; the run stops %s and a checkpoint before that",
                  ddpm_text_seconds(left, seconds),
                  ddpm_text_seconds(reserve, end->reserve_seconds));
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
    if (reason && trainer->progress.step > 0 && !ddpm_train__evaluation_is_missing(trainer)) {
        DDPM_TRY(mark_done(trainer, reason)); /* it may have died just before it could say so */
        say_what_came_out(trainer, reason);
        ddpm_log_info("nothing is left to do: raise train.steps or train.time_limit to go on, or "
                      "begin anew with --fresh");
        return DDPM_OK;
    }
    if (is_writer(trainer)) find_job_end(trainer);
    ddpm_train__signals_install();
    const ddpm_status status = train(trainer, stopped);
    ddpm_train__signals_restore();
    return status;
}
