#include "exchange.h"

#include "comm_internal.h"
#include "ddpm/base/memory.h"
#include "ddpm/dist/reducer.h"
#include "tree.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
    ALIGN_FLOATS = 16,           /* segments begin on cache lines */
    SLOTS = 2,                   /* the piece that is added, and the one that arrives */
    TAG_GATHER = DDPM_TREE_ROOTS /* below it: the number of a root among its rank's */
};

/* One subtree of one rank. */
typedef struct {
    int rank, number;
    ddpm_tree_node node;
} source;

typedef struct {
    size_t offset, count;
} range;

struct ddpm_exchange {
    ddpm_comm *comm;
    size_t floats, leaves, piece_floats, rounds;
    size_t source_count, own_count;
    source *sources;    /* all ranks' roots in ascending order of their leaves */
    float *received;    /* [SLOTS][source_count][piece_floats]; own sources' places stay empty */
    size_t slot_floats; /* of one piece in `received`, a multiple of a cache line */
    int incoming_count[SLOTS], gather_count;
    MPI_Request *incoming[SLOTS], *gather;
    uint64_t bytes_sent;
};

void ddpm_dist__add(float *restrict a, const float *restrict b, size_t count)
{
    enum { WORTH_A_THREAD = 1 << 15 };
#pragma omp parallel for simd schedule(static) if (count > WORTH_A_THREAD)
    for (size_t i = 0; i < count; i++) a[i] += b[i];
}

size_t ddpm_dist__piece_floats(int size)
{
    const size_t most = 8 << 20, least = 1 << 20, bytes = ((size_t)32 << 20) / (size_t)size;
    return (bytes > most ? most : bytes < least ? least : bytes) / sizeof(float);
}

static range segment_of(size_t floats, int rank, int size)
{
    const size_t lines = (floats + ALIGN_FLOATS - 1) / ALIGN_FLOATS;
    size_t begin = lines * (size_t)rank / (size_t)size * ALIGN_FLOATS;
    size_t end = lines * ((size_t)rank + 1) / (size_t)size * ALIGN_FLOATS;
    if (begin > floats) begin = floats;
    if (end > floats) end = floats;
    return (range){ begin, end - begin };
}

/* Piece `round` of the segment that `rank` owns; may be empty. */
static range piece_of(const ddpm_exchange *exchange, int rank, size_t round)
{
    const range segment = segment_of(exchange->floats, rank, exchange->comm->size);
    const size_t first = round * exchange->piece_floats;
    if (first >= segment.count) return (range){ segment.offset, 0 };
    const size_t left = segment.count - first;
    return (range){ segment.offset + first,
                    left < exchange->piece_floats ? left : exchange->piece_floats };
}

/* Segments differ by a cache line; all ranks must come to the same number of rounds. */
static size_t longest_segment(size_t floats, int size)
{
    size_t longest = 0;
    for (int r = 0; r < size; r++) {
        const range segment = segment_of(floats, r, size);
        if (segment.count > longest) longest = segment.count;
    }
    return longest;
}

static size_t count_sources(size_t leaves, int size, int rank, size_t *own)
{
    size_t count = 0;
    for (int r = 0; r < size; r++) {
        ddpm_tree_node roots[DDPM_TREE_ROOTS];
        size_t first, mine, height;
        ddpm_reducer_interval(&first, &mine, leaves, r, size);
        const size_t found = ddpm_dist__tree_roots(roots, &height, first, mine, leaves);
        if (r == rank) *own = found;
        count += found;
    }
    return count;
}

static size_t slot_floats_of(size_t floats, int size, size_t piece_floats)
{
    const size_t longest = longest_segment(floats, size);
    const size_t piece = longest < piece_floats ? longest : piece_floats;
    return (piece + ALIGN_FLOATS - 1) / ALIGN_FLOATS * ALIGN_FLOATS;
}

size_t ddpm_dist__exchange_bytes(size_t floats, size_t leaves, int rank, int size,
                                 size_t piece_floats)
{
    if (size == 1) return 0;
    size_t own = 0;
    const size_t others = count_sources(leaves, size, rank, &own) - own;
    return SLOTS * others * slot_floats_of(floats, size, piece_floats) * sizeof(float);
}

static ddpm_status list_sources(ddpm_exchange *exchange)
{
    const ddpm_comm *comm = exchange->comm;
    exchange->source_count = count_sources(exchange->leaves, comm->size, comm->rank,
                                           &exchange->own_count);
    assert(exchange->source_count > 0);
    exchange->sources = calloc(exchange->source_count, sizeof *exchange->sources);
    if (!exchange->sources) return ddpm_fail(DDPM_EOS, "no memory for the reduction's plan");
    source *next = exchange->sources;
    for (int r = 0; r < comm->size; r++) {
        ddpm_tree_node roots[DDPM_TREE_ROOTS];
        size_t first, count, height;
        ddpm_reducer_interval(&first, &count, exchange->leaves, r, comm->size);
        const size_t found = ddpm_dist__tree_roots(roots, &height, first, count, exchange->leaves);
        for (size_t j = 0; j < found; j++) *next++ = (source){ r, (int)j, roots[j] };
    }
    return DDPM_OK;
}

static ddpm_status allocate(ddpm_exchange *exchange)
{
    const size_t others = exchange->source_count - exchange->own_count;
    const size_t peers = (size_t)exchange->comm->size - 1;
    const size_t messages = others + peers * exchange->own_count;
    const size_t results = 2 * peers * exchange->rounds;
    for (int slot = 0; slot < SLOTS; slot++) {
        exchange->incoming[slot] = calloc(messages + 1, sizeof(MPI_Request));
        if (!exchange->incoming[slot]) return ddpm_fail(DDPM_EOS, "no memory for MPI requests");
    }
    exchange->gather = calloc(results + 1, sizeof(MPI_Request));
    if (!exchange->gather) return ddpm_fail(DDPM_EOS, "no memory for MPI requests");
    return ddpm_memory_alloc(&exchange->received, SLOTS * others * exchange->slot_floats,
                             sizeof *exchange->received, DDPM_MEMORY_COMMUNICATION);
}

ddpm_status ddpm_dist__exchange_create(ddpm_exchange **out, ddpm_comm *comm, size_t floats,
                                       size_t leaves, size_t piece_floats)
{
    ddpm_exchange *exchange = calloc(1, sizeof *exchange);
    if (!exchange) return ddpm_fail(DDPM_EOS, "no memory for the reduction's plan");
    exchange->comm = comm;
    exchange->floats = floats;
    exchange->leaves = leaves;
    exchange->piece_floats = piece_floats;
    exchange->slot_floats = slot_floats_of(floats, comm->size, piece_floats);
    exchange->rounds = (longest_segment(floats, comm->size) + piece_floats - 1) / piece_floats;
    ddpm_status status = list_sources(exchange);
    if (status == DDPM_OK) status = allocate(exchange);
    if (status == DDPM_OK)
        *out = exchange;
    else
        ddpm_dist__exchange_free(exchange);
    return status;
}

void ddpm_dist__exchange_free(ddpm_exchange *exchange)
{
    if (!exchange) return;
    ddpm_memory_free(exchange->received);
    for (int slot = 0; slot < SLOTS; slot++) free(exchange->incoming[slot]);
    free(exchange->gather);
    free(exchange->sources);
    free(exchange);
}

uint64_t ddpm_dist__exchange_bytes_sent(const ddpm_exchange *exchange)
{
    return exchange->bytes_sent;
}

/* Where source s of a piece lies: in this rank's own buffers, or where it was received. Received
 * pieces stand close together, in the order of the sources. */
static float *piece_data(const ddpm_exchange *exchange, float *const *roots, size_t s,
                         size_t offset, int slot)
{
    const source *from = &exchange->sources[s];
    const int rank = exchange->comm->rank;
    if (from->rank == rank) return roots[from->number] + offset;
    const size_t others = exchange->source_count - exchange->own_count;
    const size_t place = from->rank < rank ? s : s - exchange->own_count;
    return exchange->received + ((size_t)slot * others + place) * exchange->slot_floats;
}

/* Receives the other ranks' parts of this rank's piece, and sends them this rank's of theirs. */
static ddpm_status post_incoming(ddpm_exchange *exchange, float *const *roots, size_t round)
{
    ddpm_comm *comm = exchange->comm;
    const int slot = (int)(round % SLOTS), rank = comm->rank;
    MPI_Request *request = exchange->incoming[slot];
    const range mine = piece_of(exchange, rank, round);
    for (size_t s = 0; s < exchange->source_count && mine.count; s++) {
        const source *from = &exchange->sources[s];
        if (from->rank == rank) continue;
        DDPM_TRY(DDPM_MPI(comm, MPI_Irecv(piece_data(exchange, roots, s, mine.offset, slot),
                                          (int)mine.count, MPI_FLOAT, from->rank, from->number,
                                          comm->all, request++)));
    }
    for (int d = 1; d < comm->size; d++) { /* each rank begins with another owner */
        const int owner = (rank + d) % comm->size;
        const range theirs = piece_of(exchange, owner, round);
        for (size_t j = 0; j < exchange->own_count && theirs.count; j++) {
            DDPM_TRY(DDPM_MPI(comm, MPI_Isend(roots[j] + theirs.offset, (int)theirs.count,
                                              MPI_FLOAT, owner, (int)j, comm->all, request++)));
            exchange->bytes_sent += theirs.count * sizeof(float);
        }
    }
    exchange->incoming_count[slot] = (int)(request - exchange->incoming[slot]);
    return DDPM_OK;
}

/* Adds up the roots of one piece as the tree does, into roots[0]. */
static void finish_tree(const ddpm_exchange *exchange, float *const *roots, size_t round)
{
    const range mine = piece_of(exchange, exchange->comm->rank, round);
    if (!mine.count) return;
    struct {
        ddpm_tree_node node;
        float *data;
    } stack[DDPM_TREE_ROOTS];
    size_t depth = 0;
    for (size_t s = 0; s < exchange->source_count; s++) {
        assert(depth < DDPM_TREE_ROOTS);
        stack[depth].node = exchange->sources[s].node;
        stack[depth].data = piece_data(exchange, roots, s, mine.offset, (int)(round % SLOTS));
        depth++;
        while (depth > 1 && ddpm_dist__tree_joins(stack[depth - 2].node, stack[depth - 1].node,
                                                  exchange->leaves)) {
            ddpm_dist__add(stack[depth - 2].data, stack[depth - 1].data, mine.count);
            stack[depth - 2].node.count += stack[depth - 1].node.count;
            depth--;
        }
    }
    assert(depth == 1 && stack[0].node.count == exchange->leaves);
    float *result = roots[0] + mine.offset;
    if (stack[0].data != result) memcpy(result, stack[0].data, mine.count * sizeof *result);
}

/* Sends this rank's finished piece to all, and receives theirs. Every rank has got this rank's
 * roots of the piece before it sends the result, and incoming's sends are complete: roots[0] is
 * free. */
static ddpm_status post_gather(ddpm_exchange *exchange, float *const *roots, size_t round)
{
    ddpm_comm *comm = exchange->comm;
    MPI_Request *request = exchange->gather + exchange->gather_count;
    const range mine = piece_of(exchange, comm->rank, round);
    for (int d = 1; d < comm->size; d++) {
        const int owner = (comm->rank + comm->size - d) % comm->size;
        const range theirs = piece_of(exchange, owner, round);
        if (theirs.count)
            DDPM_TRY(DDPM_MPI(comm, MPI_Irecv(roots[0] + theirs.offset, (int)theirs.count,
                                              MPI_FLOAT, owner, TAG_GATHER, comm->all, request++)));
    }
    for (int d = 1; d < comm->size && mine.count; d++) {
        const int peer = (comm->rank + d) % comm->size;
        DDPM_TRY(DDPM_MPI(comm, MPI_Isend(roots[0] + mine.offset, (int)mine.count, MPI_FLOAT, peer,
                                          TAG_GATHER, comm->all, request++)));
        exchange->bytes_sent += mine.count * sizeof(float);
    }
    exchange->gather_count = (int)(request - exchange->gather);
    return DDPM_OK;
}

ddpm_status ddpm_dist__exchange_run(ddpm_exchange *exchange, float *const *roots)
{
    ddpm_comm *comm = exchange->comm;
    if (comm->size == 1 || exchange->rounds == 0) return DDPM_OK;
    exchange->gather_count = 0;
    DDPM_TRY(post_incoming(exchange, roots, 0));
    for (size_t round = 0; round < exchange->rounds; round++) {
        if (round + 1 < exchange->rounds) DDPM_TRY(post_incoming(exchange, roots, round + 1));
        const int slot = (int)(round % SLOTS);
        DDPM_TRY(DDPM_MPI(comm, MPI_Waitall(exchange->incoming_count[slot],
                                            exchange->incoming[slot], MPI_STATUSES_IGNORE)));
        finish_tree(exchange, roots, round);
        DDPM_TRY(post_gather(exchange, roots, round));
    }
    return DDPM_MPI(comm,
                    MPI_Waitall(exchange->gather_count, exchange->gather, MPI_STATUSES_IGNORE));
}
