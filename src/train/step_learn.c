/* What a step learns from one micro-batch: noise, the network, the loss, and all the way back. */
#include "step_internal.h"

#include "ddpm/base/philox.h"
#include "ddpm/diffusion/process.h"

void ddpm_train__draw_classes(int64_t *class, const int64_t *label, const uint64_t *sample_index,
                              size_t n, const ddpm_config *config)
{
    for (size_t i = 0; i < n; i++) {
        const ddpm_random random = { .seed = (uint64_t)config->train.seed,
                                     .index = sample_index[i],
                                     .purpose = DDPM_RANDOM_LABEL };
        float u; /* in (0, 1] */
        ddpm_random_uniform(&u, 1, &random);
        const bool dropped = (double)u <= config->train.label_dropout;
        class[i] = dropped ? config->model.classes : label[i];
    }
}

static void add_noise(ddpm_step *step, const ddpm_batch *batch)
{
    const ddpm_step_memory *memory = &step->memory;
    const size_t n = (size_t)step->config.train.micro_batch, d = step->image_floats;
    ddpm_draw_levels(memory->level, memory->weight, batch->sample_index, n, &step->levels);
    ddpm_draw_noise(memory->eps, batch->sample_index, n, d, (uint64_t)step->config.train.seed);
    ddpm_q_sample(memory->xt, batch->x, memory->eps, memory->level, n, d);
    for (size_t i = 0; i < n; i++) memory->network_t[i] = (float)memory->level[i].network;
}

static void ask_network(ddpm_step *step, const ddpm_batch *batch)
{
    const ddpm_step_memory *memory = &step->memory;
    const ddpm_unet_dropout dropout = { .seed = (uint64_t)step->config.train.seed,
                                        .sample_index = batch->sample_index };
    if (step->config.model.classes > 0) {
        ddpm_train__draw_classes(memory->class, batch->label, batch->sample_index,
                                 (size_t)step->config.train.micro_batch, &step->config);
        ddpm_unet_set_classes(step->unet, memory->class);
    }
    ddpm_unet_forward(step->unet, memory->output, memory->xt, memory->network_t,
                      step->state.weights, step->config.model.dropout > 0.0 ? &dropout : NULL);
}

/* The loss of each image, and its gradient in place of what the network said. */
static void take_loss(ddpm_step *step, const ddpm_batch *batch)
{
    const ddpm_step_memory *memory = &step->memory;
    const size_t n = (size_t)step->config.train.micro_batch, d = step->image_floats;
    const size_t channels = ddpm_unet_get_config(step->unet)->in_channels,
                 pixels = n * d / channels;
    if (memory->variance)
        ddpm_variance_split(memory->said, memory->variance, memory->output, pixels, channels);
    const ddpm_lesson lesson = { .n = n,
                                 .d = d,
                                 .x0 = batch->x,
                                 .eps = memory->eps,
                                 .xt = memory->xt,
                                 .level = memory->level,
                                 .weight = memory->weight,
                                 .said = memory->said,
                                 .said_variance = memory->variance };
    ddpm_objective_loss(memory->per_image, memory->said, memory->variance, memory->target, &lesson,
                        1.0 / (double)step->config.train.batch, &step->objective);
    if (memory->variance)
        ddpm_variance_join(memory->output, memory->said, memory->variance, pixels, channels);
}

/* The loss of each image, and into the quarter of T that its t lies in. */
static void add_losses(const ddpm_step *step, double *sums, const uint64_t *sample_index)
{
    const ddpm_step_memory *memory = &step->memory;
    const size_t batch = (size_t)step->config.train.batch;
    for (size_t n = 0; n < (size_t)step->config.train.micro_batch; n++) {
        const size_t t = memory->level[n].index,
                     quartile = t * DDPM_QUARTILES / step->schedule->steps;
        sums[DDPM_SUM_LOSS] += memory->weight[n] * memory->per_image[n];
        sums[DDPM_SUM_ERROR + quartile] += memory->per_image[n];
        sums[DDPM_SUM_IMAGES + quartile] += 1.0;
        if (!step->losses) continue;
        step->losses[sample_index[n] % batch] = memory->per_image[n];
        step->losses[batch + sample_index[n] % batch] = (double)t;
    }
}

static void tell_reducer(void *context, size_t offset, size_t count)
{
    const ddpm_step *step = context;
    ddpm_watchdog_beat(step->watchdog);
    ddpm_reducer_leaf_ready(step->reducer, offset, count);
}

void ddpm_train__learn_from(ddpm_step *step, ddpm_step_result *result, uint64_t *mark, float *leaf,
                            double *sums, const ddpm_batch *batch)
{
    ddpm_train__at(step, DDPM_AT_NOISE);
    add_noise(step, batch);
    ddpm_train__lap(result, DDPM_PHASE_NOISE, mark);
    ddpm_train__at(step, DDPM_AT_FORWARD);
    ask_network(step, batch);
    ddpm_train__lap(result, DDPM_PHASE_FORWARD, mark);
    ddpm_train__at(step, DDPM_AT_BACKWARD);
    take_loss(step, batch);
    add_losses(step, sums, batch->sample_index);
    ddpm_unet_backward(step->unet, leaf, NULL, step->memory.output, step->state.weights,
                       tell_reducer, step);
    ddpm_train__lap(result, DDPM_PHASE_BACKWARD, mark);
}
