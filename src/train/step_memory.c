#include "step_memory.h"

#include "ddpm/base/memory.h"
#include "ddpm/kernels/elementwise.h"

#include <string.h>

_Static_assert((int)DDPM_EMA_MOST >= (int)DDPM_CONFIG_LIST, "every rate of ema.rates has a buffer");

bool ddpm_train__is_sharded(const ddpm_config *config, int ranks)
{
    return config->dist.sharded_optimizer && ranks > 1;
}

/* Whole chunks of the gradient's norm have one owner. */
ddpm_reducer_options ddpm_train__reducer_options(const ddpm_config *config, int ranks)
{
    return (ddpm_reducer_options){
        .mpi = strcmp(config->dist.allreduce, "mpi") == 0,
        .no_thread = !config->dist.overlap,
        .flat = !config->dist.shared_memory,
        .shard_grain = ddpm_train__is_sharded(config, ranks) ? DDPM_SUM_CHUNK : 0,
    };
}

ddpm_status ddpm_train__state_memory(ddpm_state *state, const ddpm_config *config, size_t floats,
                                     int rank, int ranks)
{
    const bool sharded = ddpm_train__is_sharded(config, ranks);
    state->ema_count = config->ema.rates.count;
    for (size_t e = 0; e < state->ema_count; e++) state->ema_decay[e] = config->ema.rates.at[e];
    DDPM_TRY(ddpm_memory_alloc(&state->weights, floats, sizeof(float), DDPM_MEMORY_WEIGHTS));
    if (sharded && rank != 0) return DDPM_OK;
    const ddpm_memory_kind moments = sharded ? DDPM_MEMORY_CHECKPOINT : DDPM_MEMORY_OPTIMIZER;
    const ddpm_memory_kind averages = sharded ? DDPM_MEMORY_CHECKPOINT : DDPM_MEMORY_EMA;
    DDPM_TRY(ddpm_memory_alloc(&state->m, floats, sizeof(float), moments));
    DDPM_TRY(ddpm_memory_alloc(&state->v, floats, sizeof(float), moments));
    for (size_t e = 0; e < state->ema_count; e++)
        DDPM_TRY(ddpm_memory_alloc(&state->ema[e], floats, sizeof(float), averages));
    return DDPM_OK;
}

void ddpm_train__state_memory_free(ddpm_state *state)
{
    ddpm_memory_free(state->weights);
    ddpm_memory_free(state->m);
    ddpm_memory_free(state->v);
    for (size_t e = 0; e < state->ema_count; e++) ddpm_memory_free(state->ema[e]);
    ddpm_memory_free(state->importance);
}

ddpm_status ddpm_train__step_memory(ddpm_step_memory *memory, const ddpm_config *config,
                                    size_t image_floats, size_t outputs)
{
    const size_t n = (size_t)config->train.micro_batch;
    const size_t floats = ddpm_size_mul(n, image_floats);
    const ddpm_memory_kind kind = DDPM_MEMORY_SCRATCH;
    DDPM_TRY(ddpm_memory_alloc(&memory->xt, floats, sizeof *memory->xt, kind));
    DDPM_TRY(ddpm_memory_alloc(&memory->eps, floats, sizeof *memory->eps, kind));
    DDPM_TRY(ddpm_memory_alloc(&memory->target, floats, sizeof *memory->target, kind));
    DDPM_TRY(ddpm_memory_alloc(&memory->output, floats, outputs * sizeof *memory->output, kind));
    memory->said = memory->output;
    if (outputs > 1) {
        DDPM_TRY(ddpm_memory_alloc(&memory->said, floats, sizeof *memory->said, kind));
        DDPM_TRY(ddpm_memory_alloc(&memory->variance, floats, sizeof *memory->variance, kind));
    }
    DDPM_TRY(ddpm_memory_alloc(&memory->network_t, n, sizeof *memory->network_t, kind));
    DDPM_TRY(ddpm_memory_alloc(&memory->level, n, sizeof *memory->level, kind));
    DDPM_TRY(ddpm_memory_alloc(&memory->class, n, sizeof *memory->class, kind));
    DDPM_TRY(ddpm_memory_alloc(&memory->weight, n, sizeof *memory->weight, kind));
    return ddpm_memory_alloc(&memory->per_image, n, sizeof *memory->per_image, kind);
}

void ddpm_train__step_memory_free(ddpm_step_memory *memory)
{
    if (memory->said != memory->output) ddpm_memory_free(memory->said);
    ddpm_memory_free(memory->xt);
    ddpm_memory_free(memory->eps);
    ddpm_memory_free(memory->target);
    ddpm_memory_free(memory->output);
    ddpm_memory_free(memory->variance);
    ddpm_memory_free(memory->network_t);
    ddpm_memory_free(memory->level);
    ddpm_memory_free(memory->class);
    ddpm_memory_free(memory->weight);
    ddpm_memory_free(memory->per_image);
}
