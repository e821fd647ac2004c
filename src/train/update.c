#include "update.h"

#include "ddpm/base/memory.h"
#include "ddpm/kernels/elementwise.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

ddpm_status ddpm_train__updater_create(ddpm_updater *updater, ddpm_comm *comm,
                                       ddpm_reducer *reducer, ddpm_state *state, size_t floats,
                                       bool sharded)
{
    *updater = (ddpm_updater){
        .sharded = sharded, .comm = comm, .reducer = reducer, .state = state, .floats = floats
    };
    if (!sharded) return DDPM_OK;
    const ddpm_span *span;
    size_t own;
    ddpm_reducer_shard(reducer, &span, &own);
    updater->squares = calloc(floats / DDPM_SUM_CHUNK + 1, sizeof *updater->squares);
    if (!updater->squares) return ddpm_fail(DDPM_EOS, "no memory for the gradient's norm");
    DDPM_TRY(ddpm_memory_alloc(&updater->m, own, sizeof(float), DDPM_MEMORY_OPTIMIZER));
    DDPM_TRY(ddpm_memory_alloc(&updater->v, own, sizeof(float), DDPM_MEMORY_OPTIMIZER));
    for (size_t e = 0; e < state->ema_count; e++)
        DDPM_TRY(ddpm_memory_alloc(&updater->ema[e], own, sizeof(float), DDPM_MEMORY_EMA));
    return DDPM_OK;
}

void ddpm_train__updater_free(ddpm_updater *updater)
{
    free(updater->squares);
    ddpm_memory_free(updater->m);
    ddpm_memory_free(updater->v);
    for (size_t e = 0; e < DDPM_EMA_MOST; e++) ddpm_memory_free(updater->ema[e]);
}

/* The spans that this rank owns, and where they lie in a shard. */
typedef struct {
    const ddpm_span *span;
    size_t count, floats;
} shard;

static shard own_shard(const ddpm_updater *updater)
{
    shard own;
    own.count = ddpm_reducer_shard(updater->reducer, &own.span, &own.floats);
    return own;
}

static void copy_from_flat(const ddpm_updater *updater, float *part, const float *flat)
{
    const shard own = own_shard(updater);
    for (size_t k = 0; k < own.count; part += own.span[k].count, k++)
        memcpy(part, flat + own.span[k].offset, own.span[k].count * sizeof *part);
}

static void copy_to_flat(const ddpm_updater *updater, float *flat, const float *part)
{
    const shard own = own_shard(updater);
    for (size_t k = 0; k < own.count; part += own.span[k].count, k++)
        memcpy(flat + own.span[k].offset, part, own.span[k].count * sizeof *part);
}

void ddpm_train__updater_init(ddpm_updater *updater)
{
    ddpm_state *state = updater->state;
    const size_t floats = updater->sharded ? own_shard(updater).floats : updater->floats;
    memset(updater->sharded ? updater->m : state->m, 0, floats * sizeof *state->m);
    memset(updater->sharded ? updater->v : state->v, 0, floats * sizeof *state->v);
    for (size_t e = 0; e < state->ema_count; e++) {
        if (updater->sharded)
            copy_from_flat(updater, updater->ema[e], state->weights);
        else
            memcpy(state->ema[e], state->weights, floats * sizeof *state->weights);
    }
}

ddpm_status ddpm_train__gradient_norm(double *norm, ddpm_updater *updater, const float *gradient)
{
    if (!updater->sharded) {
        *norm = sqrt(ddpm_sum_squares(gradient, updater->floats));
        return DDPM_OK;
    }
    const shard own = own_shard(updater);
    const size_t chunks = (updater->floats + DDPM_SUM_CHUNK - 1) / DDPM_SUM_CHUNK;
    double sum = 0.0;
    memset(updater->squares, 0, chunks * sizeof *updater->squares);
    for (size_t k = 0; k < own.count; k++) /* spans begin with chunks */
        ddpm_sum_squares_chunks(updater->squares + own.span[k].offset / DDPM_SUM_CHUNK,
                                gradient + own.span[k].offset, own.span[k].count);
    DDPM_TRY(ddpm_reducer_merge_f64(updater->reducer, updater->squares, chunks));
    for (size_t k = 0; k < chunks; k++) sum += updater->squares[k];
    *norm = sqrt(sum);
    return DDPM_OK;
}

void ddpm_train__update(ddpm_updater *updater, const float *gradient, const ddpm_adam *adam)
{
    ddpm_state *state = updater->state;
    ddpm_ema ema = { .count = state->ema_count };
    memcpy(ema.decay, state->ema_decay, sizeof ema.decay);
    if (!updater->sharded) {
        memcpy(ema.average, state->ema, sizeof ema.average);
        ddpm_adam_ema_step(state->weights, state->m, state->v, gradient, updater->floats, adam,
                           &ema);
        return;
    }
    const shard own = own_shard(updater);
    for (size_t k = 0, at = 0; k < own.count; at += own.span[k].count, k++) {
        const ddpm_span span = own.span[k];
        for (size_t e = 0; e < ema.count; e++) ema.average[e] = updater->ema[e] + at;
        ddpm_adam_ema_step(state->weights + span.offset, updater->m + at, updater->v + at,
                           gradient + span.offset, span.count, adam, &ema);
    }
}

ddpm_status ddpm_train__share_weights(ddpm_updater *updater)
{
    return updater->sharded ? ddpm_reducer_gather(updater->reducer, updater->state->weights)
                            : DDPM_OK;
}

ddpm_status ddpm_train__collect(ddpm_updater *updater)
{
    if (!updater->sharded) return DDPM_OK;
    ddpm_state *state = updater->state; /* NULL where this is not rank 0 */
    DDPM_TRY(ddpm_reducer_collect(updater->reducer, state->m, updater->m));
    DDPM_TRY(ddpm_reducer_collect(updater->reducer, state->v, updater->v));
    for (size_t e = 0; e < state->ema_count; e++)
        DDPM_TRY(ddpm_reducer_collect(updater->reducer, state->ema[e], updater->ema[e]));
    return DDPM_OK;
}

static ddpm_status spread(ddpm_updater *updater, float *part, float *flat)
{
    return updater->sharded
               ? ddpm_reducer_scatter(updater->reducer, part, flat)
               : ddpm_comm_broadcast(updater->comm, flat, updater->floats * sizeof *flat, 0);
}

ddpm_status ddpm_train__spread(ddpm_updater *updater)
{
    ddpm_state *state = updater->state;
    DDPM_TRY(ddpm_comm_broadcast(updater->comm, state->weights,
                                 updater->floats * sizeof *state->weights, 0));
    DDPM_TRY(spread(updater, updater->m, state->m));
    DDPM_TRY(spread(updater, updater->v, state->v));
    for (size_t e = 0; e < state->ema_count; e++)
        DDPM_TRY(spread(updater, updater->ema[e], state->ema[e]));
    return DDPM_OK;
}

ddpm_status ddpm_train__whole_average(const float **flat, ddpm_updater *updater, size_t e)
{
    *flat = updater->state->ema[e];
    if (!updater->sharded) return DDPM_OK;
    float *whole = ddpm_reducer_buffer(updater->reducer);
    *flat = whole;
    copy_to_flat(updater, whole, updater->ema[e]);
    return ddpm_reducer_gather(updater->reducer, whole);
}
