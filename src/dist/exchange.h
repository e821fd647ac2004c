/* The upper part of the tree, across ranks, bucket by bucket. A bucket's segment is received from
 * every rank by its owner, who finishes the tree there and sends the result to all. Where nodes
 * have several ranks, each node first adds up its own subtrees in shared memory, every rank a part
 * of the bucket, and then only ranks of equal index exchange that part. Several buckets are on
 * their way at a time. Nothing here waits: who calls `advance` decides how to pass the time, so
 * that the same code runs in a thread beside the computation and in the main thread. */
#ifndef DDPM_DIST_EXCHANGE_H
#define DDPM_DIST_EXCHANGE_H
#include "cut.h"
#include "ddpm/dist/comm.h"

typedef struct ddpm_exchange ddpm_exchange;

/* What is done with a flat buffer. */
typedef enum {
    DDPM_JOB_SUM,       /* the sum over all leaves, whole on every rank */
    DDPM_JOB_SUM_OWNED, /* the sum, on every rank in the segments that it owns */
    DDPM_JOB_GATHER     /* every owner's segments, to all ranks */
} ddpm_job;

/* Bytes at most that it takes for what it receives, or for its part of the node's shared memory
 * (not if flat). Pure. */
size_t ddpm_dist__exchange_bytes(const ddpm_cut *cut, size_t leaves, int rank, int size, bool flat);
/* Takes all that a job needs, and a communicator of its own. `cut` must outlive it; mpi: sums are
 * MPI_Allreduce's; node_ranks: 0 adds up in the shared memory of each node first where ranks lie so
 * that it can be done, 1 does not, another number is for tests. Collective. DDPM_EOS. */
DDPM_NODISCARD ddpm_status ddpm_dist__exchange_create(ddpm_exchange **out, ddpm_comm *comm,
                                                      const ddpm_cut *cut, size_t leaves, bool mpi,
                                                      int node_ranks);
void ddpm_dist__exchange_free(ddpm_exchange *exchange); /* collective; takes NULL */

/* The segment of every bucket that a rank owns. */
int ddpm_dist__owned_segment(const ddpm_exchange *exchange, int rank);

/* A new job. roots[j]: flat buffers of this rank's subtrees in ascending order, all of which a sum
 * overwrites, leaving its result in roots[0]; or of a gather, roots[0] alone. Calls no MPI. */
void ddpm_dist__exchange_begin(ddpm_exchange *exchange, float *const *roots, ddpm_job job);
/* Goes as far as it can without waiting, where buckets 0 .. handed-1 are ready on this rank;
 * *progress says whether it got any further. After a failure, which is told to the other ranks as
 * far as they can still be reached, it cannot go on, and the communicator is broken. */
DDPM_NODISCARD ddpm_status ddpm_dist__exchange_advance(ddpm_exchange *exchange, size_t handed,
                                                       bool *progress);
/* Buckets of the job that are done with; the job ends at cut->count. */
size_t ddpm_dist__exchange_done(const ddpm_exchange *exchange);
uint64_t ddpm_dist__exchange_bytes_sent(const ddpm_exchange *exchange);
#endif
