#include "norm_ref.h"

#include <math.h>

/* One group of one image: element (p, d) of it is x[base + p C + d], of channel first + d. */
typedef struct {
    size_t base, first, pixels, channels, depth;
} group;

static group group_at(size_t n, size_t g, const ddpm_norm *op)
{
    const ddpm_shape s = op->shape;
    const size_t pixels = s.h * s.w, depth = s.c / op->groups;
    return (group){ n * pixels * s.c + g * depth, g * depth, pixels, s.c, depth };
}

static void moments(double *mean, double *rstd, const float *x, const group *at, double epsilon)
{
    const double count = (double)(at->pixels * at->depth);
    double sum = 0.0, squares = 0.0;
    for (size_t p = 0; p < at->pixels; p++)
        for (size_t d = 0; d < at->depth; d++) sum += (double)x[at->base + p * at->channels + d];
    *mean = sum / count;
    for (size_t p = 0; p < at->pixels; p++)
        for (size_t d = 0; d < at->depth; d++) {
            const double e = (double)x[at->base + p * at->channels + d] - *mean;
            squares += e * e;
        }
    *rstd = 1.0 / sqrt(squares / count + epsilon);
}

static double sigmoid(double u)
{
    return 1.0 / (1.0 + exp(-u));
}

void ddpm_norm_forward_ref(double *y, double *mean, double *rstd, const float *x,
                           const float *gamma, const float *beta, const ddpm_norm *op)
{
    for (size_t n = 0; n < op->shape.n; n++)
        for (size_t g = 0; g < op->groups; g++) {
            const group at = group_at(n, g, op);
            double *const m = &mean[n * op->groups + g], *const r = &rstd[n * op->groups + g];
            moments(m, r, x, &at, (double)op->epsilon);
            for (size_t p = 0; p < at.pixels; p++)
                for (size_t d = 0; d < at.depth; d++) {
                    const size_t i = at.base + p * at.channels + d, c = at.first + d;
                    const double z = ((double)x[i] - *m) * *r;
                    const double u = (double)gamma[c] * z + (double)beta[c];
                    y[i] = op->silu ? u * sigmoid(u) : u;
                }
        }
}

/* With z = (x - mean) rstd, u = gamma z + beta and y = u s(u):
 *   du = dy s(u) (1 + u (1 - s(u)));  dz = gamma du;
 *   dx = rstd (dz - mean(dz) - z mean(dz z)), means over the group. */
void ddpm_norm_backward_ref(double *dx, double *dgamma, double *dbeta, const float *dy,
                            const float *x, const float *gamma, const float *beta,
                            const ddpm_norm *op)
{
    for (size_t c = 0; c < op->shape.c; c++) dgamma[c] = dbeta[c] = 0.0;
    for (size_t n = 0; n < op->shape.n; n++)
        for (size_t g = 0; g < op->groups; g++) {
            const group at = group_at(n, g, op);
            const double count = (double)(at.pixels * at.depth);
            double mean, rstd, sum_dz = 0.0, sum_dz_z = 0.0;
            moments(&mean, &rstd, x, &at, (double)op->epsilon);
            for (size_t p = 0; p < at.pixels; p++)
                for (size_t d = 0; d < at.depth; d++) {
                    const size_t i = at.base + p * at.channels + d, c = at.first + d;
                    const double z = ((double)x[i] - mean) * rstd;
                    const double u = (double)gamma[c] * z + (double)beta[c], s = sigmoid(u);
                    const double slope = op->silu ? s * (1.0 + u * (1.0 - s)) : 1.0;
                    const double du = (double)dy[i] * slope, dz = (double)gamma[c] * du;
                    dgamma[c] += du * z;
                    dbeta[c] += du;
                    sum_dz += dz;
                    sum_dz_z += dz * z;
                    dx[i] = dz;
                }
            for (size_t p = 0; p < at.pixels; p++)
                for (size_t d = 0; d < at.depth; d++) {
                    const size_t i = at.base + p * at.channels + d;
                    const double z = ((double)x[i] - mean) * rstd;
                    dx[i] = rstd * (dx[i] - sum_dz / count - z * sum_dz_z / count);
                }
        }
}
