#include "cut.h"
#include "ddpm/dist/reducer.h"
#include "tree.h"

/* A rank sends a segment of each of its partial sums to the segment's owner, and its own finished
 * segment to all, bucket by bucket. Segments differ by a cache line: here they are equal. Ranks
 * that add up in their node's memory first send less. */
ddpm_reducer_traffic ddpm_reducer_sends(size_t floats, size_t leaves, int rank, int size)
{
    if (size == 1) return (ddpm_reducer_traffic){ .bytes = 0 };
    ddpm_tree_node roots[DDPM_TREE_ROOTS];
    size_t first, count, height;
    ddpm_reducer_interval(&first, &count, leaves, rank, size);
    const size_t sums = ddpm_dist__tree_roots(roots, &height, first, count, leaves);
    const size_t peers = (size_t)size - 1;
    const size_t bucket = ddpm_dist__bucket_floats(size);
    const size_t buckets = ddpm_dist__bucket_count(floats, bucket);
    const size_t segment = (floats + (size_t)size - 1) / (size_t)size;
    const uint64_t segments = (uint64_t)(sums + 1) * peers;
    return (ddpm_reducer_traffic){ .bytes = segments * segment * sizeof(float),
                                   .messages = segments * buckets,
                                   .bucket_bytes = bucket * sizeof(float) };
}
