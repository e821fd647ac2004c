/* Pairs in bfloat16 for the products of micro_gemm.c. */
#include "../sizes.h"
#include "bf16.h"
#include "micro_gemm.h"
#include "transpose.h"

static void pack_rows(uint32_t *panel, const float *b, const ddpm_panel_source *from)
{
    for (size_t d = 0; d < from->depth; d += 2, panel += PANEL, b += 2 * from->stride)
        foreach (half, 2) {
            const size_t first = half * LANES;
            const size_t left = from->columns > first ? from->columns - first : 0;
            const bool odd = left && d + 1 < from->depth;
            __builtin_prefetch(b + 32 * from->stride + first);
            __builtin_prefetch(b + 33 * from->stride + first);
            const vec x = left ? load_upto(b + first, left) : (vec){ 0 };
            const vec y = odd ? load_upto(b + from->stride + first, left) : (vec){ 0 };
            store_words(panel + first, pair(from->factor * x, from->factor * y));
        }
}

/* LANES rows of the panel at a time: a column of it is pairs of neighbours in a row of b. */
static void pack_columns(uint32_t *panel, const float *b, const ddpm_panel_source *from)
{
    for (size_t d = 0; d < from->depth; d += 2 * LANES)
        for (size_t first = 0; first < PANEL; first += LANES) {
            const size_t left = from->depth - d, pairs = (left + 1) / 2;
            vec rows[LANES];
            for (size_t i = 0; i < LANES; i++) {
                vec part[2] = { { 0 }, { 0 } };
                const float *row = b + (first + i) * from->stride + d;
                if (first + i < from->columns) {
                    part[0] = from->factor * load_upto(row, left);
                    if (left > LANES) part[1] = from->factor * load_upto(row + LANES, left - LANES);
                }
                foreach (k, 2) store_neighbours((float *)&rows[i] + k * (LANES / 2), part[k]);
            }
            transpose(rows);
            for (size_t i = 0; i < LANES && i < pairs; i++)
                store_words(panel + (d / 2 + i) * PANEL + first, (words)rows[i]);
        }
}

void DDPM_K(pack_panel_bf16)(uint32_t *panel, const float *b, const ddpm_panel_source *from)
{
    (from->transposed ? pack_columns : pack_rows)(panel, b, from);
}

void DDPM_K(pack_pairs)(uint32_t *pairs, const float *x, size_t n)
{
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) store_neighbours(pairs + i / 2, load(x + i));
    if (i < n) store_some_neighbours(pairs + i / 2, load_some(x + i, n - i), round_up(n - i, 2));
}

void DDPM_K(pack_row_pairs)(uint32_t *pairs, const float *even, const float *odd, size_t n)
{
    for (size_t i = 0; i < n; i += LANES) {
        const vec high = odd ? load_upto(odd + i, n - i) : (vec){ 0 };
        const words both = pair(load_upto(even + i, n - i), high);
        if (n - i >= LANES)
            store_words(pairs + i, both);
        else
            memcpy(pairs + i, &both, (n - i) * sizeof *pairs);
    }
}
