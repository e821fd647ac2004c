/* The way of a bucket. */
#include "exchange_internal.h"
#include "watch.h"

#include <assert.h>
#include <string.h>

uint64_t ddpm_dist__exchange_bytes_sent(const ddpm_exchange *exchange)
{
    return exchange->bytes_sent;
}

size_t ddpm_dist__exchange_done(const ddpm_exchange *exchange)
{
    return exchange->done;
}

int ddpm_dist__owned_segment(const ddpm_exchange *exchange, int rank)
{
    if (exchange->comm->size == 1) return 0;
    const int local = rank % exchange->node_ranks, peer = rank / exchange->node_ranks;
    return local * exchange->peer_count + peer;
}

void ddpm_dist__exchange_begin(ddpm_exchange *exchange, float *const *roots, ddpm_job job)
{
    exchange->roots = roots;
    exchange->job = job;
    exchange->begun = exchange->done = 0;
}

static int slot_of(const ddpm_exchange *exchange, const journey *trip)
{
    return (int)(trip - exchange->trip);
}

static void pass(ddpm_exchange *exchange, const journey *trip, ddpm_gate gate)
{
    ddpm_dist__node_pass(exchange->node, gate, slot_of(exchange, trip), trip->number);
}

static bool all_passed(const ddpm_exchange *exchange, const journey *trip, ddpm_gate gate)
{
    return ddpm_dist__node_passed(exchange->node, gate, slot_of(exchange, trip), trip->number);
}

/* Puts this rank's bucket where the node's other ranks see it. The node's result is to be in the
 * first rank's first root, where its tree puts it by itself. */
static ddpm_status enter_node(ddpm_exchange *exchange, journey *trip)
{
    const ddpm_span bucket = exchange->cut->bucket[trip->bucket];
    if (exchange->job == DDPM_JOB_GATHER) {
        const ddpm_span mine = ddpm_dist__own_segment(exchange, trip);
        trip->root[0] = ddpm_dist__node_data(exchange->node, 0, slot_of(exchange, trip), 0);
        memcpy(ddpm_dist__in_root(exchange, trip, 0, mine), exchange->roots[0] + mine.offset,
               mine.count * sizeof(float));
        return ddpm_dist__post_results(exchange, trip);
    }
    for (size_t j = 0; j < exchange->root_count; j++)
        memcpy(ddpm_dist__node_data(exchange->node, exchange->comm->rank % exchange->node_ranks,
                                    slot_of(exchange, trip), j),
               exchange->roots[j] + bucket.offset, bucket.count * sizeof(float));
    trip->stage = STAGE_ARRIVING;
    pass(exchange, trip, DDPM_GATE_ARRIVED);
    return DDPM_OK;
}

/* The node's own tree, of the segments of this rank's peers, in place: what is left are the roots
 * that this peer takes to the others. */
static void sum_node(ddpm_exchange *exchange, journey *trip)
{
    const int first = exchange->first_segment, last = first + exchange->peer_count - 1;
    const int size = exchange->comm->size;
    const ddpm_span head = ddpm_dist__segment(exchange->cut, trip->bucket, first, size);
    const ddpm_span tail = ddpm_dist__segment(exchange->cut, trip->bucket, last, size);
    const size_t begin = head.offset - exchange->cut->bucket[trip->bucket].offset;
    for (size_t s = 0; s < exchange->local_count; s++)
        exchange->at[s] = begin + ddpm_dist__node_data(exchange->node, exchange->local[s].peer,
                                                       slot_of(exchange, trip),
                                                       (size_t)exchange->local[s].number);
    const size_t left = ddpm_dist__sum_sources(exchange->at, exchange->local, exchange->local_count,
                                               exchange->leaves,
                                               tail.offset + tail.count - head.offset);
    assert(left == exchange->own_count);
    for (size_t j = 0; j < left; j++) trip->root[j] = exchange->at[j] - begin;
}

static ddpm_status start(ddpm_exchange *exchange, journey *trip)
{
    trip->bucket = exchange->begun++;
    trip->number = ++exchange->number;
    if (exchange->node) return enter_node(exchange, trip);
    const size_t offset = exchange->cut->bucket[trip->bucket].offset;
    const bool gather = exchange->job == DDPM_JOB_GATHER;
    for (size_t j = 0; j < (gather ? 1 : exchange->root_count); j++)
        trip->root[j] = exchange->roots[j] + offset;
    if (gather) return ddpm_dist__post_results(exchange, trip);
    return exchange->mpi ? ddpm_dist__post_allreduce(exchange, trip)
                         : ddpm_dist__post_roots(exchange, trip);
}

/* The end of a bucket's way; what is this rank's to have is copied out of the node's window. */
static ddpm_status end(ddpm_exchange *exchange, journey *trip, ddpm_span part)
{
    if (exchange->node) {
        memcpy(exchange->roots[0] + part.offset, ddpm_dist__in_root(exchange, trip, 0, part),
               part.count * sizeof(float));
        pass(exchange, trip, DDPM_GATE_LEFT);
    }
    trip->stage = STAGE_NONE;
    exchange->done++;
    return DDPM_OK;
}

/* What follows a stage that is over. */
static ddpm_status next_stage(ddpm_exchange *exchange, journey *trip)
{
    const ddpm_span whole = exchange->cut->bucket[trip->bucket];
    switch (trip->stage) {
    case STAGE_ARRIVING: sum_node(exchange, trip); return ddpm_dist__post_roots(exchange, trip);
    case STAGE_ROOTS:
        ddpm_dist__finish_tree(exchange, trip);
        if (exchange->job == DDPM_JOB_SUM) return ddpm_dist__post_results(exchange, trip);
        return end(exchange, trip, ddpm_dist__own_segment(exchange, trip));
    case STAGE_RESULT:
        if (!exchange->node) return end(exchange, trip, whole);
        trip->stage = STAGE_SHARING;
        pass(exchange, trip, DDPM_GATE_FINISHED);
        return DDPM_OK;
    case STAGE_SHARING:
    case STAGE_ALLREDUCE: return end(exchange, trip, whole);
    case STAGE_NONE: break;
    }
    return DDPM_OK;
}

static ddpm_status is_over(bool *over, ddpm_exchange *exchange, journey *trip)
{
    *over = false;
    switch (trip->stage) {
    case STAGE_NONE: return DDPM_OK;
    case STAGE_ARRIVING: *over = all_passed(exchange, trip, DDPM_GATE_ARRIVED); return DDPM_OK;
    case STAGE_SHARING: *over = all_passed(exchange, trip, DDPM_GATE_FINISHED); return DDPM_OK;
    default: return ddpm_dist__test_messages(over, exchange, trip);
    }
}

/* A slot is free when its last bucket is done with, by all ranks that look into its windows. */
static bool is_free(const ddpm_exchange *exchange, const journey *trip)
{
    if (trip->stage != STAGE_NONE) return false;
    return !exchange->node || all_passed(exchange, trip, DDPM_GATE_LEFT);
}

static ddpm_status advance(ddpm_exchange *exchange, size_t handed, bool *progress)
{
    for (size_t k = 0; k < DDPM_EXCHANGE_SLOTS; k++) { /* the oldest bucket first */
        journey *trip = &exchange->trip[(exchange->number + k) % DDPM_EXCHANGE_SLOTS];
        bool over;
        DDPM_TRY(is_over(&over, exchange, trip));
        if (!over) continue;
        DDPM_TRY(next_stage(exchange, trip));
        *progress = true;
    }
    while (exchange->begun < handed) {
        journey *trip = &exchange->trip[exchange->number % DDPM_EXCHANGE_SLOTS];
        if (!is_free(exchange, trip)) break;
        DDPM_TRY(start(exchange, trip));
        *progress = true;
    }
    return DDPM_OK;
}

ddpm_status ddpm_dist__exchange_advance(ddpm_exchange *exchange, size_t handed, bool *progress)
{
    assert(handed <= exchange->cut->count);
    *progress = false;
    if (exchange->comm->size == 1) {
        exchange->begun = exchange->done = handed;
        return DDPM_OK;
    }
    DDPM_TRY(ddpm_dist__alarm_listen(exchange->alarm));
    const ddpm_status status = advance(exchange, handed, progress);
    if (*progress) ddpm_dist__beat(exchange->comm);
    if (status != DDPM_OK) ddpm_dist__alarm_raise(exchange->alarm);
    return status;
}
