/* Matrix products whose factors are rounded to bfloat16 while they are packed, A a block of rows
 * and depth at a time, B a panel at a time; sums stay in float32. */
#include "gemm_panels.h"
#include "sizes.h"
#include "table.h"

#include <stdalign.h>

enum {
    SIDE_LEAST = 32, /* shorter products stay in float32: packing would take longer */
    PANEL_MOST = 32,
    DEPTH = 256, /* numbers; half as many pairs */
    DEPTH_BLOCK = 64,
    ROWS = 128,
    A_ROW = DEPTH / 2 + 16 /* powers of two would share cache sets */
};

bool ddpm_kernels__gemm_bf16_suits(const ddpm_gemm_op *op)
{
    return op->bf16 && (op->beta == 0.0f || op->beta == 1.0f) && op->m >= SIDE_LEAST &&
           op->n >= SIDE_LEAST && op->k >= SIDE_LEAST;
}

/* [rows][A_ROW], or, of a transposed A, [depth / 2][ROWS]. */
static void pack_a(uint32_t *packed, const float *a, size_t rows, size_t depth,
                   const ddpm_gemm_op *op)
{
    const ddpm_kernel_table *kernels = ddpm_kernels__table();
    if (!op->transpose_a) {
        for (size_t r = 0; r < rows; r++)
            kernels->pack_pairs(packed + r * A_ROW, a + r * op->lda, depth);
        return;
    }
    for (size_t d = 0; d < depth; d += 2)
        kernels->pack_row_pairs(packed + d / 2 * ROWS, a + d * op->lda,
                                d + 1 < depth ? a + (d + 1) * op->lda : NULL, rows);
}

/* Rows of C, sums over block->depth pairs from b on. */
static void multiply_block(float *c, const uint32_t *a, const float *b, size_t depth,
                           const ddpm_gemm_op *op, const ddpm_panel_product *block)
{
    alignas(64) uint32_t packed[DEPTH / 2 * PANEL_MOST];
    const ddpm_kernel_table *kernels = ddpm_kernels__table();
    const size_t panel = kernels->panel, b_column = op->transpose_b ? op->ldb : 1;
    for (size_t j = 0; j < op->n; j += panel) {
        const ddpm_panel_source from = { .depth = depth,
                                         .columns = at_most(panel, op->n - j),
                                         .stride = op->ldb,
                                         .transposed = op->transpose_b,
                                         .factor = op->alpha };
        ddpm_panel_product product = *block;
        product.next = b + (j + panel) * b_column;
        kernels->pack_panel_bf16(packed, b + j * b_column, &from);
        ddpm_kernels__multiply_columns(c + j, from.columns, (const float *)a, (const float *)packed,
                                       &product, true);
    }
}

void ddpm_kernels__gemm_bf16(float *c, const float *a, const float *b, const ddpm_gemm_op *op)
{
    alignas(64) uint32_t packed[ROWS * A_ROW];
    const size_t a_row = op->transpose_a ? 1 : op->lda, a_depth = op->transpose_a ? op->lda : 1;
    const size_t b_depth = op->transpose_b ? 1 : op->ldb, panel = ddpm_kernels__table()->panel;
    ddpm_panel_product block = { .depth_block = DEPTH_BLOCK,
                                 .a_row = op->transpose_a ? 1 : A_ROW,
                                 .a_depth = op->transpose_a ? ROWS : 1,
                                 .b_stride = panel,
                                 .c_stride = op->ldc,
                                 .next_depth = op->transpose_b ? panel : 2 * op->ldb };
    for (size_t i = 0; i < op->m; i += ROWS) {
        block.rows = at_most(ROWS, op->m - i);
        for (size_t d = 0; d < op->k; d += DEPTH) {
            const size_t depth = at_most(DEPTH, op->k - d);
            block.depth = ceil_div(depth, 2);
            block.add = op->beta != 0.0f || d > 0;
            pack_a(packed, a + i * a_row + d * a_depth, block.rows, depth, op);
            multiply_block(c + i * op->ldc, packed, b + d * b_depth, depth, op, &block);
        }
    }
}
