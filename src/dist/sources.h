/* Who brings what to the sum: subtrees in the order of their leaves. A peer is a rank, or all ranks
 * of a node taken together. */
#ifndef DDPM_DIST_SOURCES_H
#define DDPM_DIST_SOURCES_H
#include "ddpm/base/status.h"
#include "tree.h"

/* One subtree of one peer. */
typedef struct {
    int peer, number;
    ddpm_tree_node node;
} ddpm_source;

/* `ranks` ranks together are one peer; peers [first, first + count) are meant. */
typedef struct {
    size_t leaves;
    int size; /* ranks in all */
    int ranks, first, count;
} ddpm_peers;

/* Subtrees of all peers, and those of the peer that has most. Pure. */
size_t ddpm_dist__count_sources(size_t *most, const ddpm_peers *peers);
/* *out [*count], malloc'ed; peers are numbered from 0. DDPM_EOS. */
DDPM_NODISCARD ddpm_status ddpm_dist__list_sources(ddpm_source **out, size_t *count,
                                                   const ddpm_peers *peers);
/* Adds up data[s] [floats] of the sources as far as the tree allows, in place. Returns how many
 * sums are left; data [that many] then says where they are. */
size_t ddpm_dist__sum_sources(float **data, const ddpm_source *sources, size_t count, size_t leaves,
                              size_t floats);
/* a += b, elementwise; the second one with all threads. */
void ddpm_dist__add(float *a, const float *b, size_t count);
void ddpm_dist__add_threaded(float *a, const float *b, size_t count);
#endif
