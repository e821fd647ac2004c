#include "attention_ref.h"

#include <math.h>

void ddpm_attention_forward_ref(double *o, double *probabilities, const float *q, const float *k,
                                const float *v, const ddpm_attention *op)
{
    const size_t T = op->tokens, C = op->c, stride = op->row_stride;
    for (size_t n = 0; n < op->n; n++)
        for (size_t i = 0; i < T; i++) {
            const float *const query = q + (n * T + i) * stride;
            double *const p = probabilities + (n * T + i) * T;
            double most = -HUGE_VAL, sum = 0.0;
            for (size_t j = 0; j < T; j++) {
                p[j] = 0.0;
                for (size_t c = 0; c < C; c++)
                    p[j] += (double)query[c] * (double)k[(n * T + j) * stride + c];
                p[j] /= sqrt((double)C);
                most = fmax(most, p[j]);
            }
            for (size_t j = 0; j < T; j++) {
                p[j] = exp(p[j] - most);
                sum += p[j];
            }
            for (size_t j = 0; j < T; j++) p[j] /= sum;
            for (size_t c = 0; c < C; c++) {
                double value = 0.0;
                for (size_t j = 0; j < T; j++) value += p[j] * (double)v[(n * T + j) * stride + c];
                o[(n * T + i) * C + c] = value;
            }
        }
}

/* With s = q k^T / sqrt(C), p = softmax(s), o = p v:
 *   dp = do v^T;  ds = p (dp - sum_j p dp);  dq = ds k / sqrt(C);  dk = ds^T q / sqrt(C);
 *   dv = p^T do. */
void ddpm_attention_backward_ref(double *dq, double *dk, double *dv, const float *d_o,
                                 const double *probabilities, const float *q, const float *k,
                                 const float *v, const ddpm_attention *op)
{
    const size_t T = op->tokens, C = op->c, stride = op->row_stride;
    for (size_t row = 0; row < op->n * T; row++)
        for (size_t c = 0; c < C; c++)
            dq[row * stride + c] = dk[row * stride + c] = dv[row * stride + c] = 0.0;
    for (size_t n = 0; n < op->n; n++)
        for (size_t i = 0; i < T; i++) {
            const size_t query = (n * T + i) * stride;
            const float *const out = d_o + (n * T + i) * C;
            const double *const p = probabilities + (n * T + i) * T;
            double mean = 0.0;
            for (size_t j = 0; j < T; j++)
                for (size_t c = 0; c < C; c++)
                    mean += p[j] * (double)out[c] * (double)v[(n * T + j) * stride + c];
            for (size_t j = 0; j < T; j++) {
                const size_t key = (n * T + j) * stride;
                double dp = 0.0;
                for (size_t c = 0; c < C; c++) dp += (double)out[c] * (double)v[key + c];
                const double ds = p[j] * (dp - mean) / sqrt((double)C);
                for (size_t c = 0; c < C; c++) {
                    dq[query + c] += ds * (double)k[key + c];
                    dk[key + c] += ds * (double)q[query + c];
                    dv[key + c] += p[j] * (double)out[c];
                }
            }
        }
}
