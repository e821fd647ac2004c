/* The shape of the sum over micro-batches: one binary tree over `leaves` leaves,
 *   for m = 1, 2, 4, ..: node[i] += node[i+m], i = 0, 2m, 4m, ..,
 * where a node without a right sibling is its own parent. Pure functions of numbers. */
#ifndef DDPM_DIST_TREE_H
#define DDPM_DIST_TREE_H
#include <stdbool.h>
#include <stddef.h>

/* The leaves [first, first + count) that one partial sum covers. */
typedef struct {
    size_t first, count;
} ddpm_tree_node;

/* An interval of leaves falls into at most this many whole subtrees: two a level. */
enum { DDPM_TREE_ROOTS = 128 };

/* Whether the tree adds `right` to `left` directly. */
bool ddpm_dist__tree_joins(ddpm_tree_node left, ddpm_tree_node right, size_t leaves);
/* The whole subtrees of leaves [first, first + count) in ascending order, as they are left when the
 * leaves come one by one and are added up as soon as they join. *height: the most partial sums that
 * are alive at once on the way. Returns how many subtrees there are. */
size_t ddpm_dist__tree_roots(ddpm_tree_node roots[DDPM_TREE_ROOTS], size_t *height, size_t first,
                             size_t count, size_t leaves);
#endif
