/* The work of an evaluation: its unit is a call of the network, so that ranks which are asked to
 * stop, or whose job ends, do so after one. */
#include "evaluation_private.h"

#include "ddpm/base/memory.h"
#include "ddpm/dist/share.h"

#include <stdlib.h>
#include <string.h>

/* The calls of a batch: its loss in each quarter, then the bound in each stratum. */
typedef struct {
    size_t first, count; /* images */
    size_t quarter;      /* DDPM_QUARTILES: it is one of the bound */
    size_t stratum;
    size_t unit; /* of the bound, that it belongs to */
} call;

static call call_at(const ddpm_evaluator *e, size_t number)
{
    const size_t calls = ddpm_train__evaluation_calls(e), batch = number / calls;
    const size_t place = number % calls, first = batch * DDPM_BPD_BATCH, left = e->images - first;
    call at = { .first = first,
                .count = left < DDPM_BPD_BATCH ? left : DDPM_BPD_BATCH,
                .quarter = place < DDPM_QUARTILES ? place : DDPM_QUARTILES };
    if (place < DDPM_QUARTILES) return at;
    at.stratum = place - DDPM_QUARTILES;
    at.unit = batch * ddpm_bpd_segments(&e->bound) + ddpm_bpd_segment(at.stratum, &e->bound);
    return at;
}

static void evaluate(float *output, const float *xt, const float *times, void *context)
{
    const ddpm_evaluator *e = context;
    ddpm_unet_forward(e->unet, output, xt, times, e->weights, NULL);
}

static ddpm_status do_call(double *values, size_t number, void *context)
{
    ddpm_evaluator *e = context;
    const call at = call_at(e, number);
    DDPM_TRY(ddpm_dataset_read_batch(e->set, e->x0, e->labels, at.first, DDPM_BPD_BATCH));
    if (e->labels) ddpm_unet_set_classes(e->unet, e->labels);
    if (at.quarter < DDPM_QUARTILES)
        *values = ddpm_held_out_call(e->scratch, e->x0, at.first, at.count, at.quarter, &e->loss);
    else
        ddpm_bpd_call(values, e->scratch, e->x0, at.first, at.stratum, &e->bound);
    return DDPM_OK;
}

/* Rank 0 adds them up, in order. */
static ddpm_status take_call(size_t number, const double *values, void *context)
{
    ddpm_evaluator *e = context;
    if (!e->sums) return DDPM_OK;
    const call at = call_at(e, number);
    if (at.quarter < DDPM_QUARTILES)
        e->sums->losses[at.quarter] += *values;
    else
        ddpm_bpd_add(e->sums->bound + at.unit * ddpm_bpd_unit_values(&e->bound), values, at.first,
                     at.count, at.stratum, &e->bound);
    return DDPM_OK;
}

static bool go_on(void *context)
{
    const ddpm_evaluator *e = context;
    return e->may_go_on(e->may_go_on_context);
}

static const double *unit_of(size_t unit, void *context)
{
    const ddpm_evaluator *e = context;
    return e->sums->bound + unit * ddpm_bpd_unit_values(&e->bound);
}

static ddpm_status sum_bound(ddpm_evaluation *out, ddpm_evaluator *e)
{
    ddpm_bpd_summary summary;
    DDPM_TRY(ddpm_bpd_sum(&summary, e->batches, unit_of, e, &e->bound));
    out->draws = e->bound.strata_count;
    out->bits = summary.total;
    out->prior = summary.prior;
    out->decoder = summary.decoder;
    memcpy(out->middle, summary.quarter, sizeof out->middle);
    ddpm_bpd_summary_free(&summary);
    return DDPM_OK;
}

static ddpm_status sum(ddpm_evaluation *out, ddpm_evaluator *e)
{
    *out = (ddpm_evaluation){ .images = e->images,
                              .loss = ddpm_held_out_mean(e->sums->losses, e->images, e->schedule) };
    return e->strata ? sum_bound(out, e) : DDPM_OK;
}

static ddpm_status begin(ddpm_evaluator *e, ddpm_evaluation_sums *sums, const ddpm_comm *comm)
{
    if (ddpm_comm_rank(comm) == 0) {
        if (e->strata)
            DDPM_TRY(ddpm_memory_alloc(&sums->bound, ddpm_train__evaluation_kept(e),
                                       sizeof *sums->bound, DDPM_MEMORY_SCRATCH));
        e->sums = sums;
    }
    DDPM_TRY(ddpm_unet_create(&e->unet, &e->network, DDPM_BPD_BATCH, DDPM_UNET_INFERENCE));
    return ddpm_unet_freeze(e->unet, e->weights);
}

static void end(ddpm_evaluator *e, ddpm_evaluation_sums *sums)
{
    ddpm_unet_free(e->unet);
    e->unet = NULL;
    e->sums = NULL;
    ddpm_memory_free(sums->bound);
}

ddpm_status ddpm_train__evaluator_run(ddpm_evaluation *out, ddpm_evaluator *e, ddpm_comm *comm,
                                      const float *weights, ddpm_evaluation_may_go_on *may_go_on,
                                      void *context)
{
    ddpm_evaluation_sums sums = { .bound = NULL };
    e->weights = weights;
    e->may_go_on = may_go_on;
    e->may_go_on_context = context;
    e->loss.network = e->bound.network = evaluate;
    e->loss.network_context = e->bound.network_context = e;
    ddpm_status status = ddpm_comm_agree(comm, begin(e, &sums, comm));
    if (status == DDPM_OK)
        status = ddpm_share_work(
            &(ddpm_share){ .units = e->batches * ddpm_train__evaluation_calls(e),
                           .values = ddpm_train__evaluation_values(e),
                           .compute = do_call,
                           .take = take_call,
                           .go_on = go_on,
                           .context = e },
            comm);
    if (status == DDPM_OK) status = ddpm_comm_agree(comm, e->sums ? sum(out, e) : DDPM_OK);
    end(e, &sums);
    return status;
}
