#include "tree.h"

#include <assert.h>

bool ddpm_dist__tree_joins(ddpm_tree_node left, ddpm_tree_node right, size_t leaves)
{
    /* A node with a right sibling is full, so left.count is its power of two m. The right sibling
     * is full too, or the last of its level and cut short by the end of the leaves. */
    return right.first == left.first + left.count && left.first % (2 * left.count) == 0 &&
           (right.count == left.count || right.first + right.count == leaves);
}

size_t ddpm_dist__tree_roots(ddpm_tree_node roots[DDPM_TREE_ROOTS], size_t *height, size_t first,
                             size_t count, size_t leaves)
{
    assert(first + count <= leaves);
    size_t depth = 0;
    *height = 0;
    for (size_t i = 0; i < count; i++) {
        assert(depth < DDPM_TREE_ROOTS);
        roots[depth++] = (ddpm_tree_node){ first + i, 1 };
        if (depth > *height) *height = depth;
        while (depth > 1 && ddpm_dist__tree_joins(roots[depth - 2], roots[depth - 1], leaves)) {
            roots[depth - 2].count += roots[depth - 1].count;
            depth--;
        }
    }
    return depth;
}
