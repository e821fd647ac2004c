/* A bucket between peers. */
#include "ddpm/base/memory.h"
#include "exchange_internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

ddpm_status ddpm_dist__messages_create(ddpm_exchange *exchange)
{
    const size_t others = exchange->source_count - exchange->own_count;
    const size_t peers = (size_t)exchange->peer_count - 1;
    const size_t roots = others + peers * exchange->own_count, results = 2 * peers;
    const size_t most = (roots > results ? roots : results) + 1;
    for (int k = 0; k < DDPM_EXCHANGE_SLOTS; k++) {
        journey *trip = &exchange->trip[k];
        trip->request = calloc(most, sizeof(MPI_Request));
        if (!trip->request) return ddpm_fail(DDPM_EOS, "no memory for the reduction's messages");
        DDPM_TRY(ddpm_memory_alloc(&trip->received, others * exchange->received_floats,
                                   sizeof(float), DDPM_MEMORY_COMMUNICATION));
    }
    return DDPM_OK;
}

void ddpm_dist__messages_free(ddpm_exchange *exchange)
{
    for (int k = 0; k < DDPM_EXCHANGE_SLOTS; k++) {
        ddpm_memory_free(exchange->trip[k].received);
        free(exchange->trip[k].request);
    }
}

static ddpm_span segment_of(const ddpm_exchange *exchange, const journey *trip, int peer)
{
    return ddpm_dist__segment(exchange->cut, trip->bucket, exchange->first_segment + peer,
                              exchange->comm->size);
}

ddpm_span ddpm_dist__own_segment(const ddpm_exchange *exchange, const journey *trip)
{
    return segment_of(exchange, trip, exchange->peer);
}

float *ddpm_dist__in_root(const ddpm_exchange *exchange, const journey *trip, size_t root,
                          ddpm_span part)
{
    return trip->root[root] + (part.offset - exchange->cut->bucket[trip->bucket].offset);
}

static int tag_of(const ddpm_exchange *exchange, const journey *trip, int number)
{
    return (int)(trip - exchange->trip) * DDPM_TAGS_A_SLOT + number;
}

static ddpm_status receive(ddpm_exchange *exchange, journey *trip, float *data, size_t count,
                           int peer, int number)
{
    if (count == 0) return DDPM_OK;
    return DDPM_MPI(exchange->comm,
                    MPI_Irecv(data, (int)count, MPI_FLOAT, peer, tag_of(exchange, trip, number),
                              exchange->peers, &trip->request[trip->requests++]));
}

static ddpm_status send(ddpm_exchange *exchange, journey *trip, const float *data, size_t count,
                        int peer, int number)
{
    if (count == 0) return DDPM_OK;
    exchange->bytes_sent += count * sizeof *data;
    return DDPM_MPI(exchange->comm,
                    MPI_Isend(data, (int)count, MPI_FLOAT, peer, tag_of(exchange, trip, number),
                              exchange->peers, &trip->request[trip->requests++]));
}

/* Where the owner finds the segment of each source. */
static void locate_sources(ddpm_exchange *exchange, const journey *trip, ddpm_span mine)
{
    float *arrived = trip->received;
    for (size_t s = 0; s < exchange->source_count; s++) {
        const ddpm_source *source = &exchange->sources[s];
        if (source->peer == exchange->peer) {
            exchange->at[s] = ddpm_dist__in_root(exchange, trip, (size_t)source->number, mine);
        } else {
            exchange->at[s] = arrived;
            arrived += exchange->received_floats;
        }
    }
}

/* Peers are taken in turn from the next one on, so that not all begin with the same one. */
ddpm_status ddpm_dist__post_roots(ddpm_exchange *exchange, journey *trip)
{
    const ddpm_span mine = ddpm_dist__own_segment(exchange, trip);
    locate_sources(exchange, trip, mine);
    trip->stage = STAGE_ROOTS;
    trip->requests = 0;
    for (size_t s = 0; s < exchange->source_count; s++) {
        const ddpm_source *source = &exchange->sources[s];
        if (source->peer != exchange->peer)
            DDPM_TRY(
                receive(exchange, trip, exchange->at[s], mine.count, source->peer, source->number));
    }
    for (int d = 1; d < exchange->peer_count; d++) {
        const int owner = (exchange->peer + d) % exchange->peer_count;
        const ddpm_span theirs = segment_of(exchange, trip, owner);
        for (size_t j = 0; j < exchange->own_count; j++)
            DDPM_TRY(send(exchange, trip, ddpm_dist__in_root(exchange, trip, j, theirs),
                          theirs.count, owner, (int)j));
    }
    return DDPM_OK;
}

void ddpm_dist__finish_tree(ddpm_exchange *exchange, const journey *trip)
{
    const ddpm_span mine = ddpm_dist__own_segment(exchange, trip);
    if (!mine.count) return;
    locate_sources(exchange, trip, mine);
    const size_t left = ddpm_dist__sum_sources(
        exchange->at, exchange->sources, exchange->source_count, exchange->leaves, mine.count);
    assert(left == 1);
    (void)left;
    float *result = ddpm_dist__in_root(exchange, trip, 0, mine);
    if (exchange->at[0] != result) memcpy(result, exchange->at[0], mine.count * sizeof *result);
}

/* In a sum, this peer's roots of the bucket have all arrived at their owners before: root 0 is
 * free. */
ddpm_status ddpm_dist__post_results(ddpm_exchange *exchange, journey *trip)
{
    const int peers = exchange->peer_count;
    const ddpm_span mine = ddpm_dist__own_segment(exchange, trip);
    trip->stage = STAGE_RESULT;
    trip->requests = 0;
    for (int d = 1; d < peers; d++) {
        const int owner = (exchange->peer + peers - d) % peers;
        const ddpm_span theirs = segment_of(exchange, trip, owner);
        DDPM_TRY(receive(exchange, trip, ddpm_dist__in_root(exchange, trip, 0, theirs),
                         theirs.count, owner, DDPM_TAG_RESULT));
    }
    for (int d = 1; d < peers; d++)
        DDPM_TRY(send(exchange, trip, ddpm_dist__in_root(exchange, trip, 0, mine), mine.count,
                      (exchange->peer + d) % peers, DDPM_TAG_RESULT));
    return DDPM_OK;
}

ddpm_status ddpm_dist__post_allreduce(ddpm_exchange *exchange, journey *trip)
{
    const size_t count = exchange->cut->bucket[trip->bucket].count;
    for (size_t j = 1; j < exchange->root_count; j++)
        ddpm_dist__add(trip->root[0], trip->root[j], count);
    trip->stage = STAGE_ALLREDUCE;
    trip->requests = 1;
    exchange->bytes_sent += count * sizeof(float);
    return DDPM_MPI(exchange->comm,
                    MPI_Iallreduce(MPI_IN_PLACE, trip->root[0], (int)count, MPI_FLOAT, MPI_SUM,
                                   exchange->line, trip->request));
}

ddpm_status ddpm_dist__test_messages(bool *arrived, ddpm_exchange *exchange, journey *trip)
{
    int all;
    DDPM_TRY(DDPM_MPI(exchange->comm,
                      MPI_Testall(trip->requests, trip->request, &all, MPI_STATUSES_IGNORE)));
    *arrived = all;
    return DDPM_OK;
}
