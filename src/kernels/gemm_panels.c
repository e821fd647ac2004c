/* Matrix products by the kernels of simd/micro_gemm.c: a panel of columns of B is packed into the
 * first-level cache's worth of stack and meets all rows of a block; A is read where it lies. Every
 * element of C is summed in the same order however the product is cut. */
#include "gemm_panels.h"

#include "sizes.h"
#include "table.h"

#include <stdalign.h>
#include <string.h>

enum {
    PANEL_MOST = 32,
    DEPTH = 256, /* of a packed panel: 32 KB */
    DEPTH_BLOCK = 128,
    ROWS = 512,    /* with DEPTH, what a core's second-level cache holds of A */
    ROWS_FEW = 28, /* so few do not pay for packing */
    ROWS_AT_ONCE = 14,
    CACHE_LINE = 16
};

bool ddpm_kernels__gemm_panels_suit(const ddpm_gemm_op *op)
{
    const size_t panel = ddpm_kernels__table()->panel;
    return (op->beta == 0.0f || op->beta == 1.0f) && op->n >= panel && op->m > 1 && op->k >= 8;
}

static void multiply_panel(float *c, const float *a, const float *b, const ddpm_panel_product *op,
                           bool bf16)
{
    const ddpm_kernel_table *kernels = ddpm_kernels__table();
    if (bf16)
        kernels->multiply_panel_bf16(c, (const uint32_t *)a, (const uint32_t *)b, op);
    else
        kernels->multiply_panel(c, a, b, op);
}

/* The columns at the end that do not fill a panel: by way of a panel that is filled up. */
static void multiply_edge(float *c, size_t columns, const float *a, const float *b,
                          const ddpm_panel_product *op, bool bf16)
{
    enum { AT_ONCE = 28 };
    alignas(64) float whole[AT_ONCE * PANEL_MOST];
    const ddpm_kernel_table *kernels = ddpm_kernels__table();
    for (size_t r = 0; r < op->rows; r += AT_ONCE) {
        ddpm_panel_product part = *op;
        part.rows = at_most(AT_ONCE, op->rows - r);
        part.c_stride = kernels->panel;
        float *to = c + r * op->c_stride;
        for (size_t i = 0; op->add && i < part.rows; i++)
            memcpy(whole + i * kernels->panel, to + i * op->c_stride, columns * sizeof *c);
        multiply_panel(whole, a + r * op->a_row, b, &part, bf16);
        for (size_t i = 0; i < part.rows; i++)
            memcpy(to + i * op->c_stride, whole + i * kernels->panel, columns * sizeof *c);
    }
}

void ddpm_kernels__multiply_columns(float *c, size_t columns, const float *a, const float *b,
                                    const ddpm_panel_product *op, bool bf16)
{
    if (columns == ddpm_kernels__table()->panel)
        multiply_panel(c, a, b, op, bf16);
    else
        multiply_edge(c, columns, a, b, op, bf16);
}

/* What comes next into the cache: A where the first panel goes through it, later B's next panel. */
static void fetch_next(ddpm_panel_product *product, const float *a, const float *b_next,
                       const ddpm_gemm_op *op, bool first)
{
    const size_t panel = ddpm_kernels__table()->panel;
    if (first) {
        product->next = a + ROWS_AT_ONCE * product->a_row;
        product->next_row = product->a_row;
        product->next_depth = op->transpose_a ? product->a_depth : CACHE_LINE;
    } else {
        product->next = b_next;
        product->next_depth = op->transpose_b ? panel : op->ldb;
    }
}

/* Rows of C, sums over `depth` products from a and b on. */
static void multiply_block(float *c, const float *a, const float *b, const ddpm_gemm_op *op,
                           const ddpm_panel_product *block)
{
    alignas(64) float packed[DEPTH * PANEL_MOST];
    const ddpm_kernel_table *kernels = ddpm_kernels__table();
    const size_t panel = kernels->panel, b_column = op->transpose_b ? op->ldb : 1;
    const bool as_it_is = block->rows <= ROWS_FEW && !op->transpose_b && op->alpha == 1.0f;
    for (size_t j = 0; j < op->n; j += panel) {
        const size_t columns = at_most(panel, op->n - j);
        const float *from = b + j * b_column;
        ddpm_panel_product product = *block;
        fetch_next(&product, a, from + panel * b_column, op, j == 0);
        product.b_stride = as_it_is && columns == panel ? op->ldb : panel;
        if (product.b_stride == panel) {
            kernels->pack_panel(packed, from,
                                &(ddpm_panel_source){ .depth = block->depth,
                                                      .columns = columns,
                                                      .stride = op->ldb,
                                                      .transposed = op->transpose_b,
                                                      .factor = op->alpha });
            from = packed;
        }
        ddpm_kernels__multiply_columns(c + j, columns, a, from, &product, false);
    }
}

void ddpm_kernels__gemm_panels(float *c, const float *a, const float *b, const ddpm_gemm_op *op)
{
    const size_t b_depth = op->transpose_b ? 1 : op->ldb;
    ddpm_panel_product block = { .depth_block = DEPTH_BLOCK,
                                 .a_row = op->transpose_a ? 1 : op->lda,
                                 .a_depth = op->transpose_a ? op->lda : 1,
                                 .c_stride = op->ldc };
    for (size_t i = 0; i < op->m; i += ROWS) {
        block.rows = at_most(ROWS, op->m - i);
        for (size_t d = 0; d < op->k; d += DEPTH) {
            block.depth = at_most(DEPTH, op->k - d);
            block.add = op->beta != 0.0f || d > 0;
            multiply_block(c + i * op->ldc, a + i * block.a_row + d * block.a_depth,
                           b + d * b_depth, op, &block);
        }
    }
}
