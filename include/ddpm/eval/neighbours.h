/** @file eval/neighbours.h  Nearest neighbours by Euclidean distance, exactly, among rows that are
 *  read a block at a time. */
#ifndef DDPM_EVAL_NEIGHBOURS_H
#define DDPM_EVAL_NEIGHBOURS_H
#include "ddpm/dist/comm.h"

typedef struct {
    double square; /**< of the distance, summed in double; infinity where there are fewer rows */
    uint64_t index;
} ddpm_neighbour;

/** Rows first .. first + count - 1 into x [count,D]. */
typedef ddpm_status ddpm_row_reader(float *x, size_t first, size_t count, void *context);

typedef struct {
    const float *queries; /**< [n,D], the same on every rank */
    size_t n, d, k;
    size_t rows;
    ddpm_row_reader *read;
    void *context;
    ddpm_comm *comm; /**< the ranks that share the rows; NULL: this process alone */
} ddpm_neighbour_search;

/** out [n,k]: of each query the k nearest of `rows` rows, nearest first, of equals the one with the
 *  lower index, on every rank. Distances are found by matrix products in float32, and those that
 * may be among the nearest computed again in double, so the result depends on the numbers alone.
 * Memory grows with n, not with rows. Collective. DDPM_EOS, or what a reader failed with. */
DDPM_NODISCARD ddpm_status ddpm_neighbours_find(ddpm_neighbour *out,
                                                const ddpm_neighbour_search *search);
#endif
