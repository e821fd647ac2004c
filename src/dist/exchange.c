#include "exchange.h"

#include "alarm.h"
#include "comm_internal.h"
#include "ddpm/base/memory.h"
#include "sources.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
    ALIGN_FLOATS = 16, /* what arrives begins on a cache line */
    /* Buckets on their way: one that arrives, one that is added up, one whose result travels. */
    SLOTS = 3,
    /* Tags of a slot: the number of a root among its rank's, and the result. A slot's buckets come
     * one after the other on every rank, so MPI's order of messages tells them apart. */
    TAG_RESULT = DDPM_TREE_ROOTS,
    TAGS_A_SLOT,
    TAG_ALARM = SLOTS * TAGS_A_SLOT
};

/* Where a bucket is on its way. */
typedef enum {
    STAGE_NONE,
    STAGE_ROOTS,    /* the ranks' subtrees go to the owners */
    STAGE_RESULT,   /* owners' results go to all */
    STAGE_ALLREDUCE /* all of it is MPI's */
} stage;

typedef struct {
    stage stage;
    size_t bucket;
    int requests;
    MPI_Request *request;
    float *received; /* [sources of others][slot_floats] */
} journey;

struct ddpm_exchange {
    ddpm_comm *comm;
    MPI_Comm line; /* a duplicate for these messages alone, in whatever thread they are sent */
    ddpm_alarm *alarm;
    const ddpm_cut *cut;
    size_t leaves;
    bool mpi;
    size_t source_count, own_count;
    ddpm_source *sources;
    float **at;         /* [source_count]: scratch of the tree */
    size_t slot_floats; /* of one segment that is received, a multiple of a cache line */
    journey trip[SLOTS];
    /* The job at hand. */
    ddpm_job job;
    float *const *roots;
    size_t begun, done; /* buckets */
    uint64_t bytes_sent;
};

static size_t received_floats(const ddpm_cut *cut)
{
    return (cut->most_segment + ALIGN_FLOATS - 1) / ALIGN_FLOATS * ALIGN_FLOATS;
}

size_t ddpm_dist__exchange_bytes(const ddpm_cut *cut, size_t leaves, int rank, int size)
{
    if (size == 1) return 0;
    size_t own = 0;
    const size_t others = ddpm_dist__count_sources(&own, leaves, rank, size) - own;
    return SLOTS * others * received_floats(cut) * sizeof(float);
}

static ddpm_status allocate(ddpm_exchange *exchange)
{
    const ddpm_comm *comm = exchange->comm;
    DDPM_TRY(ddpm_dist__list_sources(&exchange->sources, &exchange->source_count,
                                     &exchange->own_count, exchange->leaves, comm->rank,
                                     comm->size));
    exchange->at = calloc(exchange->source_count, sizeof *exchange->at);
    if (!exchange->at) return ddpm_fail(DDPM_EOS, "no memory for the reduction's plan");
    const size_t others = exchange->source_count - exchange->own_count;
    const size_t peers = (size_t)comm->size - 1;
    const size_t roots = others + peers * exchange->own_count, results = 2 * peers;
    exchange->slot_floats = received_floats(exchange->cut);
    for (int k = 0; k < SLOTS; k++) {
        journey *trip = &exchange->trip[k];
        trip->request = calloc(roots > results ? roots : results, sizeof *trip->request);
        if (!trip->request) return ddpm_fail(DDPM_EOS, "no memory for the reduction's messages");
        DDPM_TRY(ddpm_memory_alloc(&trip->received, others * exchange->slot_floats, sizeof(float),
                                   DDPM_MEMORY_COMMUNICATION));
    }
    return DDPM_OK;
}

ddpm_status ddpm_dist__exchange_create(ddpm_exchange **out, ddpm_comm *comm, const ddpm_cut *cut,
                                       size_t leaves, bool mpi)
{
    ddpm_exchange *exchange = calloc(1, sizeof *exchange);
    ddpm_status status = exchange ? DDPM_OK : ddpm_fail(DDPM_EOS, "no memory for a reducer");
    DDPM_TRY(ddpm_comm_agree(comm, status));
    assert(exchange);
    *exchange = (ddpm_exchange){
        .comm = comm, .line = MPI_COMM_NULL, .cut = cut, .leaves = leaves, .mpi = mpi
    };
    if (comm->size > 1) { /* alone there is nothing to say */
        status = DDPM_MPI(comm, MPI_Comm_dup(comm->all, &exchange->line));
        if (status == DDPM_OK) status = allocate(exchange);
        if (status == DDPM_OK)
            status = ddpm_dist__alarm_create(&exchange->alarm, comm, exchange->line, TAG_ALARM);
        status = ddpm_comm_agree(comm, status);
    }
    if (status == DDPM_OK)
        *out = exchange;
    else
        ddpm_dist__exchange_free(exchange);
    return status;
}

void ddpm_dist__exchange_free(ddpm_exchange *exchange)
{
    if (!exchange) return;
    ddpm_dist__alarm_free(exchange->alarm);
    if (exchange->line != MPI_COMM_NULL && !exchange->comm->broken) MPI_Comm_free(&exchange->line);
    for (int k = 0; k < SLOTS; k++) {
        ddpm_memory_free(exchange->trip[k].received);
        free(exchange->trip[k].request);
    }
    free(exchange->sources);
    free(exchange->at);
    free(exchange);
}

uint64_t ddpm_dist__exchange_bytes_sent(const ddpm_exchange *exchange)
{
    return exchange->bytes_sent;
}

size_t ddpm_dist__exchange_done(const ddpm_exchange *exchange)
{
    return exchange->done;
}

void ddpm_dist__exchange_begin(ddpm_exchange *exchange, float *const *roots, ddpm_job job)
{
    exchange->roots = roots;
    exchange->job = job;
    exchange->begun = exchange->done = 0;
}

static int tag_of(const ddpm_exchange *exchange, const journey *trip, int number)
{
    return (int)(trip - exchange->trip) * TAGS_A_SLOT + number;
}

static ddpm_span segment_of(const ddpm_exchange *exchange, const journey *trip, int owner)
{
    return ddpm_dist__segment(exchange->cut, trip->bucket, owner, exchange->comm->size);
}

static ddpm_status receive(ddpm_exchange *exchange, journey *trip, float *data, size_t count,
                           int peer, int number)
{
    if (count == 0) return DDPM_OK;
    return DDPM_MPI(exchange->comm,
                    MPI_Irecv(data, (int)count, MPI_FLOAT, peer, tag_of(exchange, trip, number),
                              exchange->line, &trip->request[trip->requests++]));
}

static ddpm_status send(ddpm_exchange *exchange, journey *trip, const float *data, size_t count,
                        int peer, int number)
{
    if (count == 0) return DDPM_OK;
    exchange->bytes_sent += count * sizeof *data;
    return DDPM_MPI(exchange->comm,
                    MPI_Isend(data, (int)count, MPI_FLOAT, peer, tag_of(exchange, trip, number),
                              exchange->line, &trip->request[trip->requests++]));
}

/* Where the owner finds the segment of each source. */
static void locate_sources(ddpm_exchange *exchange, const journey *trip, ddpm_span mine)
{
    float *arrived = trip->received;
    for (size_t s = 0; s < exchange->source_count; s++) {
        const ddpm_source *source = &exchange->sources[s];
        if (source->rank == exchange->comm->rank) {
            exchange->at[s] = exchange->roots[source->number] + mine.offset;
        } else {
            exchange->at[s] = arrived;
            arrived += exchange->slot_floats;
        }
    }
}

/* Posts what this rank receives for its segment, and sends the others theirs. Peers are taken in
 * turn from the next rank on, so that not all begin with the same one. */
static ddpm_status post_roots(ddpm_exchange *exchange, journey *trip)
{
    const ddpm_comm *comm = exchange->comm;
    const ddpm_span mine = segment_of(exchange, trip, comm->rank);
    locate_sources(exchange, trip, mine);
    trip->stage = STAGE_ROOTS;
    trip->requests = 0;
    for (size_t s = 0; s < exchange->source_count; s++) {
        const ddpm_source *source = &exchange->sources[s];
        if (source->rank != comm->rank)
            DDPM_TRY(
                receive(exchange, trip, exchange->at[s], mine.count, source->rank, source->number));
    }
    for (int d = 1; d < comm->size; d++) {
        const int owner = (comm->rank + d) % comm->size;
        const ddpm_span theirs = segment_of(exchange, trip, owner);
        for (size_t j = 0; j < exchange->own_count; j++)
            DDPM_TRY(send(exchange, trip, exchange->roots[j] + theirs.offset, theirs.count, owner,
                          (int)j));
    }
    return DDPM_OK;
}

/* Finishes the tree of this rank's segment, into roots[0]. */
static void finish_tree(ddpm_exchange *exchange, const journey *trip)
{
    const ddpm_span mine = segment_of(exchange, trip, exchange->comm->rank);
    if (!mine.count) return;
    locate_sources(exchange, trip, mine);
    const float *sum = ddpm_dist__sum_sources(exchange->at, exchange->sources,
                                              exchange->source_count, exchange->leaves, mine.count);
    float *result = exchange->roots[0] + mine.offset;
    if (sum != result) memcpy(result, sum, mine.count * sizeof *result);
}

/* Sends this rank's segment to all, and receives theirs. In a sum, this rank's roots of the bucket
 * have all arrived at their owners: roots[0] is free. */
static ddpm_status post_results(ddpm_exchange *exchange, journey *trip)
{
    const ddpm_comm *comm = exchange->comm;
    float *flat = exchange->roots[0];
    const ddpm_span mine = segment_of(exchange, trip, comm->rank);
    trip->stage = STAGE_RESULT;
    trip->requests = 0;
    for (int d = 1; d < comm->size; d++) {
        const int owner = (comm->rank + comm->size - d) % comm->size;
        const ddpm_span theirs = segment_of(exchange, trip, owner);
        DDPM_TRY(receive(exchange, trip, flat + theirs.offset, theirs.count, owner, TAG_RESULT));
    }
    for (int d = 1; d < comm->size; d++)
        DDPM_TRY(send(exchange, trip, flat + mine.offset, mine.count, (comm->rank + d) % comm->size,
                      TAG_RESULT));
    return DDPM_OK;
}

static ddpm_status post_allreduce(ddpm_exchange *exchange, journey *trip)
{
    const ddpm_span bucket = exchange->cut->bucket[trip->bucket];
    float *sum = exchange->roots[0] + bucket.offset;
    for (size_t j = 1; j < exchange->own_count; j++)
        ddpm_dist__add(sum, exchange->roots[j] + bucket.offset, bucket.count);
    trip->stage = STAGE_ALLREDUCE;
    trip->requests = 1;
    exchange->bytes_sent += bucket.count * sizeof *sum;
    return DDPM_MPI(exchange->comm, MPI_Iallreduce(MPI_IN_PLACE, sum, (int)bucket.count, MPI_FLOAT,
                                                   MPI_SUM, exchange->line, trip->request));
}

static ddpm_status start(ddpm_exchange *exchange, journey *trip)
{
    trip->bucket = exchange->begun++;
    if (exchange->job == DDPM_JOB_GATHER) return post_results(exchange, trip);
    return exchange->mpi ? post_allreduce(exchange, trip) : post_roots(exchange, trip);
}

static ddpm_status go_on(ddpm_exchange *exchange, journey *trip, bool *progress)
{
    int arrived;
    DDPM_TRY(DDPM_MPI(exchange->comm,
                      MPI_Testall(trip->requests, trip->request, &arrived, MPI_STATUSES_IGNORE)));
    if (!arrived) return DDPM_OK;
    *progress = true;
    if (trip->stage == STAGE_ROOTS) {
        finish_tree(exchange, trip);
        if (exchange->job == DDPM_JOB_SUM) return post_results(exchange, trip);
    }
    trip->stage = STAGE_NONE;
    exchange->done++;
    return DDPM_OK;
}

static ddpm_status advance(ddpm_exchange *exchange, size_t handed, bool *progress)
{
    for (size_t k = 0; k < SLOTS; k++) { /* the oldest bucket first */
        journey *trip = &exchange->trip[(exchange->begun + k) % SLOTS];
        if (trip->stage != STAGE_NONE) DDPM_TRY(go_on(exchange, trip, progress));
    }
    while (exchange->begun < handed) {
        journey *trip = &exchange->trip[exchange->begun % SLOTS];
        if (trip->stage != STAGE_NONE) break;
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
    if (status != DDPM_OK) ddpm_dist__alarm_raise(exchange->alarm);
    return status;
}
