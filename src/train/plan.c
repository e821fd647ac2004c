#include "ddpm/train/plan.h"

#include "ddpm/base/text.h"
#include "ddpm/dist/reducer.h"
#include "ddpm/train/checkpoint.h"
#include "ddpm/train/model.h"
#include "ddpm/train/sample.h"
#include "evaluation.h"
#include "step_memory.h"

#include <inttypes.h>

/* Partial sums of gradients depend on how a rank's leaves lie in the tree, shards on its number. */
static ddpm_status add_state(ddpm_plan *plan, const ddpm_config *config, int ranks)
{
    const ddpm_reducer_options options = ddpm_train__reducer_options(config, ranks);
    const uint64_t flat = plan->needs.param_floats * sizeof(float);
    const bool sharded = ddpm_train__is_sharded(config, ranks);
    uint64_t kept = sharded ? 0 : flat; /* of each part of the optimiser's state */
    uint64_t *gradients = &plan->memory_bytes[DDPM_MEMORY_GRADIENTS];
    uint64_t *exchange = &plan->memory_bytes[DDPM_MEMORY_COMMUNICATION];
    for (int r = 0; r < ranks; r++) {
        size_t first, count;
        ddpm_reducer_needs needs;
        DDPM_TRY(ddpm_reducer_plan(&needs, plan->needs.param_floats, plan->micro_batches, r, ranks,
                                   &options));
        if (needs.gradient_bytes > *gradients) *gradients = needs.gradient_bytes;
        if (needs.exchange_bytes > *exchange) *exchange = needs.exchange_bytes;
        if (sharded && needs.shard_floats * sizeof(float) > kept)
            kept = needs.shard_floats * sizeof(float);
        ddpm_reducer_interval(&first, &count, plan->micro_batches, r, ranks);
        if (count > plan->rank_micro_batches) plan->rank_micro_batches = count;
    }
    plan->memory_bytes[DDPM_MEMORY_WEIGHTS] = flat;
    plan->memory_bytes[DDPM_MEMORY_OPTIMIZER] = 2 * kept;
    plan->memory_bytes[DDPM_MEMORY_EMA] = config->ema.rates.count * kept;
    return DDPM_OK;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static ddpm_status add_networks(ddpm_plan *plan, const ddpm_config *config, int ranks,
                                uint64_t held_out_images)
{
    uint64_t *activations = &plan->memory_bytes[DDPM_MEMORY_ACTIVATIONS];
    uint64_t *scratch = &plan->memory_bytes[DDPM_MEMORY_SCRATCH];
    const uint64_t image = plan->unet.height * plan->unet.width * plan->unet.in_channels;
    const uint64_t micro_batch = (uint64_t)config->train.micro_batch;
    *activations = plan->needs.activation_bytes;
    *scratch = plan->needs.scratch_bytes +
               DDPM_STEP_IMAGE_BUFFERS * micro_batch * image * sizeof(float);
    ddpm_unet_needs drawing = { .activation_bytes = 0 };
    uint64_t network_bytes = 0, scratch_bytes = 0;
    if (config->sample.every > 0)
        DDPM_TRY(ddpm_unet_plan(&drawing, &plan->unet, DDPM_SAMPLE_BATCH, DDPM_UNET_INFERENCE));
    if (config->eval.every > 0)
        DDPM_TRY(ddpm_train__evaluation_needs(&network_bytes, &scratch_bytes, config, &plan->unet,
                                              held_out_images, ranks));
    /* One after the other. */
    *activations += larger(drawing.activation_bytes, network_bytes);
    *scratch += larger(drawing.scratch_bytes, scratch_bytes);
    return DDPM_OK;
}

static void add_data(ddpm_plan *plan, const ddpm_config *config, uint64_t data_bytes)
{
    const uint64_t image_bytes = plan->unet.height * plan->unet.width * plan->unet.in_channels *
                                 sizeof(float);
    const uint64_t read_ahead = (uint64_t)config->data.prefetch + 1;
    plan->memory_bytes[DDPM_MEMORY_DATA] = data_bytes + read_ahead *
                                                            (uint64_t)config->train.micro_batch *
                                                            image_bytes;
    if (config->sample.every > 0)
        plan->memory_bytes[DDPM_MEMORY_DATA] += (uint64_t)config->sample.count * image_bytes;
}

static void add_checkpoint(ddpm_plan *plan, const ddpm_config *config, int ranks)
{
    const ddpm_params table = { .count = plan->needs.tensors,
                                .total = plan->needs.param_floats,
                                .parameters = plan->needs.parameters };
    plan->checkpoint_bytes = ddpm_checkpoint_bytes(&table, config->ema.rates.count);
    /* The copy of the state, the file built from it, and where there are shards, these collected.
     */
    const uint64_t flat = plan->needs.param_floats * sizeof(float);
    const uint64_t rates = config->ema.rates.count;
    plan->memory_bytes[DDPM_MEMORY_CHECKPOINT] = (3 + rates) * flat + plan->checkpoint_bytes;
    if (ddpm_train__is_sharded(config, ranks))
        plan->memory_bytes[DDPM_MEMORY_CHECKPOINT] += (2 + rates) * flat;
}

ddpm_status ddpm_plan_make(ddpm_plan *plan, const ddpm_config *config, int ranks,
                           const ddpm_plan_data *data)
{
    *plan = (ddpm_plan){ .micro_batches = (uint64_t)(config->train.batch /
                                                     config->train.micro_batch) };
    if ((uint64_t)ranks > plan->micro_batches)
        return ddpm_fail(DDPM_ECONFIG,
                         "%d ranks, but train.batch = %" PRId64 " and train.micro_batch = %" PRId64
                         " make %" PRIu64 " micro-batches a step, and every rank needs one: start "
                         "at most %" PRIu64 " ranks, or make train.batch larger or "
                         "train.micro_batch smaller",
                         ranks, config->train.batch, config->train.micro_batch, plan->micro_batches,
                         plan->micro_batches);
    DDPM_TRY(ddpm_model_unet_config(&plan->unet, config));
    DDPM_TRY(ddpm_unet_plan(&plan->needs, &plan->unet, (size_t)config->train.micro_batch,
                            DDPM_UNET_TRAINING));
    plan->parameters = plan->needs.parameters;
    DDPM_TRY(add_state(plan, config, ranks));
    DDPM_TRY(add_networks(plan, config, ranks, data ? data->held_out_images : 0));
    add_data(plan, config, data ? data->bytes : 0);
    add_checkpoint(plan, config, ranks);
    for (ddpm_memory_kind kind = 0; kind < DDPM_MEMORY_KINDS; kind++)
        plan->memory_total_bytes += plan->memory_bytes[kind];
    return DDPM_OK;
}

ddpm_status ddpm_plan_check_memory(const ddpm_plan *plan, int ranks_on_node)
{
    const uint64_t limit = ddpm_memory_limit_bytes();
    const uint64_t checkpoint = plan->memory_bytes[DDPM_MEMORY_CHECKPOINT];
    const uint64_t others = plan->memory_total_bytes - checkpoint;
    const uint64_t wanted = others * (uint64_t)ranks_on_node + checkpoint;
    if (wanted <= limit) return DDPM_OK;
    char total[32], rank[32], most[32], activations[32];
    return ddpm_fail(DDPM_EOS,
                     "%d ranks on this node need %s in all (%s each, %s of it activations), and "
                     "%s may be used: start fewer ranks a node with more threads each, or make "
                     "train.micro_batch smaller; `ddpm-dist plan` shows what goes where",
                     ranks_on_node, ddpm_text_bytes(total, wanted), ddpm_text_bytes(rank, others),
                     ddpm_text_bytes(activations, plan->memory_bytes[DDPM_MEMORY_ACTIVATIONS]),
                     ddpm_text_bytes(most, limit));
}
