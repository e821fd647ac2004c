#include "micro_gemm.h"

#include "../sizes.h"
#include "bf16.h"
#include "transpose.h"

/* As many rows as leave registers for b and for one element of a: 2 * 14 + 3 of AVX-512's 32,
 * 2 * 6 + 3 of the 16 of the others. */
#if defined __AVX512F__
#define FOR_ROW_COUNTS(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14)
enum { ROWS_MOST = 14 };
#else
#define FOR_ROW_COUNTS(X) X(1) X(2) X(3) X(4) X(5) X(6)
enum { ROWS_MOST = 6 };
#endif

enum { CACHE_LINE = 16, GROUPS = 2 };

INLINE vec add_product(vec sum, const float *a, vec b, const bool pairs)
{
    if (pairs) return add_products(sum, (words){ 0 } + *(const word_at *)a, (words)b);
    return sum + *a * b;
}

/* c [rows][PANEL] (+)= a b with c in registers; `pairs`: a and b are pairs in bfloat16. Of rows and
 * the strides of a, those that are constants where this is inlined make it fast. */
INLINE void multiply_rows(const size_t rows, const bool pairs, float *c, const float *a,
                          const float *b, const float *next, size_t depth, size_t a_row,
                          size_t a_depth, const ddpm_panel_product *op, bool add)
{
    vec sum[ROWS_MOST][2];
    const size_t b_stride = op->b_stride;
    foreach (r, rows) {
        sum[r][0] = sum[r][1] = (vec){ 0 };
        if (op->c_stride == PANEL) continue;
        __builtin_prefetch(c + r * op->c_stride, 1);
        __builtin_prefetch(c + r * op->c_stride + LANES, 1);
    }
    for (size_t d = 0; d < depth; d++) {
        const vec b0 = load(b), b1 = load(b + LANES);
        __builtin_prefetch(next);
        foreach (r, rows) {
            sum[r][0] = add_product(sum[r][0], a + r * a_row, b0, pairs);
            sum[r][1] = add_product(sum[r][1], a + r * a_row, b1, pairs);
        }
        a += a_depth;
        b += b_stride;
        next += op->next_depth;
    }
    foreach (r, rows) {
        float *row = c + r * op->c_stride;
        store(row, add ? load(row) + sum[r][0] : sum[r][0]);
        store(row + LANES, add ? load(row + LANES) + sum[r][1] : sum[r][1]);
    }
}

typedef void multiply_fn(float *c, const float *a, const float *b, const float *next, size_t depth,
                         const ddpm_panel_product *op, bool add);

#define DEFINE_KIND(kind, rows, pairs, a_row, a_depth)                                             \
    static void kind##_##rows(float *c, const float *a, const float *b, const float *next,         \
                              size_t depth, const ddpm_panel_product *op, bool add)                \
    {                                                                                              \
        multiply_rows(rows, pairs, c, a, b, next, depth, a_row, a_depth, op, add);                 \
    }
#define DEFINE(rows)                                                                               \
    DEFINE_KIND(plain, rows, false, op->a_row, 1)                                                  \
    DEFINE_KIND(transposed, rows, false, 1, op->a_depth)                                           \
    DEFINE_KIND(plain_pairs, rows, true, op->a_row, 1)                                             \
    DEFINE_KIND(transposed_pairs, rows, true, 1, op->a_depth)
FOR_ROW_COUNTS(DEFINE)
#define PLAIN(rows)            plain_##rows,
#define TRANSPOSED(rows)       transposed_##rows,
#define PLAIN_PAIRS(rows)      plain_pairs_##rows,
#define TRANSPOSED_PAIRS(rows) transposed_pairs_##rows,
static multiply_fn *const floats[2][ROWS_MOST] = { { FOR_ROW_COUNTS(PLAIN) },
                                                   { FOR_ROW_COUNTS(TRANSPOSED) } };
static multiply_fn *const pairs[2][ROWS_MOST] = { { FOR_ROW_COUNTS(PLAIN_PAIRS) },
                                                  { FOR_ROW_COUNTS(TRANSPOSED_PAIRS) } };

/* Even parts: 32 rows are 11 + 11 + 10 rather than 14 + 14 + 4, of which the last would be slow. */
static size_t next_rows(size_t left)
{
    const size_t parts = (left + ROWS_MOST - 1) / ROWS_MOST;
    return (left + parts - 1) / parts;
}

/* Some groups of rows, which share a block of b while it is in the first-level cache. */
INLINE void multiply_groups(float *c, const float *a, const float *b, size_t first, size_t rows,
                            const ddpm_panel_product *op, multiply_fn *const *multiply)
{
    for (size_t d = 0; d < op->depth; d += op->depth_block) {
        const size_t block = at_most(op->depth_block, op->depth - d);
        for (size_t r = first, count, line = 0; r < first + rows; r += count) {
            const float *next = op->next + (op->next_row ? r * op->next_row : line);
            count = next_rows(first + rows - r);
            multiply[count - 1](c + r * op->c_stride, a + r * op->a_row + d * op->a_depth,
                                b + d * op->b_stride, next + d * op->next_depth, block, op,
                                op->add || d > 0);
            line = (line + CACHE_LINE) % PANEL;
        }
    }
}

static void multiply_all(float *c, const float *a, const float *b, const ddpm_panel_product *op,
                         multiply_fn *const kinds[2][ROWS_MOST])
{
    enum { ROWS = GROUPS * ROWS_MOST };
    multiply_fn *const *multiply = kinds[op->a_depth != 1];
    for (size_t r = 0, rows; r < op->rows; r += rows) {
        const size_t left = op->rows - r;
        rows = left < 2 * ROWS ? left : ROWS;
        multiply_groups(c, a, b, r, rows, op, multiply);
    }
}

void DDPM_K(multiply_panel)(float *c, const float *a, const float *b, const ddpm_panel_product *op)
{
    multiply_all(c, a, b, op, floats);
}

void DDPM_K(multiply_panel_bf16)(float *c, const uint32_t *a, const uint32_t *b,
                                 const ddpm_panel_product *op)
{
    multiply_all(c, (const float *)a, (const float *)b, op, pairs);
}

static void pack_rows(float *panel, const float *b, const ddpm_panel_source *from)
{
    for (size_t d = 0; d < from->depth; d++, panel += PANEL, b += from->stride)
        foreach (half, 2) {
            const size_t first = half * LANES;
            const size_t left = from->columns > first ? from->columns - first : 0;
            __builtin_prefetch(b + 32 * from->stride + first);
            const vec v = left ? load_upto(b + first, left) : (vec){ 0 };
            store(panel + first, from->factor * v);
        }
}

/* LANES rows of the panel at a time: a column of it is a row of b. */
static void pack_columns(float *panel, const float *b, const ddpm_panel_source *from)
{
    for (size_t d = 0; d < from->depth; d += LANES)
        for (size_t first = 0; first < PANEL; first += LANES) {
            const size_t left = from->depth - d;
            vec rows[LANES];
            for (size_t i = 0; i < LANES; i++)
                rows[i] = first + i < from->columns
                              ? from->factor * load_upto(b + (first + i) * from->stride + d, left)
                              : (vec){ 0 };
            transpose(rows);
            for (size_t i = 0; i < LANES && i < left; i++)
                store(panel + (d + i) * PANEL + first, rows[i]);
        }
}

void DDPM_K(pack_panel)(float *panel, const float *b, const ddpm_panel_source *from)
{
    (from->transposed ? pack_columns : pack_rows)(panel, b, from);
}
