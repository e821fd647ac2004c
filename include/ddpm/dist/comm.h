/** @file dist/comm.h  The ranks that train one model; the only layer that sees MPI. */
#ifndef DDPM_DIST_COMM_H
#define DDPM_DIST_COMM_H
#include "ddpm/base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ddpm_comm ddpm_comm;

/** Starts MPI (MPI_THREAD_MULTIPLE where it is to be had, else what there is) and makes a
 *  communicator of all ranks, with errors returned rather than fatal. Collective. Works without
 *  mpirun: one rank. DDPM_ECONFIG where the launcher started more processes than this world has
 *  ranks (srun without --mpi=pmix, another MPI's mpiexec): each would train alone. The caller owns
 * *out. */
DDPM_NODISCARD ddpm_status ddpm_comm_start(ddpm_comm **out, int *argc, char ***argv);
/** Ends MPI. Collective; takes NULL. */
void ddpm_comm_stop(ddpm_comm *comm);
/** Ends every rank of the job with this exit code, now. Does not return. */
_Noreturn void ddpm_comm_abort(ddpm_comm *comm, int exit_code);

int ddpm_comm_rank(const ddpm_comm *comm);
int ddpm_comm_size(const ddpm_comm *comm);
int ddpm_comm_node_rank(const ddpm_comm *comm); /**< among the ranks of this node */
int ddpm_comm_node_size(const ddpm_comm *comm);
int ddpm_comm_node_count(const ddpm_comm *comm);
const char *ddpm_comm_host(const ddpm_comm *comm);
/** "Open MPI 4.1.4, tcp/vader" or so: for the start message. */
const char *ddpm_comm_library(const ddpm_comm *comm);

/** For debugging: from now on, before every collective call of this layer, ranks compare which it
 * is and which came before. Where they differ it fails on all ranks with DDPM_EINTERNAL, naming the
 *  first rank that differs and both calls, where it would hang or mix up data. Collective. */
DDPM_NODISCARD ddpm_status ddpm_comm_check_collectives(ddpm_comm *comm);

/** Whether MPI_THREAD_MULTIPLE was granted: without it nothing communicates beside the computation.
 */
bool ddpm_comm_has_threads(const ddpm_comm *comm);

/** The ranks of this node as a communicator of their own, with hosts and nodes as they are.
 *  Collective. The caller owns *out and frees it before `comm` is stopped. */
DDPM_NODISCARD ddpm_status ddpm_comm_split_node(ddpm_comm **out, ddpm_comm *comm);
/** Of a communicator that was split off. Collective among its ranks; takes NULL. */
void ddpm_comm_free(ddpm_comm *comm);

/** Collective: DDPM_OK where every rank's is, else the failure of the lowest rank that failed, with
 *  its message, on every rank. Call before any collective that follows work that can fail. */
DDPM_NODISCARD ddpm_status ddpm_comm_agree(ddpm_comm *comm, ddpm_status mine);
DDPM_NODISCARD ddpm_status ddpm_comm_barrier(ddpm_comm *comm);
/** `bytes` from root to all, in pieces of at most 8 MiB. */
DDPM_NODISCARD ddpm_status ddpm_comm_broadcast(ddpm_comm *comm, void *data, size_t bytes, int root);
/** Largest value over ranks, elementwise, in place. */
DDPM_NODISCARD ddpm_status ddpm_comm_max_u64(ddpm_comm *comm, uint64_t *values, size_t count);
/** Sums are not to be had here: they have one order (reducer.h). Each rank's block gathered in rank
 *  order on every rank: all [size * count]. */
DDPM_NODISCARD ddpm_status ddpm_comm_allgather_f64(ddpm_comm *comm, double *all, const double *mine,
                                                   size_t count);
/** Fails on every rank with DDPM_ECONFIG, naming `what` and the first rank that differs, where
 *  `text` is not the same on all ranks. */
DDPM_NODISCARD ddpm_status ddpm_comm_require_same(ddpm_comm *comm, const char *what,
                                                  const char *text);
/** Blocks of different sizes gathered on rank 0 in rank order: all_bytes[size] and all are filled
 * on rank 0 only (all must hold the sum). */
DDPM_NODISCARD ddpm_status ddpm_comm_gather(ddpm_comm *comm, void *all, const void *mine,
                                            size_t bytes, size_t *all_bytes);
#endif
