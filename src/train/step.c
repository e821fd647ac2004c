#include "step_internal.h"

#include "ddpm/base/log.h"
#include "ddpm/base/memory.h"
#include "ddpm/train/model.h"
#include "lr.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *const ddpm_phase_names[DDPM_PHASES] = { "data",     "noise",  "forward",
                                                    "backward", "reduce", "update" };

/* How the noise levels of images are drawn. */
static ddpm_status plan_levels(ddpm_step *step)
{
    const ddpm_config *config = &step->config;
    const size_t batch = (size_t)config->train.batch;
    step->levels = (ddpm_level_source){ .seed = (uint64_t)config->train.seed,
                                        .batch = batch,
                                        .schedule = step->schedule };
    DDPM_TRY(ddpm_draw_find(&step->levels.kind, config->objective.timesteps));
    if (step->levels.kind != DDPM_DRAW_IMPORTANCE) return DDPM_OK;
    const size_t history = step->schedule->steps * DDPM_IMPORTANCE_HISTORY;
    DDPM_TRY(ddpm_importance_create(&step->importance, step->schedule->steps));
    step->levels.importance = step->importance;
    DDPM_TRY(
        ddpm_memory_alloc(&step->losses, 2 * batch, sizeof *step->losses, DDPM_MEMORY_SCRATCH));
    DDPM_TRY(ddpm_memory_alloc(&step->drawn, batch, sizeof *step->drawn, DDPM_MEMORY_SCRATCH));
    DDPM_TRY(ddpm_memory_alloc(&step->state.importance, history, sizeof *step->state.importance,
                               DDPM_MEMORY_OPTIMIZER));
    step->state.importance_floats = history;
    ddpm_importance_get(step->state.importance, step->importance);
    return DDPM_OK;
}

/* All but the reducer, which takes all ranks. */
static ddpm_status build(ddpm_step *step, ddpm_comm *comm, const ddpm_config *config)
{
    step->config = *config;
    step->comm = comm;
    step->micro_batches = (size_t)(config->train.batch / config->train.micro_batch);
    ddpm_reducer_interval(&step->first, &step->count, step->micro_batches, ddpm_comm_rank(comm),
                          ddpm_comm_size(comm));
    ddpm_unet_config shape;
    DDPM_TRY(ddpm_model_unet_config(&shape, config));
    step->image_floats = shape.height * shape.width * shape.in_channels;
    DDPM_TRY(ddpm_model_schedule(&step->schedule, config));
    DDPM_TRY(ddpm_model_objective(&step->objective, config, step->schedule));
    DDPM_TRY(plan_levels(step));
    DDPM_TRY(ddpm_unet_create(&step->unet, &shape, (size_t)config->train.micro_batch,
                              DDPM_UNET_TRAINING));
    DDPM_TRY(ddpm_train__step_memory(&step->memory, config, step->image_floats,
                                     shape.out_channels / shape.in_channels));
    DDPM_TRY(ddpm_train__state_memory(&step->state, config, ddpm_unet_params(step->unet)->total,
                                      ddpm_comm_rank(comm), ddpm_comm_size(comm)));
    step->sums = calloc(step->count ? step->count : 1, DDPM_SUMS * sizeof *step->sums);
    return step->sums ? DDPM_OK : ddpm_fail(DDPM_EOS, "no memory for a step's sums");
}

static ddpm_status connect(ddpm_step *step)
{
    ddpm_comm *comm = step->comm;
    const int ranks = ddpm_comm_size(comm);
    const ddpm_reducer_options options = ddpm_train__reducer_options(&step->config, ranks);
    const size_t floats = ddpm_unet_params(step->unet)->total;
    DDPM_TRY(ddpm_reducer_create(&step->reducer, comm, floats, step->micro_batches, &options));
    return ddpm_comm_agree(
        comm, ddpm_train__updater_create(&step->updater, comm, step->reducer, &step->state, floats,
                                         ddpm_train__is_sharded(&step->config, ranks)));
}

/* For a debugger, and for the tests that change them from outside as bad memory would. */
static void say_where(const ddpm_step *step)
{
    const ddpm_state *state = &step->state;
    const size_t bytes = ddpm_unet_params(step->unet)->total * sizeof(float);
    ddpm_log_debug("pid %ld: weights at %p, %zu bytes", (long)getpid(), (void *)state->weights,
                   bytes);
    if (state->ema_count > 0 && state->ema[0] &&
        !ddpm_train__is_sharded(&step->config, ddpm_comm_size(step->comm)))
        ddpm_log_debug("pid %ld: averages at %p, %zu bytes", (long)getpid(), (void *)state->ema[0],
                       bytes);
}

ddpm_status ddpm_step_create(ddpm_step **out, ddpm_comm *comm, const ddpm_config *config)
{
    ddpm_step *step = calloc(1, sizeof *step);
    ddpm_status status = step ? build(step, comm, config)
                              : ddpm_fail(DDPM_EOS, "no memory for a training step");
    status = ddpm_comm_agree(comm, status);
    if (status == DDPM_OK && step) status = connect(step);
    if (status != DDPM_OK || !step) {
        ddpm_step_free(step);
        return status;
    }
    say_where(step);
    *out = step;
    return DDPM_OK;
}

void ddpm_step_free(ddpm_step *step)
{
    if (!step) return;
    ddpm_train__updater_free(&step->updater);
    ddpm_reducer_free(step->reducer);
    ddpm_unet_free(step->unet);
    ddpm_schedule_free(step->schedule);
    ddpm_importance_free(step->importance);
    ddpm_memory_free(step->losses);
    ddpm_memory_free(step->drawn);
    ddpm_train__step_memory_free(&step->memory);
    ddpm_train__state_memory_free(&step->state);
    free(step->sums);
    free(step);
}

void ddpm_step_watch(ddpm_step *step, ddpm_watchdog *watchdog)
{
    step->watchdog = watchdog;
}

void ddpm_step_set_timesteps(ddpm_step *step, ddpm_draw kind)
{
    assert(!step->importance && kind != DDPM_DRAW_IMPORTANCE);
    step->levels.kind = kind;
}

void ddpm_step_init(ddpm_step *step)
{
    ddpm_params_init(step->state.weights, ddpm_unet_params(step->unet),
                     (uint64_t)step->config.train.seed);
    /* In the official code the first update of an average copies the weights. That update follows
     * step 0, whose learning rate is 0: what it copies are these. */
    ddpm_train__updater_init(&step->updater);
}

ddpm_status ddpm_step_collect(ddpm_step *step)
{
    if (step->importance) ddpm_importance_get(step->state.importance, step->importance);
    return ddpm_train__collect(&step->updater);
}
ddpm_status ddpm_step_spread(ddpm_step *step)
{
    if (step->importance) {
        float *history = step->state.importance;
        DDPM_TRY(ddpm_comm_broadcast(step->comm, history,
                                     step->state.importance_floats * sizeof *history, 0));
        ddpm_importance_set(step->importance, history);
    }
    return ddpm_train__spread(&step->updater);
}
ddpm_status ddpm_step_average(const float **flat, ddpm_step *step, size_t e)
{
    return ddpm_train__whole_average(flat, &step->updater, e);
}

ddpm_state *ddpm_step_state(ddpm_step *step)
{
    return &step->state;
}
const ddpm_params *ddpm_step_params(const ddpm_step *step)
{
    return ddpm_unet_params(step->unet);
}
const ddpm_unet_config *ddpm_step_unet_config(const ddpm_step *step)
{
    return ddpm_unet_get_config(step->unet);
}
const float *ddpm_step_gradient(const ddpm_step *step)
{
    return step->gradient;
}
size_t ddpm_step_micro_batches(const ddpm_step *step, size_t *first, size_t *count)
{
    *first = step->first;
    *count = step->count;
    return step->micro_batches;
}
ddpm_reducer_stats ddpm_step_reducer_stats(const ddpm_step *step)
{
    return ddpm_reducer_get_stats(step->reducer);
}

/* This rank's micro-batches. Where images cannot be had, the remaining leaves stay empty, so that
 * the rank still takes part in the sums that tell the others. */
static ddpm_status learn(ddpm_step *step, ddpm_step_result *result, uint64_t *mark,
                         ddpm_status status, ddpm_batch_source *source, void *context)
{
    memset(step->sums, 0, step->count * DDPM_SUMS * sizeof *step->sums);
    if (step->losses)
        memset(step->losses, 0, 2 * (size_t)step->config.train.batch * sizeof *step->losses);
    for (size_t k = 0; k < step->count; k++) {
        float *leaf = ddpm_reducer_leaf_begin(step->reducer);
        ddpm_train__lap(result, DDPM_PHASE_REDUCE, mark);
        ddpm_batch batch;
        ddpm_train__at(step, DDPM_AT_DATA);
        if (status == DDPM_OK) status = source(&batch, context);
        ddpm_train__lap(result, DDPM_PHASE_DATA, mark);
        if (status == DDPM_OK)
            ddpm_train__learn_from(step, result, mark, leaf, step->sums + k * DDPM_SUMS, &batch);
        ddpm_train__at(step, DDPM_AT_REDUCE);
        ddpm_reducer_leaf_done(step->reducer);
        ddpm_train__lap(result, DDPM_PHASE_REDUCE, mark);
    }
    return status;
}

/* Sums over all ranks: the gradients, whose sum is under way since the last micro-batch and must
 * come to its end before anything else is said; the losses, and with them what each rank asked for.
 */
static ddpm_status reduce(ddpm_step *step, ddpm_step_result *result,
                          const ddpm_step_request *request, ddpm_status mine)
{
    double sum[DDPM_SUMS];
    DDPM_TRY(ddpm_reducer_finish(step->reducer, &step->gradient));
    step->sums[DDPM_SUM_FAILED] = mine != DDPM_OK;
    step->sums[DDPM_SUM_STOP] = request->stop;
    step->sums[DDPM_SUM_TIME_IS_UP] = request->time_is_up;
    step->sums[DDPM_SUM_SAVE] = request->save;
    DDPM_TRY(ddpm_reducer_sum_f64(step->reducer, sum, step->sums, DDPM_SUMS));
    if (sum[DDPM_SUM_FAILED] > 0.0) return ddpm_comm_agree(step->comm, mine);
    result->loss = sum[DDPM_SUM_LOSS] / (double)step->config.train.batch;
    memcpy(result->quartile_error, sum + DDPM_SUM_ERROR, sizeof result->quartile_error);
    memcpy(result->quartile_images, sum + DDPM_SUM_IMAGES, sizeof result->quartile_images);
    result->stop = sum[DDPM_SUM_STOP] > 0.0;
    result->time_is_up = sum[DDPM_SUM_TIME_IS_UP] > 0.0;
    result->save = sum[DDPM_SUM_SAVE] > 0.0;
    return DDPM_OK;
}

/* All ranks' losses, in the order of the images, into the distribution of timesteps. */
static ddpm_status note_losses(ddpm_step *step)
{
    const size_t batch = (size_t)step->config.train.batch;
    DDPM_TRY(ddpm_reducer_merge_f64(step->reducer, step->losses, 2 * batch));
    for (size_t i = 0; i < batch; i++) step->drawn[i] = (size_t)step->losses[batch + i];
    ddpm_importance_add(step->importance, step->drawn, step->losses, batch);
    return DDPM_OK;
}

/* Clipping by the global norm, Adam, averages. Nothing where the loss or the gradient is not
 * finite, on any rank alike. `updates`: how many there were before. */
static ddpm_status update(ddpm_step *step, ddpm_step_result *result, uint64_t number,
                          uint64_t updates)
{
    const ddpm_config *config = &step->config;
    DDPM_TRY(ddpm_train__gradient_norm(&result->grad_norm, &step->updater, step->gradient));
    result->lr = ddpm_train__lr(config, number);
    result->finite = isfinite(result->loss) && isfinite(result->grad_norm);
    if (!result->finite) /* for the diagnosis */
        return step->updater.sharded ? ddpm_reducer_gather(step->reducer, step->gradient) : DDPM_OK;
    const double clip = config->train.clip;
    const ddpm_adam adam = {
        .lr = result->lr,
        .beta1 = config->train.beta1,
        .beta2 = config->train.beta2,
        .epsilon = config->train.epsilon,
        .step = updates,
        .grad_factor = clip > 0.0 && result->grad_norm > clip ? clip / result->grad_norm : 1.0,
    };
    ddpm_train__update(&step->updater, step->gradient, &adam);
    return DDPM_OK;
}

ddpm_status ddpm_step_run(ddpm_step *step, ddpm_step_result *result, uint64_t number,
                          uint64_t skipped, const ddpm_step_request *request,
                          ddpm_batch_source *source, void *context)
{
    *result = (ddpm_step_result){ .finite = false };
    step->number = number;
    const ddpm_reducer_stats before = ddpm_reducer_get_stats(step->reducer);
    const uint64_t begin = ddpm_clock_ns();
    uint64_t mark = begin;
    const ddpm_status mine = learn(step, result, &mark, request->status, source, context);
    const double own_seconds = ddpm_clock_seconds(begin, mark);
    DDPM_TRY(reduce(step, result, request, mine));
    ddpm_train__lap(result, DDPM_PHASE_REDUCE, &mark);
    ddpm_train__at(step, DDPM_AT_UPDATE);
    DDPM_TRY(update(step, result, number, number - skipped));
    ddpm_train__lap(result, DDPM_PHASE_UPDATE, &mark);
    ddpm_train__at(step, DDPM_AT_REDUCE);
    if (result->finite && step->importance) DDPM_TRY(note_losses(step));
    if (result->finite) DDPM_TRY(ddpm_train__share_weights(&step->updater));
    ddpm_train__lap(result, DDPM_PHASE_REDUCE, &mark);
    ddpm_watchdog_step_took(step->watchdog, ddpm_clock_seconds(begin, mark),
                            own_seconds / (double)step->count);
    const ddpm_reducer_stats after = ddpm_reducer_get_stats(step->reducer);
    result->communication_seconds = after.total_seconds - before.total_seconds;
    result->exposed_seconds = after.exposed_seconds - before.exposed_seconds;
    return DDPM_OK;
}
