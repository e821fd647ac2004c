/* A training that has run away: what to tell the user, so that the next run does not. */
#include "trainer_internal.h"

#include "ddpm/base/log.h"

#include <inttypes.h>
#include <math.h>

static size_t count_bad(const float *values, size_t count)
{
    size_t bad = 0;
    for (size_t i = 0; i < count; i++)
        if (!isfinite(values[i])) bad++;
    return bad;
}

/* The tensors in forward order, with how much of each is not finite. */
static void list_tensors(const ddpm_trainer *trainer, const char *what, const float *flat)
{
    enum { SHOWN = 5 };
    const ddpm_params *params = ddpm_step_params(trainer->step);
    size_t tensors = 0;
    for (size_t i = 0; i < params->count; i++) {
        const ddpm_param *param = &params->param[i];
        const size_t bad = count_bad(flat + param->offset, param->count);
        if (bad && tensors++ < SHOWN)
            ddpm_log_info("  %s of %s: %zu of %zu values are not finite", what, param->name, bad,
                          param->count);
    }
    ddpm_log_info("  %s: %zu of %zu tensors have values that are not finite", what, tensors,
                  params->count);
}

/* Of the finite steps since the last line, or of that line. */
static double last_loss(const ddpm_trainer *trainer)
{
    const ddpm_metrics_sum *sum = &trainer->sum;
    return sum->finite_steps ? sum->loss / (double)sum->finite_steps : trainer->progress.loss;
}

ddpm_status ddpm_train__diagnose(ddpm_trainer *trainer, const ddpm_step_result *result)
{
    const ddpm_progress *progress = &trainer->progress;
    const ddpm_state *state = ddpm_step_state(trainer->step);
    double largest = 0.0;
    for (size_t i = 0; i < ddpm_step_params(trainer->step)->total; i++)
        if (fabs((double)state->weights[i]) > largest) largest = fabs((double)state->weights[i]);
    ddpm_log_info("steps %" PRIu64 " to %" PRIu64 " were not finite: loss %g, gradient norm %g, "
                  "largest weight %g, last good loss %g",
                  progress->step + 1 - (uint64_t)trainer->skipped_in_a_row, progress->step,
                  result->loss, result->grad_norm, largest, last_loss(trainer));
    list_tensors(trainer, "gradient", ddpm_step_gradient(trainer->step));
    list_tensors(trainer, "weights", state->weights);
    return ddpm_fail(DDPM_EDATA,
                     "%d steps in a row gave a loss or gradient that is not finite (up to step "
                     "%" PRIu64 "); none of them changed the weights or is in a checkpoint; try a "
                     "smaller train.lr or a longer train.warmup",
                     trainer->skipped_in_a_row, progress->step);
}
