#include "ddpm/eval/frechet.h"

#include "ddpm/kernels/matrix.h"

#include <math.h>
#include <stdlib.h>

enum { ROWS = 512 };

void ddpm_feature_stats_free(ddpm_feature_stats *stats)
{
    free(stats->mean);
    free(stats->covariance);
    *stats = (ddpm_feature_stats){ 0 };
}

/* In blocks, centred on the mean: the two-pass formula. */
static ddpm_status add_up(ddpm_feature_stats *stats, const float *features, double *centred)
{
    const size_t d = stats->d, n = stats->n;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < d; j++) {
            if (!isfinite(features[i * d + j]))
                return ddpm_fail(DDPM_EDATA, "feature %zu of image %zu is not finite", j, i);
            stats->mean[j] += (double)features[i * d + j];
        }
    for (size_t j = 0; j < d; j++) stats->mean[j] /= (double)n;
    for (size_t first = 0; first < n; first += ROWS) {
        const size_t rows = n - first < ROWS ? n - first : ROWS;
        for (size_t i = 0; i < rows * d; i++)
            centred[i] = (double)features[first * d + i] - stats->mean[i % d];
        ddpm_matrix_product(stats->covariance, centred, centred,
                            &(ddpm_matrix_product_op){ .transpose_a = true,
                                                       .m = d,
                                                       .n = d,
                                                       .k = rows,
                                                       .alpha = 1.0 / (double)(n - 1),
                                                       .beta = first ? 1.0 : 0.0 });
    }
    return DDPM_OK;
}

ddpm_status ddpm_feature_stats_of(ddpm_feature_stats *out, const float *features, size_t n,
                                  size_t d)
{
    if (n < 2) return ddpm_fail(DDPM_ECONFIG, "%zu features have no covariance; 2 do", n);
    *out = (ddpm_feature_stats){ .d = d,
                                 .n = n,
                                 .mean = calloc(d, sizeof *out->mean),
                                 .covariance = calloc(d * d, sizeof *out->covariance) };
    double *centred = calloc(ROWS * d, sizeof *centred);
    ddpm_status status = DDPM_OK;
    if (!out->mean || !out->covariance || !centred)
        status = ddpm_fail(DDPM_EOS, "out of memory for a covariance of %zu dimensions", d);
    if (status == DDPM_OK) status = add_up(out, features, centred);
    free(centred);
    if (status != DDPM_OK) ddpm_feature_stats_free(out);
    return status;
}

static double root(double eigenvalue)
{
    return eigenvalue > 0.0 ? sqrt(eigenvalue) : 0.0; /* below 0 by rounding alone */
}

/* tr (S1 S2)^(1/2). With S1 = V' L V the matrix S1^(1/2) S2 S1^(1/2) has the eigenvalues of
 * (L^(1/2) V) S2 (L^(1/2) V)'. work [3,d,d]. */
static ddpm_status trace_of_root(double *trace, double *values, double *work, const double *s1,
                                 const double *s2, size_t d)
{
    double *half = work, *product = work + d * d, *middle = work + 2 * d * d;
    for (size_t i = 0; i < d * d; i++) half[i] = s1[i];
    DDPM_TRY(ddpm_matrix_eigen(values, half, d, true));
    for (size_t i = 0; i < d; i++)
        for (size_t j = 0; j < d; j++) half[i * d + j] *= root(values[i]);
    const ddpm_matrix_product_op left = { .m = d, .n = d, .k = d, .alpha = 1.0 };
    const ddpm_matrix_product_op right = {
        .transpose_b = true, .m = d, .n = d, .k = d, .alpha = 1.0
    };
    ddpm_matrix_product(product, half, s2, &left);
    ddpm_matrix_product(middle, product, half, &right);
    DDPM_TRY(ddpm_matrix_eigen(values, middle, d, false));
    *trace = 0.0;
    for (size_t i = 0; i < d; i++) *trace += root(values[i]);
    return DDPM_OK;
}

ddpm_status ddpm_frechet_distance(double *distance, const ddpm_feature_stats *a,
                                  const ddpm_feature_stats *b)
{
    const size_t d = a->d;
    if (d != b->d) return ddpm_fail(DDPM_ECONFIG, "features of %zu and of %zu dimensions", d, b->d);
    double *work = malloc((3 * d * d + d) * sizeof *work), trace = 0.0;
    if (!work) return ddpm_fail(DDPM_EOS, "out of memory for matrices of %zu dimensions", d);
    const ddpm_status status = trace_of_root(&trace, work + 3 * d * d, work, a->covariance,
                                             b->covariance, d);
    free(work);
    double sum = -2.0 * trace;
    for (size_t i = 0; i < d; i++) {
        const double apart = a->mean[i] - b->mean[i];
        sum += apart * apart + a->covariance[i * d + i] + b->covariance[i * d + i];
    }
    *distance = sum;
    return status;
}
