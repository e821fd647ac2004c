/* What the two halves of the exchange share: the way of a bucket (exchange.c), and the messages
 * between peers (messages.c). */
#ifndef DDPM_DIST_EXCHANGE_INTERNAL_H
#define DDPM_DIST_EXCHANGE_INTERNAL_H
#include "alarm.h"
#include "exchange.h"
#include "node.h"
#include "sources.h"

/* Buckets on their way at a time. With 3 of them a line of 1 Gbit/s takes half as long again as
 * with 8: a bucket's way is two trips over it, and messages wait for each other. */
enum { DDPM_EXCHANGE_SLOTS = DDPM_NODE_SLOTS };

/* Where a bucket is on its way. */
typedef enum {
    STAGE_NONE,
    STAGE_ARRIVING,  /* the node's other ranks bring theirs */
    STAGE_ROOTS,     /* the peers' subtrees go to the owners */
    STAGE_RESULT,    /* owners' results go to all peers */
    STAGE_SHARING,   /* the node's other ranks get theirs */
    STAGE_ALLREDUCE, /* all of it is MPI's */
} stage;

typedef struct {
    stage stage;
    size_t bucket;
    uint64_t number; /* of all buckets since creation, from 1 */
    /* Where the bucket begins in each of this peer's roots: flat buffers, or the node's windows. */
    float *root[DDPM_TREE_ROOTS];
    int requests;
    MPI_Request *request;
    float *received; /* [sources of other peers][received_floats] */
} journey;

struct ddpm_exchange {
    ddpm_comm *comm;
    const ddpm_cut *cut;
    size_t leaves;
    bool mpi;
    MPI_Comm line; /* all ranks: a duplicate for use in whatever thread */
    ddpm_alarm *alarm;
    /* Peers exchange segments: all ranks, or one rank a node, those of equal index in their node.
     * Peer p owns segment first_segment + p of every bucket. */
    MPI_Comm peers;
    int peer, peer_count, first_segment;
    ddpm_node *node;              /* NULL: every rank for itself */
    int node_ranks;               /* 1: likewise */
    size_t root_count, own_count; /* of this rank, of this peer */
    size_t source_count, local_count;
    ddpm_source *sources, *local; /* of all peers; of the ranks of this node */
    float **at;                   /* scratch: where each source is */
    size_t received_floats;       /* of one segment, a multiple of a cache line */
    journey trip[DDPM_EXCHANGE_SLOTS];
    uint64_t number; /* buckets begun since creation */
    /* The job at hand. */
    ddpm_job job;
    float *const *roots;
    size_t begun, done; /* buckets */
    uint64_t bytes_sent;
};

enum {
    /* Tags of a slot: the number of a root among its peer's, and the result. A slot's buckets come
     * one after the other on every rank, so MPI's order of messages tells them apart. */
    DDPM_TAG_RESULT = DDPM_TREE_ROOTS,
    DDPM_TAGS_A_SLOT,
    DDPM_TAG_ALARM = DDPM_EXCHANGE_SLOTS * DDPM_TAGS_A_SLOT
};

/* Room for the messages of a slot. DDPM_EOS. */
DDPM_NODISCARD ddpm_status ddpm_dist__messages_create(ddpm_exchange *exchange);
void ddpm_dist__messages_free(ddpm_exchange *exchange);
/* The segment that this rank owns. */
ddpm_span ddpm_dist__own_segment(const ddpm_exchange *exchange, const journey *trip);
/* Where a part of the bucket lies in one of its roots. */
float *ddpm_dist__in_root(const ddpm_exchange *exchange, const journey *trip, size_t root,
                          ddpm_span part);

/* Posts what this rank receives for its segment, and sends the other peers theirs. */
DDPM_NODISCARD ddpm_status ddpm_dist__post_roots(ddpm_exchange *exchange, journey *trip);
/* After that has arrived: finishes the tree of this rank's segment, into root 0. */
void ddpm_dist__finish_tree(ddpm_exchange *exchange, const journey *trip);
/* Sends this rank's segment of root 0 to all peers, and receives theirs. */
DDPM_NODISCARD ddpm_status ddpm_dist__post_results(ddpm_exchange *exchange, journey *trip);
/* The whole bucket, by MPI; roots are flat buffers. */
DDPM_NODISCARD ddpm_status ddpm_dist__post_allreduce(ddpm_exchange *exchange, journey *trip);
/* Whether all of it has arrived, and has been sent. */
DDPM_NODISCARD ddpm_status ddpm_dist__test_messages(bool *arrived, ddpm_exchange *exchange,
                                                    journey *trip);
#endif
