#include "ddpm/eval/frechet.h"

#include "ddpm/dist/share.h"
#include "ddpm/kernels/matrix.h"

#include <math.h>
#include <stdlib.h>

enum { SAMPLES = 512, ROWS = 128 };

void ddpm_feature_stats_free(ddpm_feature_stats *stats)
{
    free(stats->mean);
    free(stats->covariance);
    *stats = (ddpm_feature_stats){ 0 };
}

typedef struct {
    ddpm_feature_stats *stats;
    const float *features;
    double *rows, *columns; /* of SAMPLES samples, centred: [SAMPLES,ROWS], [SAMPLES,D] */
    double *product;        /* [ROWS,D] */
} adding;

static ddpm_status find_mean(const adding *a)
{
    const size_t d = a->stats->d, n = a->stats->n;
    double *mean = a->stats->mean;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < d; j++) {
            if (!isfinite(a->features[i * d + j]))
                return ddpm_fail(DDPM_EDATA, "feature %zu of image %zu is not finite", j, i);
            mean[j] += (double)a->features[i * d + j];
        }
    for (size_t j = 0; j < d; j++) mean[j] /= (double)n;
    return DDPM_OK;
}

/* Dimensions first .. first + count - 1 of `samples` samples, less their mean. */
static void centre(double *to, const adding *a, size_t sample, size_t samples, size_t first,
                   size_t count)
{
    const size_t d = a->stats->d;
    for (size_t i = 0; i < samples; i++)
        for (size_t j = 0; j < count; j++)
            to[i * count + j] = (double)a->features[(sample + i) * d + first + j] -
                                a->stats->mean[first + j];
}

/* Rows first .. first + ROWS - 1 of the covariance from the diagonal block on, by the two-pass
 * formula: each element is summed over all samples, so nothing is left to be added up elsewhere. */
static ddpm_status add_rows(double *none, size_t unit, void *context)
{
    const adding *a = context;
    const size_t d = a->stats->d, n = a->stats->n, first = unit * ROWS;
    const size_t rows = d - first < ROWS ? d - first : ROWS, columns = d - first;
    (void)none;
    for (size_t i = 0; i < n; i += SAMPLES) {
        const size_t samples = n - i < SAMPLES ? n - i : SAMPLES;
        centre(a->rows, a, i, samples, first, rows);
        centre(a->columns, a, i, samples, first, columns);
        ddpm_matrix_product(a->product, a->rows, a->columns,
                            &(ddpm_matrix_product_op){ .transpose_a = true,
                                                       .m = rows,
                                                       .n = columns,
                                                       .k = samples,
                                                       .alpha = 1.0 / (double)(n - 1),
                                                       .beta = i ? 1.0 : 0.0 });
    }
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < columns; j++)
            a->stats->covariance[(first + i) * d + first + j] = a->product[i * columns + j];
    return DDPM_OK;
}

static void mirror(ddpm_feature_stats *stats)
{
    const size_t d = stats->d;
    for (size_t i = 0; i < d; i++)
        for (size_t j = 0; j < i; j++) stats->covariance[i * d + j] = stats->covariance[j * d + i];
}

static ddpm_status allocate(adding *a, size_t n, size_t d)
{
    *a->stats = (ddpm_feature_stats){ .d = d,
                                      .n = n,
                                      .mean = calloc(d, sizeof(double)),
                                      .covariance = calloc(d * d, sizeof(double)) };
    a->rows = malloc((size_t)SAMPLES * ROWS * sizeof *a->rows);
    a->columns = malloc(SAMPLES * d * sizeof *a->columns);
    a->product = malloc(ROWS * d * sizeof *a->product);
    if (a->stats->mean && a->stats->covariance && a->rows && a->columns && a->product)
        return DDPM_OK;
    return ddpm_fail(DDPM_EOS, "out of memory for a covariance of %zu dimensions", d);
}

static ddpm_status share_rows(adding *a, ddpm_comm *comm)
{
    const size_t d = a->stats->d, row_bytes = d * sizeof(double);
    DDPM_TRY(ddpm_share_work(&(ddpm_share){ .name = "covariance",
                                            .units = (d + ROWS - 1) / ROWS,
                                            .compute = add_rows,
                                            .context = a },
                             comm));
    DDPM_TRY(ddpm_share_spread(a->stats->covariance, d * row_bytes, ROWS * row_bytes, comm));
    mirror(a->stats);
    return DDPM_OK;
}

ddpm_status ddpm_feature_stats_of(ddpm_feature_stats *out, const float *features, size_t n,
                                  size_t d, ddpm_comm *comm)
{
    if (n < 2) return ddpm_fail(DDPM_ECONFIG, "%zu features have no covariance; 2 do", n);
    adding a = { .stats = out, .features = features };
    ddpm_status status = allocate(&a, n, d);
    if (status == DDPM_OK) status = find_mean(&a);
    status = ddpm_share_agree(status, comm);
    if (status == DDPM_OK) status = share_rows(&a, comm);
    free(a.rows);
    free(a.columns);
    free(a.product);
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
