/* Winograd's algorithm for the weight gradient. */
#include "winograd_work.h"

#include <omp.h>

enum {
    BLOCK_ROWS = 64
}; /* of V and D that are made before dU is updated: tiles or pairs of them */

_Static_assert(BLOCK_ROWS % DDPM_DEPTH_BLOCK == 0, "or sums depend on how work is cut");

/* Room for some tiles of V, and of D for some panels. Returns the rows that hold them. */
static size_t set_rows(ddpm_winograd *op, const ddpm_winograd_kernels *kernels, size_t tiles,
                       size_t panels)
{
    const size_t rows = ceil_div(tiles, kernels->per_word);
    op->block = tiles;
    op->v_stride = rows * op->c_row + WINOGRAD_PAD;
    op->d_stride = panels * rows * kernels->panel + WINOGRAD_PAD;
    return rows;
}

/* V of some tiles; inside of a parallel region its threads share the work. */
static void transform_input(float *v, const float *x, size_t first, size_t count,
                            const ddpm_winograd *op, const ddpm_winograd_kernels *kernels)
{
#pragma omp for schedule(dynamic)
    for (size_t t = 0; t < count; t += TILES_A_TURN)
        kernels->input_by_tiles(v + t / kernels->per_word * op->c_row, x, first + t,
                                at_most(TILES_A_TURN, count - t), op);
}

/* V and D of a block of tiles, shared by all threads; then dU, each thread some panels and
 * positions; after the last block dw. */
static void weight_gradient_by_tiles(float *dw, const float *dy, const float *x,
                                     ddpm_arena *scratch, int threads, ddpm_winograd op,
                                     const ddpm_winograd_kernels *kernels)
{
    const size_t tiles = tiles_of(&op);
    const size_t rows = set_rows(&op, kernels, at_most(BLOCK_ROWS * kernels->per_word, tiles),
                                 op.panels);
    float *du = ddpm_arena_take(scratch, u_floats(&op, kernels), sizeof *du);
    float *v = ddpm_arena_take(scratch, kernels->positions * op.v_stride, sizeof *v);
    float *d = ddpm_arena_take(scratch, kernels->positions * op.d_stride, sizeof *d);
    if (!scratch->base) return;

#pragma omp parallel num_threads(threads)
    {
        for (size_t first = 0; first < tiles; first += op.block) {
            const size_t count = at_most(op.block, tiles - first);
            transform_input(v, x, first, count, &op, kernels);
#pragma omp for schedule(dynamic)
            for (size_t panel = 0; panel < op.panels; panel++)
                kernels->output_gradient(d + panel * rows * kernels->panel, dy, panel, first, count,
                                         &op);
#pragma omp for collapse(2) schedule(dynamic)
            for (size_t panel = 0; panel < op.panels; panel++)
                for (size_t p = 0; p < kernels->positions; p++)
                    kernels->multiply_gradient(du + panel * u_panel(&op, kernels) + p * op.u_stride,
                                               v + p * op.v_stride,
                                               d + p * op.d_stride + panel * rows * kernels->panel,
                                               op.in.c, count, first > 0, &op);
        }
#pragma omp for collapse(2) schedule(dynamic)
        for (size_t panel = 0; panel < op.panels; panel++)
            for (size_t c = 0; c < op.in.c; c += CHANNELS_A_TURN)
                kernels->weight_gradient(dw,
                                         du + panel * u_panel(&op, kernels) + c * kernels->panel,
                                         panel, c, at_most(CHANNELS_A_TURN, op.in.c - c), &op);
    }
}

/* The same for few tiles: V of all of them, then panel after panel, whose D and dU do not leave the
 * cache. Threads share the panels. Sums are the same as above, tile by tile in blocks of depth. */
static void weight_gradient_by_panels(float *dw, const float *dy, const float *x,
                                      ddpm_arena *scratch, int threads, ddpm_winograd op,
                                      const ddpm_winograd_kernels *kernels)
{
    const size_t tiles = tiles_of(&op), turn = at_most(op.in.c, 2 * CHANNELS_A_TURN);
    set_rows(&op, kernels, tiles, 1);
    op.u_stride = turn * kernels->panel + WINOGRAD_PAD;
    const size_t d_count = kernels->positions * op.d_stride;
    const size_t each = d_count + u_panel(&op, kernels);
    float *v = ddpm_arena_take(scratch, kernels->positions * op.v_stride, sizeof *v);
    float *buffers = ddpm_arena_take(scratch, (size_t)threads * each, sizeof *buffers);
    if (!scratch->base) return;

#pragma omp parallel num_threads(threads)
    {
        float *d = buffers + (size_t)omp_get_thread_num() * each, *du = d + d_count;
        transform_input(v, x, 0, tiles, &op, kernels);
#pragma omp for schedule(dynamic)
        for (size_t panel = 0; panel < op.panels; panel++) {
            kernels->output_gradient(d, dy, panel, 0, tiles, &op);
            for (size_t c = 0; c < op.in.c; c += turn) {
                const size_t c_count = at_most(turn, op.in.c - c);
                for (size_t p = 0; p < kernels->positions; p++)
                    kernels->multiply_gradient(du + p * op.u_stride, v + p * op.v_stride + c,
                                               d + p * op.d_stride, c_count, tiles, false, &op);
                kernels->weight_gradient(dw, du, panel, c, c_count, &op);
            }
        }
    }
}

void ddpm_kernels__winograd_weight_gradient(float *dw, const float *dy, const float *x,
                                            ddpm_arena *scratch, int threads, ddpm_winograd op,
                                            const ddpm_winograd_kernels *kernels)
{
    take_zeros(&op, scratch);
    if (few_tiles(&op, threads))
        weight_gradient_by_panels(dw, dy, x, scratch, threads, op, kernels);
    else
        weight_gradient_by_tiles(dw, dy, x, scratch, threads, op, kernels);
}
