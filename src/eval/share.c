#include "ddpm/eval/share.h"

#include "ddpm/base/memory.h"
#include "progress.h"

#include <string.h>

ddpm_status ddpm_share_agree(ddpm_status mine, ddpm_comm *comm)
{
    return comm ? ddpm_comm_agree(comm, mine) : mine;
}

size_t ddpm_share_rank(const ddpm_comm *comm)
{
    return comm ? (size_t)ddpm_comm_rank(comm) : 0;
}

size_t ddpm_share_ranks(const ddpm_comm *comm)
{
    return comm ? (size_t)ddpm_comm_size(comm) : 1;
}

typedef struct {
    const ddpm_share *work;
    ddpm_comm *comm;
    double *mine, *all; /* [values], [ranks,values] */
} round_of_work;

static size_t number_of(const ddpm_share *work, size_t unit)
{
    return work->number ? (size_t)work->number[unit] : unit;
}

/* What all ranks came to, to all. */
static ddpm_status exchange(round_of_work *r)
{
    const size_t values = r->work->values;
    if (values == 0) return DDPM_OK;
    if (r->comm) return ddpm_comm_allgather_f64(r->comm, r->all, r->mine, values);
    memcpy(r->all, r->mine, values * sizeof *r->all);
    return DDPM_OK;
}

/* Units first .. first + count - 1, one a rank. */
static ddpm_status do_round(round_of_work *r, size_t first, size_t count)
{
    const ddpm_share *work = r->work;
    const size_t rank = ddpm_share_rank(r->comm);
    ddpm_status status = DDPM_OK;
    if (rank < count) status = work->compute(r->mine, number_of(work, first + rank), work->context);
    status = ddpm_share_agree(status, r->comm);
    if (status != DDPM_OK || !work->take) return status;
    DDPM_TRY(exchange(r));
    for (size_t i = 0; status == DDPM_OK && i < count; i++)
        status = work->take(number_of(work, first + i), r->all + i * work->values, work->context);
    return ddpm_share_agree(status, r->comm);
}

ddpm_status ddpm_share_work(const ddpm_share *work, ddpm_comm *comm)
{
    const size_t ranks = ddpm_share_ranks(comm);
    round_of_work r = { .work = work, .comm = comm };
    progress p = progress_begin(work->name, work->units);
    ddpm_status status = ddpm_memory_alloc(&r.mine, work->values, sizeof *r.mine,
                                           DDPM_MEMORY_SCRATCH);
    if (status == DDPM_OK)
        status = ddpm_memory_alloc(&r.all, ddpm_size_mul(ranks, work->values), sizeof *r.all,
                                   DDPM_MEMORY_SCRATCH);
    status = ddpm_share_agree(status, comm);
    for (size_t done = 0; status == DDPM_OK && done < work->units;) {
        const size_t left = work->units - done, count = left < ranks ? left : ranks;
        status = do_round(&r, done, count);
        done += count;
        if (status == DDPM_OK) progress_tell(&p, done);
    }
    ddpm_memory_free(r.mine);
    ddpm_memory_free(r.all);
    return status;
}

ddpm_status ddpm_share_spread(void *buffer, size_t bytes, size_t unit_bytes, ddpm_comm *comm)
{
    const size_t ranks = ddpm_share_ranks(comm);
    if (ranks == 1) return DDPM_OK;
    for (size_t at = 0, unit = 0; at < bytes; at += unit_bytes, unit++) {
        const size_t length = bytes - at < unit_bytes ? bytes - at : unit_bytes;
        DDPM_TRY(ddpm_comm_broadcast(comm, (char *)buffer + at, length, (int)(unit % ranks)));
    }
    return DDPM_OK;
}
