/* Winograd's algorithm for the forward pass and, with the adjoint's weights, the input gradient. */
#include "winograd_work.h"

#include <omp.h>

enum {
    CACHE_FLOATS = 1 << 17, /* of V and M of a block: a core's own cache */
    ROWS = 14               /* tiles that the widest kernel takes at once */
};

/* Tiles of a block of the forward pass: as many as fit into the cache with V and M, but some for
 * every thread, and all blocks of a length. No sum depends on it. */
static size_t block_tiles(const ddpm_winograd *op, const ddpm_winograd_kernels *kernels,
                          int threads)
{
    const size_t tiles = tiles_of(op), each = ceil_div(tiles, (size_t)threads);
    const size_t fit = CACHE_FLOATS / (kernels->positions * (op->c_row + kernels->panel));
    const size_t most = at_least(fit / ROWS, 1) * ROWS;
    return ceil_div(each, ceil_div(each, most));
}

void ddpm_kernels__winograd_weights(float *u, const float *w, bool adjoint, const ddpm_winograd *op,
                                    const ddpm_winograd_kernels *kernels)
{
#pragma omp for collapse(2) schedule(dynamic)
    for (size_t panel = 0; panel < op->panels; panel++)
        for (size_t c = 0; c < op->in.c; c += CHANNELS_A_TURN)
            kernels->weights(u + panel * u_panel(op, kernels), w, panel, c,
                             at_most(CHANNELS_A_TURN, op->in.c - c), adjoint, op);
}

/* Block after block of tiles: V and M stay in a core's cache and U streams through it. Threads
 * share the blocks. */
static void convolve_by_tiles(const ddpm_winograd_call *call, ddpm_arena *scratch, int threads,
                              ddpm_winograd op, const ddpm_winograd_kernels *kernels)
{
    const size_t tiles = tiles_of(&op);
    set_block(&op, kernels, block_tiles(&op, kernels, threads));
    float *own_u = NULL;
    if (!call->packed) own_u = ddpm_arena_take(scratch, u_floats(&op, kernels), sizeof *own_u);
    const size_t v_count = kernels->positions * op.v_stride;
    const size_t m_count = kernels->positions * op.m_stride;
    const size_t each = v_count + m_count + round_up(op.k, WINOGRAD_ROW);
    float *buffers = ddpm_arena_take(scratch, (size_t)threads * each, sizeof *buffers);
    if (!scratch->base) return;

#pragma omp parallel num_threads(threads)
    {
        ddpm_winograd mine = op;
        float *v = buffers + (size_t)omp_get_thread_num() * each, *m = v + v_count;
        const float *u = call->packed ? call->packed : own_u;
        mine.nowhere = m + m_count;
        if (!call->packed)
            ddpm_kernels__winograd_weights(own_u, call->w, call->adjoint, &op, kernels);
#pragma omp for schedule(dynamic)
        for (size_t first = 0; first < tiles; first += op.block) {
            const size_t count = at_most(op.block, tiles - first);
            kernels->input(v, call->x, first, count, &mine);
            for (size_t panel = 0; panel < op.panels; panel++) {
                const size_t next = panel + 1 < op.panels ? panel + 1 : 0;
                kernels->multiply(m, v, u + panel * u_panel(&op, kernels),
                                  u + next * u_panel(&op, kernels), count, &mine);
                kernels->output(call->y, m, &call->addends, panel, first, count, &mine);
            }
        }
    }
}

/* V of all tiles; inside of a parallel region its threads share the work. */
static void transform_input(float *v, const float *x, size_t tiles, const ddpm_winograd *op,
                            const ddpm_winograd_kernels *kernels)
{
#pragma omp for schedule(dynamic)
    for (size_t t = 0; t < tiles; t += TILES_A_TURN)
        kernels->input(v + t * op->c_row, x, t, at_most(TILES_A_TURN, tiles - t), op);
}

/* Panel after panel of channels, where there are few tiles: the panel of U is made, used on all
 * tiles and forgotten without leaving the cache, and V streams. Threads share the panels. */
static void convolve_by_panels(const ddpm_winograd_call *call, ddpm_arena *scratch, int threads,
                               ddpm_winograd op, const ddpm_winograd_kernels *kernels)
{
    const size_t tiles = tiles_of(&op), block = ceil_div(tiles, ceil_div(tiles, 2 * ROWS));
    set_block(&op, kernels, tiles);
    op.m_stride = block * kernels->panel + WINOGRAD_PAD;
    const size_t u_count = call->packed ? 0 : u_panel(&op, kernels);
    const size_t m_count = kernels->positions * op.m_stride;
    const size_t each = u_count + m_count + round_up(op.k, WINOGRAD_ROW);
    float *v = ddpm_arena_take(scratch, kernels->positions * op.v_stride, sizeof *v);
    float *buffers = ddpm_arena_take(scratch, (size_t)threads * each, sizeof *buffers);
    if (!scratch->base) return;

#pragma omp parallel num_threads(threads)
    {
        ddpm_winograd mine = op;
        float *own_u = buffers + (size_t)omp_get_thread_num() * each, *m = own_u + u_count;
        mine.nowhere = m + m_count;
        transform_input(v, call->x, tiles, &op, kernels);
#pragma omp for schedule(dynamic)
        for (size_t panel = 0; panel < op.panels; panel++) {
            const float *u = own_u;
            if (call->packed)
                u = call->packed + panel * u_panel(&op, kernels);
            else
                kernels->weights(own_u, call->w, panel, 0, op.in.c, call->adjoint, &op);
            for (size_t first = 0; first < tiles; first += block) {
                const size_t count = at_most(block, tiles - first);
                kernels->multiply(m, v + first * op.c_row, u, u, count, &mine);
                kernels->output(call->y, m, &call->addends, panel, first, count, &mine);
            }
        }
    }
}

void ddpm_kernels__winograd_convolve(const ddpm_winograd_call *call, ddpm_arena *scratch,
                                     int threads, ddpm_winograd op,
                                     const ddpm_winograd_kernels *kernels)
{
    take_zeros(&op, scratch);
    if (few_tiles(&op, threads))
        convolve_by_panels(call, scratch, threads, op, kernels);
    else
        convolve_by_tiles(call, scratch, threads, op, kernels);
}
