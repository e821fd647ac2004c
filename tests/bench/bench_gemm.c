/* Times matrix products as the CIFAR-10 model has them (micro-batch 8), one thread: our panels
 * against OpenBLAS, in turn, GFLOP/s of the best of several runs by thread CPU time. Every call has
 * operands that the caches have forgotten, as in a network. Usage: bench_gemm [repetitions] */
#include "bench_support.h"

#include "ddpm/kernels/isa.h"
#include "gemm.h"
#include "gemm_panels.h"

static const ddpm_gemm_op products[] = {
    /* 1x1 convolution of 32x32 and of 16x16 pixels, its input gradient, its weight gradient */
    { false, false, 256, 128, 384, 384, 128, 128, 1.0f, 0.0f },
    { false, false, 256, 256, 512, 512, 256, 256, 1.0f, 0.0f },
    { false, true, 256, 512, 256, 256, 256, 512, 1.0f, 1.0f },
    { true, false, 128, 128, 8192, 384, 128, 128, 1.0f, 1.0f },
    { true, false, 128, 128, 2048, 512, 256, 256, 1.0f, 1.0f },
    /* attention: projection, scores, values, gradient of the keys */
    { false, false, 256, 256, 256, 256, 256, 256, 1.0f, 1.0f },
    { false, true, 128, 256, 256, 256, 256, 256, 0.0625f, 0.0f },
    { false, false, 128, 256, 256, 256, 256, 256, 1.0f, 0.0f },
    { true, false, 128, 256, 256, 256, 256, 256, 0.0625f, 0.0f },
    /* stride 2; the time embedding */
    { false, false, 64, 256, 2304, 2304, 256, 256, 1.0f, 0.0f },
    { false, false, 8, 256, 512, 512, 256, 256, 1.0f, 1.0f },
};
enum { PRODUCTS = sizeof products / sizeof *products, ARENA = 1 << 25, CALLS = 8 };

typedef void multiply(float *c, const float *a, const float *b, const ddpm_gemm_op *op);

/* Seconds of one of CALLS calls, each on operands further on in the arenas. */
static double time_of(multiply *call, size_t *at, float *const arena[3], const ddpm_gemm_op *op)
{
    const size_t a = (op->transpose_a ? op->k : op->m) * op->lda;
    const size_t b = (op->transpose_b ? op->n : op->k) * op->ldb, c = op->m * op->ldc;
    const double start = bench_seconds();
    for (size_t i = 0; i < CALLS; i++, (*at)++)
        call(arena[2] + *at % (ARENA / c) * c, arena[0] + *at % (ARENA / a) * a,
             arena[1] + *at % (ARENA / b) * b, op);
    return (bench_seconds() - start) / CALLS;
}

int main(int argc, char **argv)
{
    const int repetitions = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 10;
    bench_or_die(ddpm_kernels_init());
    float *arena[3];
    for (int i = 0; i < 3; i++) arena[i] = bench_array(ARENA);
    printf("%s, %s\n   m    n    k  A B   panels  OpenBLAS  ratio\n", ddpm_isa_name(),
           ddpm_blas_name());
    for (size_t p = 0; p < PRODUCTS; p++) {
        const ddpm_gemm_op *op = &products[p];
        double best[2] = { 1e9, 1e9 };
        size_t at = 0;
        for (int r = 0; r < repetitions; r++)
            for (int k = 0; k < 2; k++) {
                multiply *const call = k ? ddpm_kernels__gemm_blas : ddpm_kernels__gemm_panels;
                const double time = time_of(call, &at, arena, op);
                if (time < best[k]) best[k] = time;
            }
        const double gflop = 2e-9 * (double)op->m * (double)op->n * (double)op->k;
        printf("%4zu %4zu %4zu  %c %c %8.1f %9.1f %6.2f\n", op->m, op->n, op->k,
               op->transpose_a ? 'T' : '-', op->transpose_b ? 'T' : '-', gflop / best[0],
               gflop / best[1], best[1] / best[0]);
    }
    for (int i = 0; i < 3; i++) ddpm_memory_free(arena[i]);
    return 0;
}
