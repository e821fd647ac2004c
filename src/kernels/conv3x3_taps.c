#include "conv3x3_taps.h"

#include <string.h>

ddpm_conv_taps ddpm_kernels__taps_forward(const ddpm_conv3x3 *op)
{
    const ddpm_shape out = ddpm_conv3x3_out_shape(op);
    const int pad = op->stride == 1 ? 1 : 0;
    ddpm_conv_taps taps = {
        .in = op->in, .rows = out.h, .columns = out.w, .step = op->stride, .taps = 9
    };
    for (int t = 0; t < 9; t++) {
        taps.row[t] = t / 3 - pad;
        taps.column[t] = t % 3 - pad;
        taps.weight[t] = (size_t)t;
    }
    return taps;
}

size_t ddpm_kernels__taps_phases(const ddpm_conv3x3 *op)
{
    return op->stride * op->stride;
}

/* Input pixel 2r + a is under weight i of output pixel o where 2o + i = 2r + a, so i has the parity
 * of a and o = r + (a - i) / 2. With stride 1 and one pixel of padding, o = r + 1 - i. */
ddpm_conv_taps ddpm_kernels__taps_adjoint(const ddpm_conv3x3 *op, size_t phase)
{
    const int stride = (int)op->stride, pad = stride == 1 ? 1 : 0;
    const int a = (int)phase / stride, b = (int)phase % stride;
    ddpm_conv_taps taps = {
        .in = ddpm_conv3x3_out_shape(op),
        .rows = (op->in.h + op->stride - 1 - (size_t)a) / op->stride,
        .columns = (op->in.w + op->stride - 1 - (size_t)b) / op->stride,
        .step = 1,
    };
    for (int i = 2; i >= 0; i--) {
        if ((a + pad - i) % stride != 0) continue;
        for (int j = 2; j >= 0; j--) {
            if ((b + pad - j) % stride != 0) continue;
            taps.row[taps.taps] = (a + pad - i) / stride;
            taps.column[taps.taps] = (b + pad - j) / stride;
            taps.weight[taps.taps] = (size_t)i * 3 + (size_t)j;
            taps.taps++;
        }
    }
    return taps;
}

static bool is_inside(ptrdiff_t position, size_t size)
{
    return position >= 0 && (size_t)position < size;
}

/* One output pixel. Neighbouring taps whose pixels lie side by side are one copy. */
static void gather_pixel(float *matrix, const float *image, size_t r, size_t c,
                         const ddpm_conv_taps *taps)
{
    const ddpm_shape in = taps->in;
    for (size_t t = 0; t < taps->taps;) {
        const ptrdiff_t row = (ptrdiff_t)(r * taps->step) + taps->row[t];
        const ptrdiff_t column = (ptrdiff_t)(c * taps->step) + taps->column[t];
        size_t run = 1;
        if (is_inside(row, in.h) && is_inside(column, in.w)) {
            while (t + run < taps->taps && taps->row[t + run] == taps->row[t] &&
                   taps->column[t + run] == taps->column[t] + (int)run &&
                   is_inside(column + (ptrdiff_t)run, in.w))
                run++;
            memcpy(matrix, image + ((size_t)row * in.w + (size_t)column) * in.c,
                   run * in.c * sizeof *matrix);
        } else {
            memset(matrix, 0, in.c * sizeof *matrix);
        }
        matrix += run * in.c;
        t += run;
    }
}

void ddpm_kernels__taps_gather(float *matrix, const float *x, size_t first, size_t count,
                               const ddpm_conv_taps *taps)
{
    const size_t width = taps->taps * taps->in.c,
                 image_count = taps->in.h * taps->in.w * taps->in.c;
    size_t c = first % taps->columns, r = first / taps->columns % taps->rows;
    const float *image = x + first / (taps->columns * taps->rows) * image_count;
    for (size_t p = 0; p < count; p++, matrix += width) {
        gather_pixel(matrix, image, r, c, taps);
        if (++c < taps->columns) continue;
        c = 0;
        if (++r < taps->rows) continue;
        r = 0;
        image += image_count;
    }
}

void ddpm_kernels__taps_weights(float *matrix, const float *w, const ddpm_conv_taps *taps,
                                const ddpm_conv3x3 *op)
{
    const size_t c_count = op->in.c, k = op->k;
    for (size_t c = 0; c < c_count; c++)
        for (size_t t = 0; t < taps->taps; t++, matrix += k)
            memcpy(matrix, w + (taps->weight[t] * c_count + c) * k, k * sizeof *matrix);
}

bool ddpm_kernels__addends_fill(float *y, size_t first, size_t count,
                                const ddpm_conv3x3_addends *addends, ddpm_shape out)
{
    if (!addends || (!addends->bias && !addends->per_image && !addends->residual)) return false;
    const float *residual = addends->residual ? addends->residual + first * out.c : NULL;
    for (size_t p = 0; p < count; p++) {
        float *row = y + p * out.c;
        const float *per_image = NULL;
        if (addends->per_image)
            per_image = addends->per_image + (first + p) / (out.h * out.w) * out.c;
        if (!residual)
            memset(row, 0, out.c * sizeof *row);
        else if (residual != y)
            memcpy(row, residual + p * out.c, out.c * sizeof *row);
        if (addends->bias)
            for (size_t k = 0; k < out.c; k++) row[k] += addends->bias[k];
        if (per_image)
            for (size_t k = 0; k < out.c; k++) row[k] += per_image[k];
    }
    return true;
}
