/** @file eval/neighbours.h  Nearest neighbours by Euclidean distance, exactly, among rows that are
 *  read a block at a time. */
#ifndef DDPM_EVAL_NEIGHBOURS_H
#define DDPM_EVAL_NEIGHBOURS_H
#include "ddpm/base/status.h"

#include <stddef.h>
#include <stdint.h>

typedef struct {
    double square; /**< of the distance, summed in double; infinity where there are fewer rows */
    uint64_t index;
} ddpm_neighbour;

/** Rows first .. first + count - 1 into x [count,D]. */
typedef ddpm_status ddpm_row_reader(float *x, size_t first, size_t count, void *context);

/** out [n,k]: of each query [n,D] the k nearest of `rows` rows, nearest first, of equals the one
 *  with the lower index. Distances are found by matrix products in float32, and those that may be
 *  among the nearest computed again in double. DDPM_EOS, or what the reader failed with. */
DDPM_NODISCARD ddpm_status ddpm_neighbours_find(ddpm_neighbour *out, const float *queries, size_t n,
                                                size_t d, size_t k, size_t rows,
                                                ddpm_row_reader *reader, void *context);
#endif
