#include "evaluation_private.h"

#include "ddpm/base/memory.h"
#include "ddpm/dist/share.h"
#include "ddpm/train/model.h"

#include <stdlib.h>
#include <string.h>

static const uint64_t seed = 0; /* of every run, so that runs can be compared */

/* What is evaluated of each image, which takes no data to say. */
static ddpm_status plan(ddpm_evaluator *e, const ddpm_config *config)
{
    DDPM_TRY(ddpm_model_unet_config(&e->network, config));
    DDPM_TRY(ddpm_model_schedule(&e->schedule, config));
    DDPM_TRY(ddpm_model_objective(&e->objective, config, e->schedule));
    const size_t channels = e->network.in_channels;
    const size_t d = e->network.height * e->network.width * channels;
    e->loss = (ddpm_held_out_options){ .objective = &e->objective,
                                       .seed = seed,
                                       .batch = DDPM_BPD_BATCH,
                                       .d = d,
                                       .channels = channels };
    if (e->schedule->is_flow || config->eval.draws == 0) return DDPM_OK;
    e->bound = (ddpm_bpd_options){ .schedule = e->schedule,
                                   .trained = e->schedule,
                                   .prediction = e->objective.prediction,
                                   .variance = e->objective.variance,
                                   .clip = true,
                                   .seed = seed,
                                   .batch = DDPM_BPD_BATCH,
                                   .d = d,
                                   .channels = channels };
    const size_t steps = e->schedule->steps, wanted = (size_t)config->eval.draws;
    DDPM_TRY(ddpm_bpd_check(&e->bound));
    DDPM_TRY(
        ddpm_bpd_strata(&e->strata, &e->bound.strata_count, steps, wanted < steps ? wanted : 0));
    e->bound.strata = e->strata;
    return DDPM_OK;
}

static size_t scratch_floats(const ddpm_evaluator *e)
{
    const size_t loss = ddpm_held_out_scratch_floats(&e->loss);
    const size_t bound = e->strata ? ddpm_bpd_scratch_floats(&e->bound) : 0;
    return loss > bound ? loss : bound;
}

size_t ddpm_train__evaluation_calls(const ddpm_evaluator *e)
{
    return DDPM_QUARTILES + e->bound.strata_count;
}

size_t ddpm_train__evaluation_values(const ddpm_evaluator *e)
{
    return e->strata ? ddpm_bpd_call_values(&e->bound) : 1;
}

size_t ddpm_train__evaluation_kept(const ddpm_evaluator *e)
{
    if (!e->strata) return 0;
    return e->batches * ddpm_bpd_segments(&e->bound) * ddpm_bpd_unit_values(&e->bound);
}

/* Of a set of `there` images. */
static void choose_images(ddpm_evaluator *e, size_t there)
{
    const size_t wanted = (size_t)e->config->eval.images;
    e->images = wanted > 0 && wanted < there ? wanted : there;
    e->batches = (e->images + DDPM_BPD_BATCH - 1) / DDPM_BPD_BATCH;
}

static ddpm_status open_set(ddpm_evaluator *e, const ddpm_dataset_info *training)
{
    const ddpm_config *config = e->config;
    DDPM_TRY(ddpm_dataset_open(&e->set, config->eval.data));
    const ddpm_dataset_info *info = ddpm_dataset_get_info(e->set);
    DDPM_TRY(ddpm_model_check_held_out(config, info, training));
    choose_images(e, info->shape.n);
    return DDPM_OK;
}

static ddpm_status allocate(ddpm_evaluator *e)
{
    const size_t batch = DDPM_BPD_BATCH;
    DDPM_TRY(ddpm_memory_alloc(&e->x0, batch, e->loss.d * sizeof(float), DDPM_MEMORY_SCRATCH));
    DDPM_TRY(ddpm_memory_alloc(&e->scratch, scratch_floats(e), sizeof(float), DDPM_MEMORY_SCRATCH));
    if (e->network.classes == 0) return DDPM_OK;
    return ddpm_memory_alloc(&e->labels, batch, sizeof(int64_t), DDPM_MEMORY_SCRATCH);
}

ddpm_status ddpm_train__evaluator_create(ddpm_evaluator **out, const ddpm_config *config,
                                         const ddpm_dataset_info *training)
{
    ddpm_evaluator *e = calloc(1, sizeof *e);
    if (!e) return ddpm_fail(DDPM_EOS, "no memory for an evaluator");
    e->config = config;
    ddpm_status status = plan(e, config);
    if (status == DDPM_OK) status = open_set(e, training);
    if (status == DDPM_OK) status = allocate(e);
    if (status == DDPM_OK)
        *out = e;
    else
        ddpm_train__evaluator_free(e);
    return status;
}

static void free_plan(ddpm_evaluator *e)
{
    ddpm_schedule_free(e->schedule);
    free(e->strata);
}

void ddpm_train__evaluator_free(ddpm_evaluator *e)
{
    if (!e) return;
    free_plan(e);
    ddpm_dataset_close(e->set);
    ddpm_memory_free(e->x0);
    ddpm_memory_free(e->scratch);
    ddpm_memory_free(e->labels);
    free(e);
}

const ddpm_dataset_info *ddpm_train__evaluator_data(const ddpm_evaluator *e)
{
    return ddpm_dataset_get_info(e->set);
}

size_t ddpm_train__evaluator_images(const ddpm_evaluator *e)
{
    return e->images;
}

uint64_t ddpm_train__evaluator_data_bytes(const ddpm_evaluator *e)
{
    return ddpm_dataset_memory_bytes(e->set);
}

/* Numbers, not floats: what rank 0 gets from all ranks in a round, and what it keeps. */
static uint64_t numbers(const ddpm_evaluator *e, int ranks)
{
    return ddpm_share_numbers(ddpm_train__evaluation_values(e), (size_t)ranks) +
           ddpm_train__evaluation_kept(e);
}

ddpm_status ddpm_train__evaluation_needs(uint64_t *network_bytes, uint64_t *scratch_bytes,
                                         const ddpm_config *config, const ddpm_unet_config *unet,
                                         uint64_t images, int ranks)
{
    ddpm_evaluator e = { .config = config };
    ddpm_unet_needs needs;
    ddpm_status status = ddpm_unet_plan(&needs, unet, DDPM_BPD_BATCH, DDPM_UNET_INFERENCE);
    if (status == DDPM_OK) status = plan(&e, config);
    if (status == DDPM_OK) {
        choose_images(&e, images > 0 ? images : (size_t)config->eval.images);
        const uint64_t floats = DDPM_BPD_BATCH * e.loss.d + scratch_floats(&e);
        *network_bytes = needs.activation_bytes;
        *scratch_bytes = needs.scratch_bytes + floats * sizeof(float) +
                         numbers(&e, ranks) * sizeof(double);
    }
    free_plan(&e);
    return status;
}
