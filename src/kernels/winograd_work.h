/* How Winograd's work (winograd.h) is cut into blocks of tiles, panels of channels and threads. */
#ifndef DDPM_KERNELS_WINOGRAD_WORK_H
#define DDPM_KERNELS_WINOGRAD_WORK_H
#include "ddpm/base/arena.h"
#include "sizes.h"
#include "winograd.h"

#include <string.h>

enum {
    WINOGRAD_PAD = 48,        /* floats between positions: powers of two would share cache sets */
    WINOGRAD_ROW = 16,        /* rows of V begin on cache lines */
    WINOGRAD_FEW_TILES = 128, /* so few: work is cut into panels of channels instead of tiles */
    TILES_A_TURN = 4,         /* tiles that a thread transforms at a time; even, for pairs */
    CHANNELS_A_TURN = 64      /* channels, of weights; a multiple of every vector's length */
};

/* y [N,H,W,K] = x convolved with w [9][C][K], or, adjoint, with w [9][K][C] rotated and transposed;
 * packed is U or NULL. */
typedef struct {
    float *y;
    const float *x, *w, *packed;
    bool adjoint;
    ddpm_conv3x3_addends addends;
} ddpm_winograd_call;

void ddpm_kernels__winograd_convolve(const ddpm_winograd_call *call, ddpm_arena *scratch,
                                     int threads, ddpm_winograd op,
                                     const ddpm_winograd_kernels *kernels);
/* dw += */
void ddpm_kernels__winograd_weight_gradient(float *dw, const float *dy, const float *x,
                                            ddpm_arena *scratch, int threads, ddpm_winograd op,
                                            const ddpm_winograd_kernels *kernels);
/* U of all panels; inside of a parallel region its threads share the work. */
void ddpm_kernels__winograd_weights(float *u, const float *w, bool adjoint, const ddpm_winograd *op,
                                    const ddpm_winograd_kernels *kernels);

static inline size_t tiles_of(const ddpm_winograd *op)
{
    return op->in.n * op->rows * op->columns;
}

static inline void set_block(ddpm_winograd *op, const ddpm_winograd_kernels *kernels, size_t tiles)
{
    op->block = tiles;
    op->v_stride = tiles * op->c_row + WINOGRAD_PAD;
    op->m_stride = tiles * kernels->panel + WINOGRAD_PAD;
}

/* Whether the work is cut into panels: V of all tiles is small against U. */
static inline bool few_tiles(const ddpm_winograd *op, int threads)
{
    return tiles_of(op) <= WINOGRAD_FEW_TILES && op->panels >= (size_t)threads;
}

static inline size_t u_panel(const ddpm_winograd *op, const ddpm_winograd_kernels *kernels)
{
    return kernels->positions * op->u_stride;
}

static inline size_t u_floats(const ddpm_winograd *op, const ddpm_winograd_kernels *kernels)
{
    return op->panels * u_panel(op, kernels);
}

static inline void take_zeros(ddpm_winograd *op, ddpm_arena *scratch)
{
    const size_t count = at_least(op->in.c, op->k);
    op->zeros = ddpm_arena_take(scratch, count, sizeof *op->zeros);
    if (scratch->base) memset(op->zeros, 0, count * sizeof *op->zeros);
}

#endif
