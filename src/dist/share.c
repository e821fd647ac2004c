#include "ddpm/dist/share.h"

#include "ddpm/base/countdown.h"
#include "ddpm/base/memory.h"

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

/* What a rank sends after a round: whether it failed or wants to stop, and its unit's numbers. */
enum { FAILED, STOPS, NUMBERS };

typedef struct {
    const ddpm_share *work;
    ddpm_comm *comm;
    size_t row;         /* numbers that a rank sends */
    double *mine, *all; /* [row], [ranks,row] */
} rounds;

size_t ddpm_share_numbers(size_t values, size_t ranks)
{
    return (ranks + 1) * (NUMBERS + values);
}

static ddpm_status begin(rounds *r)
{
    const size_t ranks = ddpm_share_ranks(r->comm);
    r->row = NUMBERS + r->work->values;
    DDPM_TRY(ddpm_memory_alloc(&r->mine, r->row, sizeof *r->mine, DDPM_MEMORY_SCRATCH));
    return ddpm_memory_alloc(&r->all, ddpm_size_mul(ranks, r->row), sizeof *r->all,
                             DDPM_MEMORY_SCRATCH);
}

static size_t number_of(const ddpm_share *work, size_t unit)
{
    return work->number ? (size_t)work->number[unit] : unit;
}

static bool wants_to_stop(const ddpm_share *work)
{
    return work->go_on && !work->go_on(work->context);
}

static ddpm_status stopped(void)
{
    return ddpm_fail(DDPM_EAGAIN, "stopped before the end");
}

static ddpm_status exchange(rounds *r)
{
    if (r->comm) return ddpm_comm_allgather_f64(r->comm, r->all, r->mine, r->row);
    memcpy(r->all, r->mine, r->row * sizeof *r->all);
    return DDPM_OK;
}

static bool any(const rounds *r, size_t flag)
{
    for (size_t rank = 0; rank < ddpm_share_ranks(r->comm); rank++)
        if (r->all[rank * r->row + flag] != 0.0) return true;
    return false;
}

static ddpm_status take(const rounds *r, size_t first, size_t count)
{
    const ddpm_share *work = r->work;
    for (size_t i = 0; work->take && i < count; i++)
        DDPM_TRY(
            work->take(number_of(work, first + i), r->all + i * r->row + NUMBERS, work->context));
    return DDPM_OK;
}

/* Units first .. first + count - 1, one a rank. `*taken`: how this rank fared with those of the
 * round before, and then with these: what taking fails with is agreed upon with the next round, so
 * that a round is one message of each rank. *stop: some rank wants to. */
static ddpm_status do_round(rounds *r, ddpm_status *taken, bool *stop, size_t first, size_t count)
{
    const ddpm_share *work = r->work;
    const size_t rank = ddpm_share_rank(r->comm);
    ddpm_status status = *taken;
    memset(r->mine, 0, r->row * sizeof *r->mine);
    if (status == DDPM_OK && rank < count)
        status = work->compute(r->mine + NUMBERS, number_of(work, first + rank), work->context);
    r->mine[FAILED] = status != DDPM_OK;
    r->mine[STOPS] = status == DDPM_OK && first + count < work->units && wants_to_stop(work);
    DDPM_TRY(exchange(r));
    if (any(r, FAILED)) return ddpm_share_agree(status, r->comm);
    *taken = take(r, first, count);
    *stop = any(r, STOPS);
    return DDPM_OK;
}

static ddpm_status do_rounds(rounds *r)
{
    const size_t ranks = ddpm_share_ranks(r->comm), units = r->work->units;
    ddpm_countdown countdown = ddpm_countdown_begin(r->work->name, units);
    ddpm_status taken = DDPM_OK;
    bool stop = false;
    for (size_t done = 0; done < units && !stop;) {
        const size_t left = units - done, count = left < ranks ? left : ranks;
        DDPM_TRY(do_round(r, &taken, &stop, done, count));
        done += count;
        if (taken == DDPM_OK) ddpm_countdown_tell(&countdown, done);
    }
    const ddpm_status status = ddpm_share_agree(taken, r->comm);
    return status == DDPM_OK && stop ? stopped() : status;
}

ddpm_status ddpm_share_work(const ddpm_share *work, ddpm_comm *comm)
{
    rounds r = { .work = work, .comm = comm };
    ddpm_status status = begin(&r);
    if (status == DDPM_OK && work->units > 0 && wants_to_stop(work)) status = stopped();
    status = ddpm_share_agree(status, comm);
    if (status == DDPM_OK) status = do_rounds(&r);
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
