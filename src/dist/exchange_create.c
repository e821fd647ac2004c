/* The making of an exchange: who the peers are, and memory for what moves between them. */
#include "exchange_internal.h"

#include <stdlib.h>

enum { ALIGN_FLOATS = 16 }; /* what arrives begins on a cache line */

static size_t received_floats(const ddpm_cut *cut)
{
    return (cut->most_segment + ALIGN_FLOATS - 1) / ALIGN_FLOATS * ALIGN_FLOATS;
}

/* A rank of a window: the roots of the rank that has most. */
static size_t window_bytes(size_t *roots, const ddpm_cut *cut, size_t leaves, int size)
{
    const ddpm_peers all = { .leaves = leaves, .size = size, .ranks = 1, .count = size };
    ddpm_dist__count_sources(roots, &all);
    return ddpm_dist__node_bytes(*roots, cut->longest);
}

size_t ddpm_dist__exchange_bytes(const ddpm_cut *cut, size_t leaves, int rank, int size, bool flat)
{
    if (size == 1) return 0;
    const ddpm_peers all = { .leaves = leaves, .size = size, .ranks = 1, .count = size };
    const ddpm_peers self = {
        .leaves = leaves, .size = size, .ranks = 1, .first = rank, .count = 1
    };
    size_t most;
    const size_t others = ddpm_dist__count_sources(&most, &all) -
                          ddpm_dist__count_sources(&most, &self);
    const size_t messages = DDPM_EXCHANGE_SLOTS * others * received_floats(cut) * sizeof(float);
    const size_t window = flat ? 0 : window_bytes(&most, cut, leaves, size);
    return messages > window ? messages : window;
}

/* Who its peers are: of a node's ranks, or of all. */
static ddpm_status find_peers(ddpm_exchange *exchange, int node_ranks)
{
    ddpm_comm *comm = exchange->comm;
    size_t roots;
    const size_t bytes = window_bytes(&roots, exchange->cut, exchange->leaves, comm->size);
    exchange->node_ranks = 1;
    if (node_ranks != 1 && !exchange->mpi)
        DDPM_TRY(ddpm_dist__node_ranks(&exchange->node_ranks, comm, node_ranks, bytes));
    const int ranks = exchange->node_ranks, local = comm->rank % ranks;
    exchange->peer = comm->rank / ranks;
    exchange->peer_count = comm->size / ranks;
    exchange->first_segment = local * exchange->peer_count;
    DDPM_TRY(DDPM_MPI(comm, MPI_Comm_split(comm->all, local, comm->rank, &exchange->peers)));
    if (ranks == 1) return DDPM_OK;
    return ddpm_dist__node_create(&exchange->node, comm, ranks, roots, exchange->cut->longest);
}

static ddpm_status allocate(ddpm_exchange *exchange)
{
    const ddpm_comm *comm = exchange->comm;
    const int ranks = exchange->node_ranks;
    const ddpm_peers peers = { .leaves = exchange->leaves,
                               .size = comm->size,
                               .ranks = ranks,
                               .count = exchange->peer_count };
    const ddpm_peers local = { .leaves = exchange->leaves,
                               .size = comm->size,
                               .ranks = 1,
                               .first = comm->rank / ranks * ranks,
                               .count = ranks };
    DDPM_TRY(ddpm_dist__list_sources(&exchange->sources, &exchange->source_count, &peers));
    DDPM_TRY(ddpm_dist__list_sources(&exchange->local, &exchange->local_count, &local));
    for (size_t s = 0; s < exchange->source_count; s++)
        exchange->own_count += exchange->sources[s].peer == exchange->peer;
    for (size_t s = 0; s < exchange->local_count; s++)
        exchange->root_count += exchange->local[s].peer == comm->rank % ranks;
    exchange->at = calloc(exchange->source_count + exchange->local_count + 1, sizeof *exchange->at);
    if (!exchange->at) return ddpm_fail(DDPM_EOS, "no memory for the reduction's plan");
    exchange->received_floats = received_floats(exchange->cut);
    return ddpm_dist__messages_create(exchange);
}

static ddpm_status connect(ddpm_exchange *exchange, int node_ranks)
{
    ddpm_comm *comm = exchange->comm;
    DDPM_TRY(DDPM_MPI(comm, MPI_Comm_dup(comm->all, &exchange->line)));
    DDPM_TRY(find_peers(exchange, node_ranks));
    DDPM_TRY(ddpm_comm_agree(comm, allocate(exchange)));
    return ddpm_comm_agree(
        comm, ddpm_dist__alarm_create(&exchange->alarm, comm, exchange->line, DDPM_TAG_ALARM));
}

ddpm_status ddpm_dist__exchange_create(ddpm_exchange **out, ddpm_comm *comm, const ddpm_cut *cut,
                                       size_t leaves, bool mpi, int node_ranks)
{
    ddpm_exchange *exchange = calloc(1, sizeof *exchange);
    ddpm_status status = exchange ? DDPM_OK : ddpm_fail(DDPM_EOS, "no memory for a reducer");
    if (exchange)
        *exchange = (ddpm_exchange){ .comm = comm,
                                     .line = MPI_COMM_NULL,
                                     .peers = MPI_COMM_NULL,
                                     .cut = cut,
                                     .leaves = leaves,
                                     .mpi = mpi };
    status = ddpm_comm_agree(comm, status);
    if (status == DDPM_OK && exchange && comm->size > 1) /* alone there is nothing to say */
        status = connect(exchange, node_ranks);
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
    ddpm_dist__node_free(exchange->node);
    if (!exchange->comm->broken) {
        if (exchange->peers != MPI_COMM_NULL) MPI_Comm_free(&exchange->peers);
        if (exchange->line != MPI_COMM_NULL) MPI_Comm_free(&exchange->line);
    }
    ddpm_dist__messages_free(exchange);
    free(exchange->sources);
    free(exchange->local);
    free(exchange->at);
    free(exchange);
}
