#include "gemm.h"

#include "kernel_arrays.h"

#include <pthread.h>

/* Rows of A, B and C are a little longer than their content; the gaps of C must stay. */
static void check(const ddpm_gemm_op *op)
{
    const size_t a_rows = op->transpose_a ? op->k : op->m, b_rows = op->transpose_b ? op->n : op->k;
    const float *a = normals(a_rows * op->lda, 1), *b = normals(b_rows * op->ldb, 2);
    const float *before = op->beta == 0.0f ? blank(op->m * op->ldc) : normals(op->m * op->ldc, 3);
    float *c = copy_of(before, op->m * op->ldc);
    double worst = 0.0;
    ddpm_kernels__gemm(c, a, b, op);
    for (size_t i = 0; i < op->m; i++) {
        for (size_t j = 0; j < op->n; j++) {
            double sum = 0.0;
            for (size_t k = 0; k < op->k; k++) {
                const size_t at_a = op->transpose_a ? k * op->lda + i : i * op->lda + k;
                const size_t at_b = op->transpose_b ? j * op->ldb + k : k * op->ldb + j;
                sum += (double)a[at_a] * (double)b[at_b];
            }
            sum *= (double)op->alpha;
            if (op->beta != 0.0f) sum += (double)op->beta * (double)before[i * op->ldc + j];
            worst = worse(worst, fabs((double)c[i * op->ldc + j] - sum));
        }
        check_same_bits(c + i * op->ldc + op->n, before + i * op->ldc + op->n, op->ldc - op->n);
    }
    CHECK_LE(worst, 1e-6 * sqrt((double)op->k + 1.0) * 4.0);
}

static void products_of_any_shape_and_transposition_are_right(void **state)
{
    (void)state;
    static const float betas[] = { 0.0f, 1.0f, 1.5f };
    static const size_t shape[][3] = { { 1, 1, 1 },   { 5, 3, 7 },     { 33, 48, 17 },
                                       { 130, 1, 9 }, { 70, 90, 400 }, { 6, 200, 0 },
                                       { 8, 64, 40 }, { 29, 96, 13 },  { 600, 45, 300 } };
    for (size_t i = 0; i < sizeof shape / sizeof *shape; i++)
        for (int kind = 0; kind < 12; kind++) {
            const size_t m = shape[i][0], n = shape[i][1], k = shape[i][2];
            ddpm_gemm_op op = { .transpose_a = kind & 1,
                                .transpose_b = kind & 2,
                                .m = m,
                                .n = n,
                                .k = k,
                                .ldc = n + 2,
                                .alpha = 0.5f,
                                .beta = betas[kind / 4] };
            op.lda = (op.transpose_a ? m : k) + 3;
            op.ldb = (op.transpose_b ? k : n) + 1;
            check(&op);
            free_kept(NULL);
        }
}

enum { SIZE = 96, REPEATS = 40, CALLERS = 6 };
static const ddpm_gemm_op square = {
    .m = SIZE, .n = SIZE, .k = SIZE, .lda = SIZE, .ldb = SIZE, .ldc = SIZE, .alpha = 1.0f
};
static float a[SIZE * SIZE], b[SIZE * SIZE], expected[SIZE * SIZE];

static void *multiply_many_times(void *differences)
{
    float c[SIZE * SIZE];
    for (int i = 0; i < REPEATS; i++) {
        ddpm_kernels__gemm(c, a, b, &square);
        for (size_t k = 0; k < SIZE * SIZE; k++) *(int *)differences += c[k] != expected[k];
    }
    return NULL;
}

static void many_threads_may_multiply_at_once(void **state)
{
    (void)state;
    pthread_t caller[CALLERS];
    int differences[CALLERS] = { 0 };
    fill_normal(a, SIZE * SIZE, 1);
    fill_normal(b, SIZE * SIZE, 2);
    ddpm_kernels__gemm(expected, a, b, &square);
    for (int i = 0; i < CALLERS; i++)
        assert_int_equal(pthread_create(&caller[i], NULL, multiply_many_times, &differences[i]), 0);
    for (int i = 0; i < CALLERS; i++) {
        pthread_join(caller[i], NULL);
        assert_int_equal(differences[i], 0);
    }
}

static void blas_says_its_name_its_version_and_its_kernels(void **state)
{
    (void)state;
    char library[64], version[64], kernels[64];
    assert_int_equal(sscanf(ddpm_blas_name(), "%63s %63s %63s", library, version, kernels), 3);
    assert_string_equal(library, "OpenBLAS");
    assert_in_range(version[0], '0', '9');
}

int main(void)
{
    if (!isa_is_there()) return NO_SUCH_ISA;
    const struct CMUnitTest tests[] = {
        TEST(products_of_any_shape_and_transposition_are_right),
        TEST(many_threads_may_multiply_at_once),
        TEST(blas_says_its_name_its_version_and_its_kernels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
