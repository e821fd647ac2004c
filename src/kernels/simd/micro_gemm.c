#include "micro_gemm.h"

#include "../sizes.h"
#include "../winograd.h"

/* As many rows as leave registers for b and for one element of a: 2 * 14 + 3 of AVX-512's 32,
 * 2 * 6 + 3 of the 16 of the others. */
#if defined __AVX512F__
#define FOR_ROW_COUNTS(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14)
enum { ROWS_MOST = 14 };
#else
#define FOR_ROW_COUNTS(X) X(1) X(2) X(3) X(4) X(5) X(6)
enum { ROWS_MOST = 6 };
#endif

enum { CACHE_LINE = 16, DEPTH_BLOCK = DDPM_DEPTH_BLOCK };

/* c [rows][PANEL] (+)= a b with c in registers. Of rows, row_stride and depth_stride, those that
 * are constants where this is inlined make it fast. */
INLINE void multiply_rows(const size_t rows, float *c, const float *a, const float *b,
                          const float *next, size_t depth, size_t row_stride, size_t depth_stride,
                          bool add)
{
    vec sum[ROWS_MOST][2];
    foreach (r, rows) sum[r][0] = sum[r][1] = (vec){ 0 };
    for (size_t d = 0; d < depth; d++) {
        const vec b0 = load(b), b1 = load(b + LANES);
        __builtin_prefetch(next);
        foreach (r, rows) {
            sum[r][0] += a[r * row_stride] * b0;
            sum[r][1] += a[r * row_stride] * b1;
        }
        a += depth_stride;
        b += PANEL;
        next += CACHE_LINE;
    }
    foreach (r, rows) {
        float *row = c + r * PANEL;
        store(row, add ? load(row) + sum[r][0] : sum[r][0]);
        store(row + LANES, add ? load(row + LANES) + sum[r][1] : sum[r][1]);
    }
}

typedef void multiply_fn(float *c, const float *a, const float *b, const float *next, size_t depth,
                         size_t stride, bool add);

#define DEFINE(rows)                                                                               \
    static void plain_##rows(float *c, const float *a, const float *b, const float *next,          \
                             size_t depth, size_t stride, bool add)                                \
    {                                                                                              \
        multiply_rows(rows, c, a, b, next, depth, stride, 1, add);                                 \
    }                                                                                              \
    static void transposed_##rows(float *c, const float *a, const float *b, const float *next,     \
                                  size_t depth, size_t stride, bool add)                           \
    {                                                                                              \
        multiply_rows(rows, c, a, b, next, depth, 1, stride, add);                                 \
    }
FOR_ROW_COUNTS(DEFINE)
#define PLAIN(rows)      plain_##rows,
#define TRANSPOSED(rows) transposed_##rows,
static multiply_fn *const plain[ROWS_MOST] = { FOR_ROW_COUNTS(PLAIN) };
static multiply_fn *const transposed[ROWS_MOST] = { FOR_ROW_COUNTS(TRANSPOSED) };

/* Even parts: 32 rows are 11 + 11 + 10 rather than 14 + 14 + 4, of which the last would be slow. */
static size_t next_rows(size_t left)
{
    const size_t parts = (left + ROWS_MOST - 1) / ROWS_MOST;
    return (left + parts - 1) / parts;
}

void MULTIPLY_PANEL(float *c, const float *a, const float *b, const float *next, size_t rows,
                    size_t depth, size_t a_stride)
{
    size_t fetched = 0;
    for (size_t r = 0, count; r < rows; r += count) {
        count = next_rows(rows - r);
        for (size_t d = 0; d < depth; d += DEPTH_BLOCK) {
            const size_t block = at_most(DEPTH_BLOCK, depth - d);
            plain[count - 1](c + r * PANEL, a + r * a_stride + d, b + d * PANEL, next + fetched,
                             block, a_stride, d > 0);
            fetched += block * CACHE_LINE;
            if (fetched >= depth * PANEL) fetched = 0;
        }
    }
}

void MULTIPLY_PANEL_TRANSPOSED(float *c, const float *a, const float *b, size_t rows, size_t depth,
                               size_t a_stride, bool add)
{
    for (size_t r = 0, count; r < rows; r += count) {
        count = next_rows(rows - r);
        for (size_t d = 0; d < depth; d += DEPTH_BLOCK) {
            const size_t block = at_most(DEPTH_BLOCK, depth - d);
            transposed[count - 1](c + r * PANEL, a + d * a_stride + r, b + d * PANEL,
                                  c + (r + count) * PANEL, block, a_stride, add || d > 0);
        }
    }
}
