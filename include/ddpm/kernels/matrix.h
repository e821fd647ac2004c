/** @file kernels/matrix.h  Small dense linear algebra in double, row-major, by BLAS and LAPACK:
 * what statistics of features take. Products have the same bits on any number of threads,
 * eigenvalues are found by one. */
#ifndef DDPM_KERNELS_MATRIX_H
#define DDPM_KERNELS_MATRIX_H
#include "ddpm/base/status.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct {
    bool transpose_a, transpose_b;
    size_t m, n, k;     /**< C [m,n] = alpha op(A) [m,k] op(B) [k,n] + beta C, all dense */
    double alpha, beta; /**< beta 0 overwrites C, whatever it holds */
} ddpm_matrix_product_op;
void ddpm_matrix_product(double *c, const double *a, const double *b,
                         const ddpm_matrix_product_op *op);

/** Eigenvalues [n], ascending, of a symmetric matrix [n,n], which is overwritten: by the
 *  eigenvectors, a row each, or where `vectors` is false by nothing of use. DDPM_EDATA: a value is
 *  not finite; DDPM_EOS; DDPM_EINTERNAL: LAPACK gave up. */
DDPM_NODISCARD ddpm_status ddpm_matrix_eigen(double *values, double *matrix, size_t n,
                                             bool vectors);
#endif
