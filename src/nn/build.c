#include "build.h"

#include "ddpm/base/memory.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

/* Tensors begin on a cache line. */
enum { PARAM_ALIGNMENT_FLOATS = DDPM_ALIGNMENT_BYTES / sizeof(float) };

void ddpm_nn__build_init(ddpm_nn__build *build, bool training)
{
    *build = (ddpm_nn__build){ .status = DDPM_OK, .training = training };
}

static ddpm_status reserve_row(ddpm_nn__build *build)
{
    if (build->params.count < build->params_capacity) return DDPM_OK;
    const size_t capacity = build->params_capacity ? 2 * build->params_capacity : 64;
    ddpm_param *param = realloc(build->params.param, capacity * sizeof *param);
    if (!param) return ddpm_fail(DDPM_EOS, "out of memory: a table of %zu parameters", capacity);
    build->params.param = param;
    build->params_capacity = capacity;
    return DDPM_OK;
}

size_t ddpm_nn__add_param(ddpm_nn__build *build, const ddpm_param *row, const char *prefix,
                          const char *layer, const char *kind)
{
    if (build->status == DDPM_OK) build->status = reserve_row(build);
    if (build->status != DDPM_OK) return 0;
    ddpm_params *params = &build->params;
    ddpm_param *added = &params->param[params->count++];
    *added = *row;
    const int length = snprintf(added->name, sizeof added->name, "%s%s%s.%s", prefix,
                                *prefix ? "." : "", layer, kind);
    assert(length > 0 && (size_t)length < sizeof added->name);
    (void)length;
    added->offset = params->total;
    added->count = 1;
    for (size_t i = 0; i < row->rank; i++) added->count *= row->shape[i];
    const size_t unit = PARAM_ALIGNMENT_FLOATS;
    params->total += (added->count + unit - 1) / unit * unit;
    params->parameters += added->count;
    return added->offset;
}

size_t ddpm_nn__add_buffer(ddpm_nn__build *build, size_t bytes, ddpm_nn__life life)
{
    if (build->status != DDPM_OK) return DDPM_NN__NO_BUFFER;
    if (life == DDPM_NN__BACKWARD && !build->training) return DDPM_NN__NO_BUFFER;
    const size_t forward = build->operation, backward = ddpm_nn__backward_step(forward);
    const size_t first = life == DDPM_NN__BACKWARD ? backward : forward;
    const size_t last = life == DDPM_NN__FORWARD || !build->training ? forward : backward;
    size_t id = DDPM_NN__NO_BUFFER;
    build->status = ddpm_nn__plan_add(&id, &build->plan, bytes, first, last);
    return id;
}

size_t ddpm_nn__add_floats(ddpm_nn__build *build, size_t count, ddpm_nn__life life)
{
    return ddpm_nn__add_buffer(build, count * sizeof(float), life);
}

size_t ddpm_nn__add_again(ddpm_nn__build *build, size_t forward)
{
    if (build->status != DDPM_OK || !build->training || forward == DDPM_NN__NO_BUFFER)
        return DDPM_NN__NO_BUFFER;
    if (!build->keep)
        return ddpm_nn__add_buffer(build, build->plan.buffer[forward].bytes, DDPM_NN__BACKWARD);
    ddpm_nn__plan_extend(&build->plan, forward, ddpm_nn__backward_step(build->operation));
    return forward;
}

void ddpm_nn__add_scratch(ddpm_nn__build *build, size_t bytes)
{
    if (bytes > build->scratch_bytes) build->scratch_bytes = bytes;
}

ddpm_status ddpm_nn__build_finish(ddpm_nn__build *build)
{
    if (build->status == DDPM_OK) build->status = ddpm_nn__plan_place(&build->plan);
    return build->status;
}

void ddpm_nn__build_free(ddpm_nn__build *build)
{
    free(build->params.param);
    ddpm_nn__plan_free(&build->plan);
    *build = (ddpm_nn__build){ 0 };
}

ddpm_status ddpm_nn__run_create(ddpm_nn__run *run, const ddpm_nn__build *build)
{
    *run = (ddpm_nn__run){ .buffer = build->plan.buffer };
    ddpm_status status = ddpm_memory_alloc((void *)&run->arena, build->plan.arena_bytes, 1,
                                           DDPM_MEMORY_ACTIVATIONS);
    if (status == DDPM_OK)
        status = ddpm_memory_alloc((void *)&run->scratch, build->scratch_bytes, 1,
                                   DDPM_MEMORY_SCRATCH);
    if (status != DDPM_OK) ddpm_nn__run_free(run);
    return status;
}

void ddpm_nn__run_free(ddpm_nn__run *run)
{
    ddpm_memory_free(run->arena);
    ddpm_memory_free(run->scratch);
    *run = (ddpm_nn__run){ 0 };
}
