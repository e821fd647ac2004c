/* Threads share tiles of a product, which are the same for any number of them; LAPACK has one. */
#include "ddpm/kernels/matrix.h"

#include <assert.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>

/* OpenBLAS' Fortran symbols; the sizes at the end are the lengths of the texts. */
void dgemm_(const char *transpose_a, const char *transpose_b, const int *m, const int *n,
            const int *k, const double *alpha, const double *a, const int *lda, const double *b,
            const int *ldb, const double *beta, double *c, const int *ldc, size_t, size_t);
void dsyevd_(const char *job, const char *triangle, const int *n, double *a, const int *lda,
             double *w, double *work, const int *lwork, int *iwork, const int *liwork, int *info,
             size_t, size_t);

enum { TILE_ROWS = 128, TILE_COLUMNS = 256 };

/* Rows i .. and columns j .. of the output. */
static void product_tile(double *c, const double *a, const double *b, size_t i, size_t j,
                         const ddpm_matrix_product_op *op)
{
    const size_t rows = op->m - i, columns = op->n - j;
    const int m = (int)(rows < TILE_ROWS ? rows : TILE_ROWS);
    const int n = (int)(columns < TILE_COLUMNS ? columns : TILE_COLUMNS);
    const int k = (int)op->k, ldc = (int)op->n;
    const int lda = op->transpose_a ? (int)op->m : k, ldb = op->transpose_b ? k : (int)op->n;
    const double *from_a = a + (op->transpose_a ? i : i * op->k);
    const double *from_b = b + (op->transpose_b ? j * op->k : j);
    /* Column-major BLAS sees the transposes: C' = op(B)' op(A)'. */
    dgemm_(op->transpose_b ? "T" : "N", op->transpose_a ? "T" : "N", &n, &m, &k, &op->alpha, from_b,
           &ldb, from_a, &lda, &op->beta, c + i * op->n + j, &ldc, 1, 1);
}

void ddpm_matrix_product(double *c, const double *a, const double *b,
                         const ddpm_matrix_product_op *op)
{
    assert(op->m <= INT_MAX && op->n <= INT_MAX && op->k <= INT_MAX);
    const size_t across = (op->n + TILE_COLUMNS - 1) / TILE_COLUMNS;
    const size_t tiles = (op->m + TILE_ROWS - 1) / TILE_ROWS * across;
#pragma omp parallel for schedule(static) if (tiles > 1)
    for (size_t t = 0; t < tiles; t++)
        product_tile(c, a, b, t / across * TILE_ROWS, t % across * TILE_COLUMNS, op);
}

ddpm_status ddpm_matrix_eigen(double *values, double *matrix, size_t n, bool vectors)
{
    for (size_t i = 0; i < n * n; i++)
        if (!isfinite(matrix[i]))
            return ddpm_fail(DDPM_EDATA, "a matrix has a value that is not finite");
    const char *job = vectors ? "V" : "N";
    const int order = (int)n, query = -1;
    double best = 0.0;
    int integers = 0, info = 0;
    dsyevd_(job, "U", &order, matrix, &order, values, &best, &query, &integers, &query, &info, 1,
            1);
    const int floats = (int)best;
    double *work = malloc((size_t)floats * sizeof *work);
    int *integer_work = malloc((size_t)integers * sizeof *integer_work);
    ddpm_status status = DDPM_OK;
    if (!work || !integer_work)
        status = ddpm_fail(DDPM_EOS, "out of memory for the eigenvalues of %zu dimensions", n);
    else
        dsyevd_(job, "U", &order, matrix, &order, values, work, &floats, integer_work, &integers,
                &info, 1, 1);
    if (status == DDPM_OK && info != 0)
        status = ddpm_fail(DDPM_EINTERNAL, "LAPACK found no eigenvalues: dsyevd says %d", info);
    free(work);
    free(integer_work);
    return status;
}
