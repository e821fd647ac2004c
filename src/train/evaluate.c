/* Evaluations in the course of a run. */
#include "trainer_internal.h"

#include "best.h"
#include "ddpm/base/clock.h"
#include "ddpm/base/log.h"
#include "evaluation_line.h"

#include <inttypes.h>
#include <string.h>

static bool may_go_on(void *context)
{
    return ddpm_train__may_go_on(context);
}

bool ddpm_train__evaluation_is_missing(const ddpm_trainer *trainer)
{
    const ddpm_progress *progress = &trainer->progress;
    return trainer->evaluator && progress->step > 0 && progress->evaluated != progress->step;
}

/* Rank 0: whether this state is the best so far, which its progress says from now on. Of the best
 * before only what is on the disk counts. */
static bool note_best(ddpm_trainer *trainer, const ddpm_evaluation *evaluation)
{
    ddpm_best *best = &trainer->progress.best;
    const ddpm_config *config = &trainer->config;
    const bool by_bound = strcmp(config->eval.metric, "bpd") == 0;
    const double value = by_bound ? evaluation->bits.mean : evaluation->loss.mean;
    char by[DDPM_BEST_BY];
    ddpm_train__at_file(trainer, DDPM_AT_CHECKPOINT); /* one may be under way */
    *best = ddpm_train__save_best(&trainer->saver);
    ddpm_train__best_by(by, config, evaluation->images,
                        ddpm_train__evaluator_data(trainer->evaluator)->content_hash);
    if (!ddpm_train__best_is_passed(best, value, by)) return false;
    *best = (ddpm_best){ .step = trainer->progress.step, .value = value };
    memcpy(best->by, by, sizeof by);
    return true;
}

static void report(ddpm_trainer *trainer, const ddpm_evaluation *evaluation, bool best,
                   double seconds)
{
    const ddpm_evaluation_line line = {
        .step = trainer->progress.step,
        .of = evaluation,
        .is_best = best,
        .decay = trainer->config.ema.rates.at[0],
        .data_hash = ddpm_train__evaluator_data(trainer->evaluator)->content_hash,
        .seconds = seconds,
    };
    ddpm_train__metrics_append(trainer->metrics, ddpm_train__evaluation_text(&line));
    ddpm_train__evaluation_log(&line);
}

/* No evaluation is no reason to end a training, but for a call that the ranks lost each other in.
 */
static ddpm_status do_without(const ddpm_trainer *trainer, ddpm_status status, bool *stopped)
{
    if (status == DDPM_EINTERNAL) return status;
    const bool speaks = ddpm_comm_rank(trainer->comm) == 0;
    *stopped = *stopped || status == DDPM_EAGAIN;
    if (speaks && status == DDPM_EAGAIN)
        ddpm_log_info("the evaluation of step %" PRIu64 " is given up; it is done when the run "
                      "goes on",
                      trainer->progress.step);
    else if (speaks)
        ddpm_log_warning("no evaluation: %s", ddpm_status_message());
    return DDPM_OK;
}

ddpm_status ddpm_train__evaluate(ddpm_trainer *trainer, bool *best, bool *stopped)
{
    const uint64_t begin = ddpm_clock_ns();
    const float *average = NULL;
    ddpm_evaluation evaluation;
    *best = false;
    ddpm_watchdog_at(trainer->watchdog, trainer->progress.step, DDPM_AT_EVALUATION);
    ddpm_train__begin_calls(trainer);
    DDPM_TRY(ddpm_step_average(&average, trainer->step, 0));
    const ddpm_status status = ddpm_train__evaluator_run(
        &evaluation, trainer->evaluator, trainer->comm, average, may_go_on, trainer);
    if (status != DDPM_OK) return do_without(trainer, status, stopped);
    trainer->progress.evaluated = trainer->progress.step;
    const double seconds = ddpm_clock_seconds(begin, ddpm_clock_ns());
    if (ddpm_comm_rank(trainer->comm) == 0) {
        *best = note_best(trainer, &evaluation);
        report(trainer, &evaluation, *best, seconds);
    }
    return ddpm_comm_broadcast(trainer->comm, best, sizeof *best, 0);
}
