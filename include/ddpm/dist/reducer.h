/** @file dist/reducer.h
 *  The sum of the gradients of a step's micro-batches, in one order for any number of ranks.
 *
 *  The G micro-batches are the leaves of one binary tree: for m = 1, 2, 4, ..: node[i] +=
 * node[i+m], i = 0, 2m, 4m, ... Rank r owns the contiguous interval of leaves that
 * ddpm_reducer_interval gives; it adds up every whole subtree inside (a stack of buffers, log2 of
 * its leaves high and a few more where intervals are not aligned), sends each root's segments to
 * the segments' owners, who finish the tree, and the segments are gathered. Additions are float32
 * and elementwise, so the bits depend on G alone (docs/architecture.md).
 *
 *  The flat buffer travels in buckets, from its end to its beginning, as the backward pass of the
 *  rank's last micro-batch finishes them, in a thread with a communicator of its own: while a sum
 *  is under way (from the last leaf's first ddpm_reducer_leaf_ready, or its ddpm_reducer_leaf_done,
 *  to ddpm_reducer_finish) the calling thread must not call MPI. */
#ifndef DDPM_DIST_REDUCER_H
#define DDPM_DIST_REDUCER_H
#include "ddpm/dist/comm.h"

typedef struct ddpm_reducer ddpm_reducer;

/** Floats [offset, offset + count) of a flat buffer. */
typedef struct {
    size_t offset, count;
} ddpm_span;

typedef struct {
    bool mpi;       /**< sums by MPI_Allreduce: other bits on other numbers of ranks */
    bool no_thread; /**< all communication in ddpm_reducer_finish */
    bool flat;      /**< no shared memory between the ranks of a node */
    /** 0: every rank gets the whole sum. Else every rank gets the sum in the spans that it owns,
     *  which begin on multiples of shard_grain floats; with mpi everything. */
    size_t shard_grain;
} ddpm_reducer_options;

/** Leaves [*first, *first + *count) of `leaves` for a rank: sizes differ by at most one. Pure. */
void ddpm_reducer_interval(size_t *first, size_t *count, size_t leaves, int rank, int size);
/** Bytes of buffers that a rank's reducer will take: partial sums, and what it receives; and the
 *  floats that it owns. Pure but for memory: DDPM_EOS. */
typedef struct {
    size_t gradient_bytes, exchange_bytes, shard_floats;
} ddpm_reducer_needs;
DDPM_NODISCARD ddpm_status ddpm_reducer_plan(ddpm_reducer_needs *needs, size_t floats,
                                             size_t leaves, int rank, int size,
                                             const ddpm_reducer_options *options);
/** What a rank sends a step to all others: as much as it receives, up to a few cache lines and
 *  partial sums. Pure. */
typedef struct {
    uint64_t bytes, messages;
    uint64_t bucket_bytes; /**< of the largest bucket */
} ddpm_reducer_traffic;
ddpm_reducer_traffic ddpm_reducer_sends(size_t floats, size_t leaves, int rank, int size);

/** For flat gradients of `floats` float32 and `leaves` micro-batches a step; options may be NULL:
 *  all 0. DDPM_EOS, and DDPM_ECONFIG where there are more ranks than leaves. Without
 *  MPI_THREAD_MULTIPLE there is no thread, and a warning says so. Collective. The caller owns *out;
 *  comm must outlive it. */
DDPM_NODISCARD ddpm_status ddpm_reducer_create(ddpm_reducer **out, ddpm_comm *comm, size_t floats,
                                               size_t leaves, const ddpm_reducer_options *options);
void ddpm_reducer_free(ddpm_reducer *reducer); /**< collective; takes NULL */

/** The buffer that the gradient of this rank's next leaf (in ascending order) is to be added into:
 *  zeroed, [floats]. Valid until ddpm_reducer_leaf_done. */
float *ddpm_reducer_leaf_begin(ddpm_reducer *reducer);
/** [offset, offset + count) of the leaf at hand is final, and everything behind it too. May be left
 *  out, altogether or for any part of the buffer; hides communication on the rank's last leaf. */
void ddpm_reducer_leaf_ready(ddpm_reducer *reducer, size_t offset, size_t count);
void ddpm_reducer_leaf_done(ddpm_reducer *reducer);
/** Collective, after the last leaf: *sum [floats], owned by the reducer until the next
 *  leaf_begin, is the root of the tree, the same bits on every rank; with shards only this rank's
 *  spans count, and the rest may be overwritten. DDPM_EINTERNAL, with the first failing rank's
 *  message where it can be had: the ranks can no longer reach each other. */
DDPM_NODISCARD ddpm_status ddpm_reducer_finish(ddpm_reducer *reducer, float **sum);

/** That buffer, for any use between ddpm_reducer_finish and the next leaf_begin. */
float *ddpm_reducer_buffer(ddpm_reducer *reducer);

/** Sums one double for each of the leaves in the same tree, on every rank: mine [count of this
 *  rank's leaves, width] -> sum [width]. For losses. Collective. */
DDPM_NODISCARD ddpm_status ddpm_reducer_sum_f64(ddpm_reducer *reducer, double *sum,
                                                const double *mine, size_t width);
/** Puts together values [count] of which each has one owner, and is 0 on all other ranks.
 *  Collective. */
DDPM_NODISCARD ddpm_status ddpm_reducer_merge_f64(ddpm_reducer *reducer, double *values,
                                                  size_t count);

/** The spans that this rank owns, *spans [returned number], the reducer's; those of all ranks cover
 *  the flat buffer once. One after the other in this order they make up a shard: a buffer of
 *  *floats. */
size_t ddpm_reducer_shard(const ddpm_reducer *reducer, const ddpm_span **spans, size_t *floats);
/** Every rank's spans of `flat` [floats] to all others. Collective. */
DDPM_NODISCARD ddpm_status ddpm_reducer_gather(ddpm_reducer *reducer, float *flat);
/** Every rank's shard into `flat` [floats] on rank 0; NULL elsewhere. Collective. */
DDPM_NODISCARD ddpm_status ddpm_reducer_collect(ddpm_reducer *reducer, float *flat,
                                                const float *shard);
/** The way back: `flat` [floats] on rank 0 into every rank's shard. Collective. */
DDPM_NODISCARD ddpm_status ddpm_reducer_scatter(ddpm_reducer *reducer, float *shard,
                                                const float *flat);

/** Since creation, on this rank. Seconds of communication are those with a bucket on its way, the
 *  wait for slower ranks included; exposed are those that the calling thread waited. */
typedef struct {
    double total_seconds, exposed_seconds;
    uint64_t bytes_sent;
} ddpm_reducer_stats;
ddpm_reducer_stats ddpm_reducer_get_stats(const ddpm_reducer *reducer);
#endif
