/** @file dist/reducer.h
 *  The sum of the gradients of a step's micro-batches, in one order for any number of ranks.
 *
 *  The G micro-batches are the leaves of one binary tree: for m = 1, 2, 4, ..: node[i] +=
 * node[i+m], i = 0, 2m, 4m, ... Rank r owns the contiguous interval of leaves that
 * ddpm_reducer_interval gives; it adds up every whole subtree inside (a stack of buffers, log2 of
 * its leaves high and a few more where intervals are not aligned), sends each root's segments to
 * the segments' owners, who finish the tree, and the segments are gathered. Additions are float32
 * and elementwise, so the bits depend on G alone (docs/architecture.md). */
#ifndef DDPM_DIST_REDUCER_H
#define DDPM_DIST_REDUCER_H
#include "ddpm/dist/comm.h"

typedef struct ddpm_reducer ddpm_reducer;

/** Leaves [*first, *first + *count) of `leaves` for a rank: sizes differ by at most one. Pure. */
void ddpm_reducer_interval(size_t *first, size_t *count, size_t leaves, int rank, int size);
/** Bytes of buffers that a rank's reducer will take: partial sums, and what it receives. Pure. */
typedef struct {
    size_t gradient_bytes, exchange_bytes;
} ddpm_reducer_needs;
ddpm_reducer_needs ddpm_reducer_plan(size_t floats, size_t leaves, int rank, int size);
/** What a rank sends a step to all others: as much as it receives, up to a few cache lines and
 *  partial sums. Pure. */
typedef struct {
    uint64_t bytes, messages;
} ddpm_reducer_traffic;
ddpm_reducer_traffic ddpm_reducer_sends(size_t floats, size_t leaves, int rank, int size);

/** For flat gradients of `floats` float32 and `leaves` micro-batches a step; DDPM_EOS, and
 *  DDPM_ECONFIG where there are more ranks than leaves. Collective. The caller owns *out; comm must
 *  outlive it. */
DDPM_NODISCARD ddpm_status ddpm_reducer_create(ddpm_reducer **out, ddpm_comm *comm, size_t floats,
                                               size_t leaves);
void ddpm_reducer_free(ddpm_reducer *reducer);

/** The buffer that the gradient of this rank's next leaf (in ascending order) is to be added into:
 *  zeroed, [floats]. Valid until ddpm_reducer_leaf_done. */
float *ddpm_reducer_leaf_begin(ddpm_reducer *reducer);
void ddpm_reducer_leaf_done(ddpm_reducer *reducer);
/** Collective, after the last leaf: *sum [floats], owned by the reducer until the next
 *  leaf_begin, is the root of the tree, the same bits on every rank. */
DDPM_NODISCARD ddpm_status ddpm_reducer_finish(ddpm_reducer *reducer, float **sum);

/** Sums one double for each of the leaves in the same tree, on every rank: mine [count of this
 *  rank's leaves, width] -> sum [width]. For losses. Collective. */
DDPM_NODISCARD ddpm_status ddpm_reducer_sum_f64(ddpm_reducer *reducer, double *sum,
                                                const double *mine, size_t width);

typedef struct {
    double total_seconds, exposed_seconds; /**< of communication, since creation */
    uint64_t bytes_sent;
} ddpm_reducer_stats;
ddpm_reducer_stats ddpm_reducer_get_stats(const ddpm_reducer *reducer);
#endif
