#include "ddpm/kernels/pool.h"

#include "parallel.h"
#include "sizes.h"

#include <assert.h>
#include <string.h>

ddpm_shape ddpm_pool3x3_out_shape(const ddpm_pool3x3 *op)
{
    const ddpm_shape in = op->in;
    assert(in.h + 2 * op->pad >= 3 && in.w + 2 * op->pad >= 3 && op->pad <= 1);
    return (ddpm_shape){ in.n, (in.h + 2 * op->pad - 3) / op->stride + 1,
                         (in.w + 2 * op->pad - 3) / op->stride + 1, in.c };
}

/* Pixels first .. end-1 of `size` that a window at `at` of the padded image covers. */
typedef struct {
    size_t first, end;
} cover;

static cover covered(size_t at, size_t pad, size_t size)
{
    return (cover){ at > pad ? at - pad : 0, at_most(at + 3 - pad, size) };
}

/* NaN where either is. */
static float larger(float a, float b)
{
    return a > b || a != a ? a : b;
}

static void pool_pixel(float *y, const float *image, cover rows, cover columns,
                       const ddpm_pool3x3 *op)
{
    const size_t c = op->in.c;
    bool first = true;
    for (size_t h = rows.first; h < rows.end; h++)
        for (size_t w = columns.first; w < columns.end; w++, first = false) {
            const float *const x = image + (h * op->in.w + w) * c;
            if (first)
                memcpy(y, x, c * sizeof *y);
            else if (op->mean)
                for (size_t i = 0; i < c; i++) y[i] += x[i];
            else
                for (size_t i = 0; i < c; i++) y[i] = larger(x[i], y[i]);
        }
    if (!op->mean) return;
    const float pixels = (float)((rows.end - rows.first) * (columns.end - columns.first));
    for (size_t i = 0; i < c; i++) y[i] /= pixels;
}

void ddpm_pool3x3_forward(float *y, const float *x, const ddpm_pool3x3 *op)
{
    const ddpm_shape in = op->in, out = ddpm_pool3x3_out_shape(op);
    const size_t rows = out.n * out.h;
    assert(op->y_stride >= in.c);
#pragma omp parallel for schedule(static) if (worth_threads(9 * rows * out.w * in.c))
    for (size_t r = 0; r < rows; r++) {
        const float *const image = x + r / out.h * in.h * in.w * in.c;
        const cover of_rows = covered(r % out.h * op->stride, op->pad, in.h);
        for (size_t w = 0; w < out.w; w++)
            pool_pixel(y + (r * out.w + w) * op->y_stride, image, of_rows,
                       covered(w * op->stride, op->pad, in.w), op);
    }
}

void ddpm_pool_all_forward(float *y, const float *x, ddpm_shape in)
{
    enum { STRIP = 64 };
    const size_t pixels = in.h * in.w, strips = ceil_div(in.c, STRIP);
#pragma omp parallel for schedule(static) if (worth_threads(ddpm_shape_count(in)))
    for (size_t s = 0; s < in.n * strips; s++) {
        const size_t n = s / strips, first = s % strips * STRIP;
        const size_t count = at_most(STRIP, in.c - first);
        double sum[STRIP] = { 0 };
        for (size_t p = 0; p < pixels; p++)
            for (size_t i = 0; i < count; i++)
                sum[i] += (double)x[(n * pixels + p) * in.c + first + i];
        for (size_t i = 0; i < count; i++)
            y[n * in.c + first + i] = (float)(sum[i] / (double)pixels);
    }
}

/* Output i of `to` lies at (i + 1/2) from / to - 1/2 of the input, between pixels low and high. */
typedef struct {
    size_t low, high;
    float high_share;
} between;

static between place(size_t i, size_t to, size_t from)
{
    const double at = ((double)i + 0.5) * (double)from / (double)to - 0.5;
    const double inside = at > 0.0 ? at : 0.0;
    const size_t low = at_most((size_t)inside, from - 1);
    return (between){ low, at_most(low + 1, from - 1), (float)(inside - (double)low) };
}

void ddpm_resize_bilinear_forward(float *y, const float *x, ddpm_shape in, size_t h, size_t w)
{
    const size_t c = in.c, row = in.w * c;
#pragma omp parallel for schedule(static) if (worth_threads(4 * in.n * h * w * c))
    for (size_t r = 0; r < in.n * h; r++) {
        const between v = place(r % h, h, in.h);
        const float *const image = x + r / h * in.h * row;
        const float *const above = image + v.low * row, *const below = image + v.high * row;
        for (size_t j = 0; j < w; j++) {
            const between u = place(j, w, in.w);
            const size_t a = u.low * c, b = u.high * c;
            for (size_t i = 0; i < c; i++) {
                const float upper = above[a + i] + u.high_share * (above[b + i] - above[a + i]);
                const float lower = below[a + i] + u.high_share * (below[b + i] - below[a + i]);
                y[(r * w + j) * c + i] = upper + v.high_share * (lower - upper);
            }
        }
    }
}
