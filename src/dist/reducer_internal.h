/* A reducer from inside; and one with buckets of a chosen size and nodes of a chosen number of
 * ranks (0: as they are), so that tests see many of them. */
#ifndef DDPM_DIST_REDUCER_INTERNAL_H
#define DDPM_DIST_REDUCER_INTERNAL_H
#include "courier.h"
#include "cut.h"
#include "ddpm/dist/reducer.h"
#include "exchange.h"
#include "tree.h"

struct ddpm_reducer {
    ddpm_comm *comm;
    ddpm_reducer_options options;
    ddpm_cut cut;
    ddpm_exchange *exchange;
    ddpm_courier *courier;
    size_t floats, leaves;
    size_t first, count;  /* this rank's leaves */
    size_t next;          /* how many of them have begun in this step */
    size_t height, depth; /* of the stack: at most, now */
    ddpm_tree_node *node; /* [height]; partial sum k of the stack lies in buffer[k] */
    float **buffer;       /* [height] of [floats] */
    bool summing;         /* the last leaf is on its way to the other ranks */
    size_t joins;         /* how many of the stack's sums the last leaf completes */
    size_t ready;         /* of the last leaf, everything from this float on is final */
    size_t handed;        /* buckets */
    ddpm_span *span;      /* this rank's, one a bucket that is not empty */
    size_t spans, shard_floats;
    double *values; /* [leaves * width] of sum_f64, grown on demand */
    size_t values_room;
    int *counts, *offsets; /* [size], for gathering values */
};

DDPM_NODISCARD ddpm_status ddpm_dist__reducer_create(ddpm_reducer **out, ddpm_comm *comm,
                                                     size_t floats, size_t leaves,
                                                     const ddpm_reducer_options *options,
                                                     size_t bucket_floats, int node_ranks);
#endif
