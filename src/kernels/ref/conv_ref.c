#include "conv_ref.h"

#include <string.h>

/* Calls visit(context, x index, w index, y index) with the indices of channel 0 for every product
 * of the sum y[n,oy,ox,:] += x[n, oy stride + i - pad, ox stride + j - pad, :] w[i,j,:,:]. */
typedef void visit_fn(void *context, size_t x, size_t w, size_t y);

static void visit_taps(visit_fn *visit, void *context, const ddpm_conv3x3 *op)
{
    const ddpm_shape in = op->in, out = ddpm_conv3x3_out_shape(op);
    const size_t pad = op->stride == 1 ? 1 : 0;
    for (size_t n = 0; n < in.n; n++)
        for (size_t oy = 0; oy < out.h; oy++)
            for (size_t ox = 0; ox < out.w; ox++)
                for (size_t i = 0; i < 3; i++)
                    for (size_t j = 0; j < 3; j++) {
                        const size_t padded_y = oy * op->stride + i, padded_x = ox * op->stride + j;
                        if (padded_y < pad || padded_y - pad >= in.h) continue;
                        if (padded_x < pad || padded_x - pad >= in.w) continue;
                        const size_t pixel = (n * in.h + padded_y - pad) * in.w + padded_x - pad;
                        visit(context, pixel * in.c, (i * 3 + j) * in.c * op->k,
                              ((n * out.h + oy) * out.w + ox) * op->k);
                    }
}

typedef struct {
    double *out;
    const float *a, *b;
    size_t c, k;
} operands;

static void add_to_y(void *context, size_t x, size_t w, size_t y)
{
    const operands *o = context;
    for (size_t c = 0; c < o->c; c++)
        for (size_t k = 0; k < o->k; k++)
            o->out[y + k] += (double)o->a[x + c] * (double)o->b[w + c * o->k + k];
}

static void add_to_dx(void *context, size_t x, size_t w, size_t y)
{
    const operands *o = context;
    for (size_t c = 0; c < o->c; c++)
        for (size_t k = 0; k < o->k; k++)
            o->out[x + c] += (double)o->a[y + k] * (double)o->b[w + c * o->k + k];
}

static void add_to_dw(void *context, size_t x, size_t w, size_t y)
{
    const operands *o = context;
    for (size_t c = 0; c < o->c; c++)
        for (size_t k = 0; k < o->k; k++)
            o->out[w + c * o->k + k] += (double)o->a[y + k] * (double)o->b[x + c];
}

void ddpm_conv3x3_forward_ref(double *y, const float *x, const float *w,
                              const ddpm_conv3x3_addends *addends, const ddpm_conv3x3 *op)
{
    const ddpm_shape out = ddpm_conv3x3_out_shape(op);
    for (size_t p = 0; p < ddpm_shape_pixels(out); p++)
        for (size_t k = 0; k < op->k; k++) {
            const size_t n = p / (out.h * out.w);
            double sum = 0.0;
            if (addends && addends->bias) sum += (double)addends->bias[k];
            if (addends && addends->per_image) sum += (double)addends->per_image[n * op->k + k];
            if (addends && addends->residual) sum += (double)addends->residual[p * op->k + k];
            y[p * op->k + k] = sum;
        }
    visit_taps(add_to_y, &(operands){ y, x, w, op->in.c, op->k }, op);
}

void ddpm_conv3x3_backward_data_ref(double *dx, const float *dy, const float *w,
                                    const ddpm_conv3x3 *op)
{
    memset(dx, 0, ddpm_shape_count(op->in) * sizeof *dx);
    visit_taps(add_to_dx, &(operands){ dx, dy, w, op->in.c, op->k }, op);
}

void ddpm_conv3x3_backward_weights_ref(double *dw, double *dbias, double *dper_image,
                                       const float *dy, const float *x, const ddpm_conv3x3 *op)
{
    const ddpm_shape out = ddpm_conv3x3_out_shape(op);
    memset(dw, 0, 9 * op->in.c * op->k * sizeof *dw);
    memset(dbias, 0, op->k * sizeof *dbias);
    memset(dper_image, 0, out.n * op->k * sizeof *dper_image);
    visit_taps(add_to_dw, &(operands){ dw, dy, x, op->in.c, op->k }, op);
    for (size_t p = 0; p < ddpm_shape_pixels(out); p++)
        for (size_t k = 0; k < op->k; k++) {
            dbias[k] += (double)dy[p * op->k + k];
            dper_image[p / (out.h * out.w) * op->k + k] += (double)dy[p * op->k + k];
        }
}
