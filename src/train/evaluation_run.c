/* The work of an evaluation: a unit a rank and round, in turn. */
#include "evaluation_private.h"

#include "ddpm/base/memory.h"

#include <stdlib.h>
#include <string.h>

/* What a rank sends after a round: whether it failed or is asked to stop, and a unit's numbers. */
enum { FAILED, STOPPED, VALUES };

/* Once this rank is asked to stop nothing more is computed: what comes out is dropped. */
static void evaluate(float *output, const float *xt, const float *times, void *context)
{
    ddpm_evaluator *e = context;
    e->stopped = e->stopped || !e->may_go_on(e->may_go_on_context);
    if (e->stopped)
        memset(output, 0,
               DDPM_BPD_BATCH * e->loss.d * (e->network.out_channels / e->network.in_channels) *
                   sizeof *output);
    else
        ddpm_unet_forward(e->unet, output, xt, times, e->weights, NULL);
}

/* Images first .. first + batch - 1; past the end of the set the last one again. */
static ddpm_status read_images(ddpm_evaluator *e, uint64_t first)
{
    uint64_t index[DDPM_BPD_BATCH];
    const uint64_t last = ddpm_dataset_get_info(e->set)->shape.n - 1;
    for (size_t i = 0; i < DDPM_BPD_BATCH; i++) index[i] = first + i < last ? first + i : last;
    DDPM_TRY(ddpm_dataset_read(e->set, e->x0, e->labels, index, NULL, DDPM_BPD_BATCH));
    if (e->labels) ddpm_unet_set_classes(e->unet, e->labels);
    return DDPM_OK;
}

static ddpm_status do_unit(double *values, ddpm_evaluator *e, size_t unit)
{
    const size_t segments = ddpm_train__evaluation_segments(e), segment = unit % segments;
    const size_t first = unit / segments * DDPM_BPD_BATCH, left = e->images - first;
    const size_t count = left < DDPM_BPD_BATCH ? left : DDPM_BPD_BATCH;
    DDPM_TRY(read_images(e, first));
    if (segment == 0) ddpm_held_out_unit(values, e->scratch, e->x0, first, count, &e->loss);
    if (e->strata)
        ddpm_bpd_unit(values + DDPM_QUARTILES, e->scratch, e->x0, first, count, segment, &e->bound);
    return DDPM_OK;
}

/* Rank 0 keeps the numbers of all units in `kept`; NULL elsewhere. `row` and `rows` [ranks] have
 * VALUES more than a unit. */
typedef struct {
    double *kept, *row, *rows;
    size_t width;
} store;

static ddpm_status do_round(store *to, ddpm_evaluator *e, ddpm_comm *comm, size_t begin)
{
    const size_t ranks = (size_t)ddpm_comm_size(comm), unit = begin + (size_t)ddpm_comm_rank(comm);
    const size_t width = to->width, row = VALUES + width;
    ddpm_status status = DDPM_OK;
    memset(to->row, 0, row * sizeof *to->row);
    if (unit < e->units && !e->stopped) status = do_unit(to->row + VALUES, e, unit);
    to->row[FAILED] = status != DDPM_OK;
    to->row[STOPPED] = e->stopped;
    DDPM_TRY(ddpm_comm_allgather_f64(comm, to->rows, to->row, row));
    for (size_t r = 0; r < ranks; r++)
        if (to->rows[r * row + FAILED] != 0.0) return ddpm_comm_agree(comm, status);
    for (size_t r = 0; r < ranks; r++) {
        if (to->rows[r * row + STOPPED] != 0.0)
            return ddpm_fail(DDPM_EAGAIN, "the evaluation was stopped");
        if (to->kept && begin + r < e->units)
            memcpy(to->kept + (begin + r) * width, to->rows + r * row + VALUES,
                   width * sizeof *to->kept);
    }
    return DDPM_OK;
}

static const double *unit_of(size_t unit, void *context)
{
    const store *from = context;
    return from->kept + unit * from->width + DDPM_QUARTILES;
}

static ddpm_status sum_bound(ddpm_evaluation *out, const ddpm_evaluator *e, store *from)
{
    ddpm_bpd_summary summary;
    const size_t batches = e->units / ddpm_train__evaluation_segments(e);
    DDPM_TRY(ddpm_bpd_sum(&summary, batches, unit_of, from, &e->bound));
    out->draws = e->bound.strata_count;
    out->bits = summary.total;
    out->prior = summary.prior;
    out->decoder = summary.decoder;
    memcpy(out->middle, summary.quarter, sizeof out->middle);
    ddpm_bpd_summary_free(&summary);
    return DDPM_OK;
}

static ddpm_status sum(ddpm_evaluation *out, const ddpm_evaluator *e, store *from)
{
    double losses[DDPM_QUARTILES] = { 0.0 };
    for (size_t u = 0; u < e->units; u += ddpm_train__evaluation_segments(e))
        for (size_t q = 0; q < DDPM_QUARTILES; q++) losses[q] += from->kept[u * from->width + q];
    *out = (ddpm_evaluation){ .images = e->images,
                              .loss = ddpm_held_out_mean(losses, e->images, e->schedule) };
    return e->strata ? sum_bound(out, e, from) : DDPM_OK;
}

static ddpm_status take_memory(store *to, ddpm_evaluator *e, const ddpm_comm *comm)
{
    const size_t ranks = (size_t)ddpm_comm_size(comm), row = VALUES + to->width;
    const ddpm_memory_kind kind = DDPM_MEMORY_SCRATCH;
    DDPM_TRY(ddpm_memory_alloc(&to->row, row, sizeof(double), kind));
    DDPM_TRY(ddpm_memory_alloc(&to->rows, ranks * row, sizeof(double), kind));
    if (ddpm_comm_rank(comm) == 0)
        DDPM_TRY(ddpm_memory_alloc(&to->kept, e->units * to->width, sizeof(double), kind));
    DDPM_TRY(ddpm_unet_create(&e->unet, &e->network, DDPM_BPD_BATCH, DDPM_UNET_INFERENCE));
    return ddpm_unet_freeze(e->unet, e->weights);
}

ddpm_status ddpm_train__evaluator_run(ddpm_evaluation *out, ddpm_evaluator *e, ddpm_comm *comm,
                                      const float *weights, ddpm_evaluation_may_go_on *may_go_on,
                                      void *context)
{
    store to = { .width = ddpm_train__evaluation_values(e) };
    e->weights = weights;
    e->may_go_on = may_go_on;
    e->may_go_on_context = context;
    e->stopped = false;
    e->loss.network = e->bound.network = evaluate;
    e->loss.network_context = e->bound.network_context = e;
    ddpm_status status = ddpm_comm_agree(comm, take_memory(&to, e, comm));
    const size_t ranks = (size_t)ddpm_comm_size(comm);
    for (size_t begin = 0; begin < e->units && status == DDPM_OK; begin += ranks)
        status = do_round(&to, e, comm, begin);
    if (status == DDPM_OK)
        status = ddpm_comm_agree(comm, ddpm_comm_rank(comm) == 0 ? sum(out, e, &to) : DDPM_OK);
    ddpm_unet_free(e->unet);
    e->unet = NULL;
    ddpm_memory_free(to.kept);
    ddpm_memory_free(to.row);
    ddpm_memory_free(to.rows);
    return status;
}
