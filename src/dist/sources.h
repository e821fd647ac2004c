/* Who brings what to the sum: the subtrees of all ranks, in the order of their leaves. */
#ifndef DDPM_DIST_SOURCES_H
#define DDPM_DIST_SOURCES_H
#include "ddpm/base/status.h"
#include "tree.h"

/* One subtree of one rank. */
typedef struct {
    int rank, number;
    ddpm_tree_node node;
} ddpm_source;

/* How many there are, and in *own how many of them are `rank`'s. Pure. */
size_t ddpm_dist__count_sources(size_t *own, size_t leaves, int rank, int size);
/* *out [*count], malloc'ed. DDPM_EOS. */
DDPM_NODISCARD ddpm_status ddpm_dist__list_sources(ddpm_source **out, size_t *count, size_t *own,
                                                   size_t leaves, int rank, int size);
/* Adds up data[s] [floats] of all sources as the tree does, in place; returns where the sum is. */
float *ddpm_dist__sum_sources(float *const *data, const ddpm_source *sources, size_t count,
                              size_t leaves, size_t floats);
/* a += b, elementwise; the second one with all threads. */
void ddpm_dist__add(float *a, const float *b, size_t count);
void ddpm_dist__add_threaded(float *a, const float *b, size_t count);
#endif
