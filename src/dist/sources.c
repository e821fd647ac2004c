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

static size_t roots_of(ddpm_tree_node roots[DDPM_TREE_ROOTS], const ddpm_peers *peers, int peer)
{
    const int begin = (peers->first + peer) * peers->ranks, last = begin + peers->ranks - 1;
    size_t first, end, count, height;
    ddpm_reducer_interval(&first, &count, peers->leaves, begin, peers->size);
    ddpm_reducer_interval(&end, &count, peers->leaves, last, peers->size);
    return ddpm_dist__tree_roots(roots, &height, first, end + count - first, peers->leaves);
}

size_t ddpm_dist__count_sources(size_t *most, const ddpm_peers *peers)
{
    size_t count = 0;
    *most = 0;
    for (int p = 0; p < peers->count; p++) {
        ddpm_tree_node roots[DDPM_TREE_ROOTS];
        const size_t found = roots_of(roots, peers, p);
        if (found > *most) *most = found;
        count += found;
    }
    return count;
}

ddpm_status ddpm_dist__list_sources(ddpm_source **out, size_t *count, const ddpm_peers *peers)
{
    size_t most;
    *count = ddpm_dist__count_sources(&most, peers);
    assert(*count > 0);
    ddpm_source *next = *out = calloc(*count, sizeof *next);
    if (!next) return ddpm_fail(DDPM_EOS, "no memory for the reduction's plan");
    for (int p = 0; p < peers->count; p++) {
        ddpm_tree_node roots[DDPM_TREE_ROOTS];
        const size_t found = roots_of(roots, peers, p);
        for (size_t j = 0; j < found; j++) *next++ = (ddpm_source){ p, (int)j, roots[j] };
    }
    return DDPM_OK;
}

size_t ddpm_dist__sum_sources(float **data, const ddpm_source *sources, size_t count, size_t leaves,
                              size_t floats)
{
    ddpm_tree_node stack[DDPM_TREE_ROOTS];
    size_t depth = 0;
    for (size_t s = 0; s < count; s++) {
        assert(depth < DDPM_TREE_ROOTS && depth <= s);
        stack[depth] = sources[s].node;
        data[depth++] = data[s];
        while (depth > 1 && ddpm_dist__tree_joins(stack[depth - 2], stack[depth - 1], leaves)) {
            ddpm_dist__add(data[depth - 2], data[depth - 1], floats);
            stack[depth - 2].count += stack[depth - 1].count;
            depth--;
        }
    }
    return depth;
}
