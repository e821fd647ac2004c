#include "plan.h"

#include "ddpm/base/memory.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>

ddpm_status ddpm_nn__plan_add(size_t *id, ddpm_nn__plan *plan, size_t bytes, size_t first,
                              size_t last)
{
    assert(first <= last);
    if (plan->count == plan->capacity) {
        const size_t capacity = plan->capacity ? 2 * plan->capacity : 64;
        ddpm_nn__buffer *buffer = realloc(plan->buffer, capacity * sizeof *buffer);
        if (!buffer) return ddpm_fail(DDPM_EOS, "out of memory: a plan of %zu buffers", capacity);
        plan->buffer = buffer;
        plan->capacity = capacity;
    }
    const size_t unit = DDPM_ALIGNMENT_BYTES;
    plan->buffer[plan->count] = (ddpm_nn__buffer){ .bytes = (bytes + unit - 1) / unit * unit,
                                                   .first = first,
                                                   .last = last };
    *id = plan->count++;
    return DDPM_OK;
}

void ddpm_nn__plan_extend(ddpm_nn__plan *plan, size_t id, size_t step)
{
    assert(id < plan->count);
    ddpm_nn__buffer *b = &plan->buffer[id];
    if (step < b->first) b->first = step;
    if (step > b->last) b->last = step;
}

static bool live_together(const ddpm_nn__buffer *a, const ddpm_nn__buffer *b)
{
    return a->first <= b->last && b->first <= a->last;
}

/* First fit: the lowest offset at which b overlaps none of the placed buffers (ids, sorted by
 * offset) that live when it does. */
static size_t first_fit(const ddpm_nn__buffer *b, const ddpm_nn__plan *plan, const size_t *placed,
                        size_t count)
{
    size_t offset = 0;
    for (size_t i = 0; i < count; i++) {
        const ddpm_nn__buffer *p = &plan->buffer[placed[i]];
        if (!live_together(b, p)) continue;
        if (offset + b->bytes <= p->offset) break;
        if (p->offset + p->bytes > offset) offset = p->offset + p->bytes;
    }
    return offset;
}

/* Larger buffers first: they find a place while there is room for them, small ones fill the gaps.
 * Equal ones in the order they were added, so that the layout is the same everywhere. */
static void sort_by_size(size_t *order, const ddpm_nn__plan *plan)
{
    for (size_t id = 0; id < plan->count; id++) {
        size_t at = id;
        for (; at > 0 && plan->buffer[order[at - 1]].bytes < plan->buffer[id].bytes; at--)
            order[at] = order[at - 1];
        order[at] = id;
    }
}

ddpm_status ddpm_nn__plan_place(ddpm_nn__plan *plan)
{
    const size_t n = plan->count;
    size_t *order = calloc(2 * n + 1, sizeof *order);
    if (!order) return ddpm_fail(DDPM_EOS, "out of memory: placing %zu buffers", n);
    size_t *placed = order + n;
    sort_by_size(order, plan);

    plan->arena_bytes = 0;
    for (size_t i = 0; i < n; i++) {
        ddpm_nn__buffer *b = &plan->buffer[order[i]];
        b->offset = first_fit(b, plan, placed, i);
        const size_t end = b->offset + b->bytes;
        if (end > plan->arena_bytes) plan->arena_bytes = end;
        size_t at = i;
        for (; at > 0 && plan->buffer[placed[at - 1]].offset > b->offset; at--)
            placed[at] = placed[at - 1];
        placed[at] = order[i];
    }
    free(order);
    return DDPM_OK;
}

void ddpm_nn__plan_free(ddpm_nn__plan *plan)
{
    free(plan->buffer);
    *plan = (ddpm_nn__plan){ 0 };
}
