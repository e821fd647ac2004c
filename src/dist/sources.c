#include "sources.h"

#include "ddpm/dist/reducer.h"

#include <assert.h>
#include <stdlib.h>

void ddpm_dist__add(float *restrict a, const float *restrict b, size_t count)
{
#pragma omp simd
    for (size_t i = 0; i < count; i++) a[i] += b[i];
}

void ddpm_dist__add_threaded(float *restrict a, const float *restrict b, size_t count)
{
    enum { WORTH_A_THREAD = 1 << 15 };
#pragma omp parallel for simd schedule(static) if (count > WORTH_A_THREAD)
    for (size_t i = 0; i < count; i++) a[i] += b[i];
}

static size_t roots_of(ddpm_tree_node roots[DDPM_TREE_ROOTS], size_t leaves, int rank, int size)
{
    size_t first, count, height;
    ddpm_reducer_interval(&first, &count, leaves, rank, size);
    return ddpm_dist__tree_roots(roots, &height, first, count, leaves);
}

size_t ddpm_dist__count_sources(size_t *own, size_t leaves, int rank, int size)
{
    size_t count = 0;
    for (int r = 0; r < size; r++) {
        ddpm_tree_node roots[DDPM_TREE_ROOTS];
        const size_t found = roots_of(roots, leaves, r, size);
        if (r == rank) *own = found;
        count += found;
    }
    return count;
}

ddpm_status ddpm_dist__list_sources(ddpm_source **out, size_t *count, size_t *own, size_t leaves,
                                    int rank, int size)
{
    *count = ddpm_dist__count_sources(own, leaves, rank, size);
    assert(*count > 0);
    ddpm_source *next = *out = calloc(*count, sizeof *next);
    if (!next) return ddpm_fail(DDPM_EOS, "no memory for the reduction's plan");
    for (int r = 0; r < size; r++) {
        ddpm_tree_node roots[DDPM_TREE_ROOTS];
        const size_t found = roots_of(roots, leaves, r, size);
        for (size_t j = 0; j < found; j++) *next++ = (ddpm_source){ r, (int)j, roots[j] };
    }
    return DDPM_OK;
}

float *ddpm_dist__sum_sources(float *const *data, const ddpm_source *sources, size_t count,
                              size_t leaves, size_t floats)
{
    struct {
        ddpm_tree_node node;
        float *data;
    } stack[DDPM_TREE_ROOTS];
    size_t depth = 0;
    for (size_t s = 0; s < count; s++) {
        assert(depth < DDPM_TREE_ROOTS);
        stack[depth].node = sources[s].node;
        stack[depth].data = data[s];
        depth++;
        while (depth > 1 &&
               ddpm_dist__tree_joins(stack[depth - 2].node, stack[depth - 1].node, leaves)) {
            ddpm_dist__add(stack[depth - 2].data, stack[depth - 1].data, floats);
            stack[depth - 2].node.count += stack[depth - 1].node.count;
            depth--;
        }
    }
    assert(depth == 1 && stack[0].node.count == leaves);
    return stack[0].data;
}
