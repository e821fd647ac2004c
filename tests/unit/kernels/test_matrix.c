/* Double products and eigenvalues through BLAS and LAPACK, against plain loops and known spectra.
 */
#include "check.h"

#include "ddpm/kernels/isa.h"
#include "ddpm/kernels/matrix.h"

#include <math.h>
#include <stdlib.h>

enum { N = 23 };

static void every_product_is_that_of_plain_loops(void **state)
{
    (void)state;
    enum { M = 5, K = 7, W = 3 };
    double a[M * K], b[K * W], c[M * W];
    for (size_t i = 0; i < (size_t)M * K; i++) a[i] = sin((double)i);
    for (size_t i = 0; i < (size_t)K * W; i++) b[i] = cos(3.0 * (double)i);
    for (int kind = 0; kind < 4; kind++) {
        const ddpm_matrix_product_op op = { .transpose_a = kind & 1,
                                            .transpose_b = kind >> 1,
                                            .m = M,
                                            .n = W,
                                            .k = K,
                                            .alpha = 2.0,
                                            .beta = 0.5 };
        for (size_t i = 0; i < (size_t)M * W; i++) c[i] = (double)i;
        ddpm_matrix_product(c, a, b, &op);
        for (size_t i = 0; i < M; i++)
            for (size_t j = 0; j < W; j++) {
                double sum = 0.5 * (double)(i * W + j);
                for (size_t k = 0; k < K; k++)
                    sum += 2.0 * a[op.transpose_a ? k * M + i : i * K + k] *
                           b[op.transpose_b ? j * K + k : k * W + j];
                CHECK_LE(fabs(c[i * W + j] - sum), 1e-13);
            }
    }
}

/* The second difference: eigenvalues 2 - 2 cos(pi k / (n + 1)). */
static void fill(double *a)
{
    for (size_t i = 0; i < (size_t)N * N; i++)
        a[i] = i / N == i % N ? 2.0 : i / N + 1 == i % N || i % N + 1 == i / N ? -1.0 : 0.0;
}

static void eigenvalues_are_the_known_ones_and_rows_are_their_vectors(void **state)
{
    (void)state;
    double a[N * N], v[N * N], w[N], alone[N];
    fill(a);
    fill(v);
    CHECK_OK(ddpm_matrix_eigen(w, v, N, true));
    for (size_t k = 0; k < N; k++) {
        CHECK_LE(fabs(w[k] - (2.0 - 2.0 * cos(acos(-1.0) * (double)(k + 1) / (N + 1)))), 1e-13);
        for (size_t i = 0; i < N; i++) {
            double sum = 0.0;
            for (size_t j = 0; j < N; j++) sum += a[i * N + j] * v[k * N + j];
            CHECK_LE(fabs(sum - w[k] * v[k * N + i]), 1e-13);
        }
    }
    fill(a);
    CHECK_OK(ddpm_matrix_eigen(alone, a, N, false));
    for (size_t k = 0; k < N; k++) CHECK_LE(fabs(alone[k] - w[k]), 1e-13);
}

static void what_is_not_finite_has_no_eigenvalues(void **state)
{
    (void)state;
    double a[4] = { 1.0, 0.0, 0.0, (double)NAN }, w[2];
    CHECK_STATUS(ddpm_matrix_eigen(w, a, 2, true), 65);
}

int main(void)
{
    if (ddpm_kernels_init() != DDPM_OK) return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_product_is_that_of_plain_loops),
        cmocka_unit_test(eigenvalues_are_the_known_ones_and_rows_are_their_vectors),
        cmocka_unit_test(what_is_not_finite_has_no_eigenvalues),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
