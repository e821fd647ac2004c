/* The kernels of winograd.h for any tile size, LANES channels at a time. The including file has
 * set TILE, the one-dimensional transforms (*_1d), PER_WORD and DDPM_T, which names its functions;
 * a transform of a tile applies the one-dimensional one to its rows and then to its columns. */
#include "../sizes.h"
#include "../winograd.h"
#include "bf16.h"
#include "micro_gemm.h"
#include "transpose.h"

enum { SIDE = TILE + 2, POSITIONS = SIDE * SIDE };

/* Calls transform(..., lanes) for lanes == LANES with a constant, so that full vectors are loaded
 * and stored as such. */
#define FOR_LANES(count, transform, ...)                                                           \
    do {                                                                                           \
        if ((count) >= LANES)                                                                      \
            transform(__VA_ARGS__, LANES);                                                         \
        else                                                                                       \
            transform(__VA_ARGS__, (count));                                                       \
    } while (0)

/* Row `index` of a factor, in words [index / PER_WORD]: an odd row joins the one before it. */
INLINE void store_row(float *to, vec x, size_t index)
{
    if (PER_WORD == 1)
        store(to, x);
    else if (index % 2 == 0)
        store_words(to, to_low(x));
    else
        store_words(to, load_words(to) | to_low(x) << 16);
}

/* Of neighbouring channels. */
INLINE void store_channels(float *to, vec x)
{
    if (PER_WORD == 1)
        store(to, x);
    else
        store_neighbours(to, x);
}

INLINE void multiply_words(float *c, const float *a, const float *b, const ddpm_panel_product *op)
{
    if (PER_WORD == 1)
        DDPM_K(multiply_panel)(c, a, b, op);
    else
        DDPM_K(multiply_panel_bf16)(c, (const uint32_t *)a, (const uint32_t *)b, op);
}

typedef struct {
    size_t n, row, column; /* the image, and the first pixel of the tile's output */
} place;

INLINE place place_of(size_t tile, const ddpm_winograd *op)
{
    const size_t of_image = op->rows * op->columns, within = tile % of_image;
    return (place){ tile / of_image, within / op->columns * TILE, within % op->columns * TILE };
}

/* Addresses of side x side pixels whose first is (row, column); `outside` for those beyond the
 * image. Counting wraps below 0, so that one comparison finds both borders. */
INLINE void find_pixels(float **pixel, const size_t side, float *image, size_t row, size_t column,
                        size_t channels, float *outside, const ddpm_winograd *op)
{
    foreach (i, side) {
        foreach (j, side) {
            const size_t y = row + i, x = column + j;
            const bool inside = (y < op->in.h) & (x < op->in.w);
            pixel[i * side + j] = inside ? image + (y * op->in.w + x) * channels : outside;
        }
    }
}

/* Tiles lie far apart in memory and few loads are under way at a time, so that what the next tile
 * will read is asked for while this one is worked on. */
INLINE void fetch_pixels(float *const *pixel, const size_t count, size_t c)
{
    foreach (i, count) __builtin_prefetch(pixel[i] + c);
}

/* To pairs of channels, or, with by_tiles, as tile number t of pairs of tiles. */
INLINE void transform_input(float *v, float *const *pixel, size_t c, size_t stride, bool by_tiles,
                            size_t t, size_t lanes)
{
    vec half[SIDE][SIDE];
    foreach (i, SIDE) {
        vec row[SIDE];
        foreach (j, SIDE) row[j] = load_upto(pixel[i * SIDE + j] + c, lanes);
        input_1d(half[i], row);
    }
    foreach (j, SIDE) {
        vec column[SIDE], out[SIDE];
        foreach (i, SIDE) column[i] = half[i][j];
        input_1d(out, column);
        foreach (i, SIDE) {
            float *to = v + (i * SIDE + j) * stride;
            if (by_tiles)
                store_row(to, out[i], t);
            else
                store_channels(to, out[i]);
        }
    }
}

static void find_input(float *pixel[POSITIONS], const float *x, size_t tile,
                       const ddpm_winograd *op)
{
    const place at = place_of(tile, op);
    const size_t image = op->in.h * op->in.w * op->in.c;
    find_pixels(pixel, SIDE, (float *)x + at.n * image, at.row - 1, at.column - 1, op->in.c,
                op->zeros, op);
}

INLINE void transform_inputs(float *v, const float *x, size_t first, size_t count,
                             const ddpm_winograd *op, bool by_tiles)
{
    const size_t c_count = op->in.c;
    float *pixel[2][POSITIONS];
    find_input(pixel[0], x, first, op);
    for (size_t t = 0; t < count; t++) {
        float **const now = pixel[t % 2], **const next = pixel[(t + 1) % 2];
        float *const row = v + (by_tiles ? t / PER_WORD : t) * op->c_row;
        find_input(next, x, first + (t + 1 < count ? t + 1 : t), op);
        for (size_t c = 0; c < c_count; c += LANES) {
            fetch_pixels(next, POSITIONS, c);
            FOR_LANES(c_count - c, transform_input, row + (by_tiles ? c : c / PER_WORD), now, c,
                      op->v_stride, by_tiles, t);
        }
    }
}

static void DDPM_T(input)(float *v, const float *x, size_t first, size_t count,
                          const ddpm_winograd *op)
{
    transform_inputs(v, x, first, count, op, false);
}

static void DDPM_T(input_by_tiles)(float *v, const float *x, size_t first, size_t count,
                                   const ddpm_winograd *op)
{
    transform_inputs(v, x, first, count, op, true);
}

/* U of channel c and LANES columns from g [9], vectors of LANES columns each. */
INLINE void transform_weights(float *u, const vec g[9], size_t c, size_t stride)
{
    vec half[3][SIDE];
    foreach (i, 3) weights_1d(half[i], g + 3 * i);
    foreach (j, SIDE) {
        vec column[3], out[SIDE];
        foreach (i, 3) column[i] = half[i][j];
        weights_1d(out, column);
        foreach (i, SIDE) store_row(u + (i * SIDE + j) * stride, out[i], c);
    }
}

/* The weights of c_count channels and LANES columns from w on, w [9][C][K], of which the last ones
 * may lie beyond K and count as 0. */
INLINE void pack_columns(float *u, const float *w, size_t c_count, size_t columns,
                         const ddpm_winograd *op)
{
    const size_t tap_stride = op->in.c * op->k;
    for (size_t c = 0; c < c_count; c++, w += op->k) {
        vec g[9];
        foreach (t, 9) g[t] = columns ? load_upto(w + t * tap_stride, columns) : (vec){ 0 };
        transform_weights(u + c / PER_WORD * PANEL, g, c, op->u_stride);
    }
}

static void pack_weights(float *u, const float *w, size_t panel, size_t c_first, size_t c_count,
                         const ddpm_winograd *op)
{
    for (size_t k = panel * PANEL; k < (panel + 1) * PANEL; k += LANES) {
        float *to = u + c_first / PER_WORD * PANEL + k % PANEL;
        const float *from = w + c_first * op->k + k;
        if (k + LANES <= op->k)
            pack_columns(to, from, c_count, LANES, op);
        else
            pack_columns(to, from, c_count, k < op->k ? op->k - k : 0, op);
    }
}

/* The same for LANES channels from c on, of the rotated and transposed weights: w [9][K][C]. */
static void pack_weights_adjoint(float *u, const float *w, size_t c, size_t k,
                                 const ddpm_winograd *op)
{
    const size_t c_left = op->in.c - c, k_left = k < op->k ? op->k - k : 0;
    vec g[LANES][9];
    for (size_t t = 0; t < 9; t++) {
        vec rows[LANES];
        for (size_t i = 0; i < LANES; i++)
            rows[i] = i < k_left ? load_upto(w + ((8 - t) * op->k + k + i) * op->in.c + c, c_left)
                                 : (vec){ 0 };
        transpose(rows);
        for (size_t i = 0; i < LANES; i++) g[i][t] = rows[i];
    }
    for (size_t i = 0; i < LANES && i < c_left; i++)
        transform_weights(u + i / PER_WORD * PANEL, g[i], i, op->u_stride);
}

static void DDPM_T(weights)(float *u, const float *w, size_t panel, size_t c_first, size_t c_count,
                            bool adjoint, const ddpm_winograd *op)
{
    if (!adjoint) {
        pack_weights(u, w, panel, c_first, c_count, op);
        return;
    }
    for (size_t c = c_first; c < c_first + c_count; c += LANES)
        for (size_t half = 0; half < PANEL; half += LANES)
            pack_weights_adjoint(u + c / PER_WORD * PANEL + half, w, c, panel * PANEL + half, op);
}

static void DDPM_T(multiply)(float *m, const float *v, const float *u, const float *next,
                             size_t count, const ddpm_winograd *op)
{
    ddpm_panel_product product = { .rows = count,
                                   .depth = ceil_div(op->in.c, PER_WORD),
                                   .depth_block = DDPM_DEPTH_BLOCK,
                                   .a_row = op->c_row,
                                   .a_depth = 1,
                                   .b_stride = PANEL,
                                   .c_stride = PANEL,
                                   .next_depth = PANEL };
    for (size_t p = 0; p < POSITIONS; p++) {
        const float *panel = u + p * op->u_stride;
        product.next = p + 1 < POSITIONS ? panel + op->u_stride : next;
        multiply_words(m + p * op->m_stride, v + p * op->v_stride, panel, &product);
    }
}

/* The pixels of a tile's output side in an image of y, dy or the residual. */
INLINE void find_output(float *pixel[TILE * TILE], float *y, size_t tile, float *outside,
                        const ddpm_winograd *op)
{
    const place at = place_of(tile, op);
    const size_t image = op->in.h * op->in.w * op->k;
    find_pixels(pixel, TILE, y + at.n * image, at.row, at.column, op->k, outside, op);
}

INLINE void transform_output(float *const *pixel, const float *m, float *const *residual, vec add,
                             size_t k, size_t stride, size_t lanes)
{
    vec half[TILE][SIDE];
    foreach (j, SIDE) {
        vec column[SIDE], out[TILE];
        foreach (i, SIDE) column[i] = load(m + (i * SIDE + j) * stride);
        output_1d(out, column);
        foreach (i, TILE) half[i][j] = out[i];
    }
    foreach (i, TILE) {
        vec row[TILE];
        output_1d(row, half[i]);
        foreach (j, TILE) {
            vec sum = row[j] + add;
            if (residual) sum += load_upto(residual[i * TILE + j] + k, lanes);
            store_upto(pixel[i * TILE + j] + k, sum, lanes);
        }
    }
}

INLINE void output_tiles(float *y, const float *m, const ddpm_conv3x3_addends *addends,
                         size_t panel, size_t first, size_t count, const ddpm_winograd *op,
                         bool with_residual)
{
    const size_t k_first = panel * PANEL, k_end = at_most(op->k, k_first + PANEL);
    float *pixel[2][TILE * TILE], *residual[2][TILE * TILE];
    float *const from = (float *)addends->residual;
    find_output(pixel[0], y, first, op->nowhere, op);
    if (with_residual) find_output(residual[0], from, first, op->zeros, op);
    for (size_t t = 0; t < count; t++, m += PANEL) {
        const size_t now = t % 2, next = 1 - now, next_tile = first + (t + 1 < count ? t + 1 : t);
        const size_t n = place_of(first + t, op).n;
        find_output(pixel[next], y, next_tile, op->nowhere, op);
        if (with_residual) find_output(residual[next], from, next_tile, op->zeros, op);
        for (size_t k = k_first; k < k_end; k += LANES) {
            vec add = { 0 };
            if (addends->bias) add += load_upto(addends->bias + k, k_end - k);
            if (addends->per_image) add += load_upto(addends->per_image + n * op->k + k, k_end - k);
            foreach (i, TILE * TILE) __builtin_prefetch(pixel[next][i] + k, 1);
            if (with_residual) fetch_pixels(residual[next], TILE * TILE, k);
            FOR_LANES(k_end - k, transform_output, pixel[now], m + k - k_first,
                      with_residual ? residual[now] : NULL, add, k, op->m_stride);
        }
    }
}

static void DDPM_T(output)(float *y, const float *m, const ddpm_conv3x3_addends *addends,
                           size_t panel, size_t first, size_t count, const ddpm_winograd *op)
{
    if (addends->residual)
        output_tiles(y, m, addends, panel, first, count, op, true);
    else
        output_tiles(y, m, addends, panel, first, count, op, false);
}

INLINE void transform_output_gradient(float *d, float *const *pixel, size_t k, size_t stride,
                                      size_t t, size_t lanes)
{
    vec half[TILE][SIDE];
    foreach (i, TILE) {
        vec row[TILE];
        foreach (j, TILE) row[j] = load_upto(pixel[i * TILE + j] + k, lanes);
        output_gradient_1d(half[i], row);
    }
    foreach (j, SIDE) {
        vec column[TILE], out[SIDE];
        foreach (i, TILE) column[i] = half[i][j];
        output_gradient_1d(out, column);
        foreach (i, SIDE) store_row(d + (i * SIDE + j) * stride, out[i], t);
    }
}

static void DDPM_T(output_gradient)(float *d, const float *dy, size_t panel, size_t first,
                                    size_t count, const ddpm_winograd *op)
{
    const size_t k_first = panel * PANEL;
    float *pixel[2][TILE * TILE];
    find_output(pixel[0], (float *)dy, first, op->zeros, op);
    for (size_t t = 0; t < count; t++) {
        float *const row = d + t / PER_WORD * PANEL;
        float **const now = pixel[t % 2], **const next = pixel[(t + 1) % 2];
        find_output(next, (float *)dy, first + (t + 1 < count ? t + 1 : t), op->zeros, op);
        for (size_t half = 0; half < PANEL; half += LANES) {
            const size_t k = k_first + half;
            fetch_pixels(next, TILE * TILE, k);
            if (k < op->k)
                FOR_LANES(op->k - k, transform_output_gradient, row + half, now, k, op->d_stride,
                          t);
            else
                for (size_t p = 0; p < POSITIONS; p++)
                    store_row(row + half + p * op->d_stride, (vec){ 0 }, t);
        }
    }
}

static void DDPM_T(multiply_gradient)(float *du, const float *v, const float *d, size_t c_count,
                                      size_t count, bool add, const ddpm_winograd *op)
{
    const ddpm_panel_product product = { .rows = c_count,
                                         .depth = ceil_div(count, PER_WORD),
                                         .depth_block = DDPM_DEPTH_BLOCK,
                                         .a_row = 1,
                                         .a_depth = op->c_row,
                                         .b_stride = PANEL,
                                         .c_stride = PANEL,
                                         .add = add,
                                         .next = du, /* these rows, and the next ones */
                                         .next_row = PANEL,
                                         .next_depth = LANES };
    multiply_words(du, v, d, &product);
}

INLINE void transform_weight_gradient(float *dw, const float *du, size_t tap_stride, size_t stride,
                                      size_t lanes)
{
    vec half[3][SIDE];
    foreach (j, SIDE) {
        vec column[SIDE], out[3];
        foreach (i, SIDE) column[i] = load(du + (i * SIDE + j) * stride);
        weight_gradient_1d(out, column);
        foreach (i, 3) half[i][j] = out[i];
    }
    foreach (i, 3) {
        vec row[3];
        weight_gradient_1d(row, half[i]);
        foreach (j, 3) {
            float *to = dw + (3 * i + j) * tap_stride;
            store_upto(to, load_upto(to, lanes) + row[j], lanes);
        }
    }
}

static void DDPM_T(weight_gradient)(float *dw, const float *du, size_t panel, size_t c_first,
                                    size_t c_count, const ddpm_winograd *op)
{
    const size_t k_first = panel * PANEL;
    const size_t k_end = at_most(op->k, k_first + PANEL);
    for (size_t c = c_first; c < c_first + c_count; c++, du += PANEL)
        for (size_t k = k_first; k < k_end; k += LANES)
            FOR_LANES(k_end - k, transform_weight_gradient, dw + c * op->k + k, du + k - k_first,
                      op->in.c * op->k, op->u_stride);
}

#define WINOGRAD_KERNELS                                                                           \
    {                                                                                              \
        .tile = TILE, .positions = POSITIONS, .panel = PANEL, .per_word = PER_WORD,                \
        .input = DDPM_T(input), .input_by_tiles = DDPM_T(input_by_tiles),                          \
        .weights = DDPM_T(weights), .multiply = DDPM_T(multiply), .output = DDPM_T(output),        \
        .output_gradient = DDPM_T(output_gradient),                                                \
        .multiply_gradient = DDPM_T(multiply_gradient), .weight_gradient = DDPM_T(weight_gradient) \
    }
