/** @file data/prefetch.h
 *  A thread that reads the batches of the coming steps. What it will read is known for all time
 *  (order.h), so there is no state to save: create it at any sample index. */
#ifndef DDPM_DATA_PREFETCH_H
#define DDPM_DATA_PREFETCH_H
#include "ddpm/data/dataset.h"

typedef struct ddpm_prefetch ddpm_prefetch;

/** A request's images. */
typedef struct {
    const float *x;               /**< [count,H,W,C] */
    const uint64_t *sample_index; /**< [count], global */
    const int64_t *label;         /**< [count]; NULL where the set has none */
} ddpm_batch;

/** Images per request, and which: request k of step s covers samples
 *  s * global_batch + first + k * count .. + count - 1, k = 0 .. per_step - 1. */
typedef struct {
    uint64_t seed, global_batch, first_step;
    size_t first, count, per_step; /**< this rank's part: micro-batches of `count` images */
    bool flip;
    size_t depth; /**< requests read ahead, at least 1 */
} ddpm_prefetch_options;

/** Starts the thread, which from now on owns reading from `set` (still closed by the caller, after
 *  free). DDPM_EOS. */
DDPM_NODISCARD ddpm_status ddpm_prefetch_create(ddpm_prefetch **out, ddpm_dataset *set,
                                                const ddpm_prefetch_options *options);
void ddpm_prefetch_free(ddpm_prefetch *prefetch); /**< stops the thread; takes NULL */
/** The next request's images, valid until the next call. Waits where they are not there yet, and
 *  counts the wait. Failure of a read comes here. */
DDPM_NODISCARD ddpm_status ddpm_prefetch_next(ddpm_prefetch *prefetch, ddpm_batch *batch);
double ddpm_prefetch_seconds_waited(const ddpm_prefetch *prefetch);
#endif
