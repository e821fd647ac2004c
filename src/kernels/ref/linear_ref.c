#include "linear_ref.h"

void ddpm_linear_forward_ref(double *y, const float *x, const float *w, const float *bias,
                             const float *residual, const ddpm_linear *op)
{
    for (size_t r = 0; r < op->rows; r++)
        for (size_t k = 0; k < op->k; k++) {
            double sum = bias ? (double)bias[k] : 0.0;
            if (residual) sum += (double)residual[r * op->k + k];
            for (size_t c = 0; c < op->c; c++)
                sum += (double)x[r * op->c + c] * (double)w[c * op->k + k];
            y[r * op->k + k] = sum;
        }
}

void ddpm_linear_backward_data_ref(double *dx, const float *dy, const float *w,
                                   const ddpm_linear *op)
{
    for (size_t r = 0; r < op->rows; r++)
        for (size_t c = 0; c < op->c; c++) {
            double sum = 0.0;
            for (size_t k = 0; k < op->k; k++)
                sum += (double)dy[r * op->k + k] * (double)w[c * op->k + k];
            dx[r * op->c + c] = sum;
        }
}

void ddpm_linear_backward_weights_ref(double *dw, double *dbias, const float *dy, const float *x,
                                      const ddpm_linear *op)
{
    for (size_t k = 0; k < op->k; k++) {
        dbias[k] = 0.0;
        for (size_t r = 0; r < op->rows; r++) dbias[k] += (double)dy[r * op->k + k];
        for (size_t c = 0; c < op->c; c++) {
            double sum = 0.0;
            for (size_t r = 0; r < op->rows; r++)
                sum += (double)x[r * op->c + c] * (double)dy[r * op->k + k];
            dw[c * op->k + k] = sum;
        }
    }
}
