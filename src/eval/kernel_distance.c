#include "ddpm/base/philox.h"
#include "ddpm/data/order.h"
#include "ddpm/eval/frechet.h"
#include "ddpm/kernels/matrix.h"

#include <math.h>
#include <stdlib.h>

typedef struct {
    size_t size, d;
    double *x, *y, *kernel; /* [size,d] twice, [size,size] */
} subset;

/* Sum of (a_i . b_j / D + 1)^3 over all pairs, or over those of different index. */
static double kernel_sum(const subset *s, const double *a, const double *b, bool with_diagonal)
{
    double sum = 0.0;
    ddpm_matrix_product(s->kernel, a, b,
                        &(ddpm_matrix_product_op){ .transpose_b = true,
                                                   .m = s->size,
                                                   .n = s->size,
                                                   .k = s->d,
                                                   .alpha = 1.0 / (double)s->d });
    for (size_t i = 0; i < s->size; i++)
        for (size_t j = 0; j < s->size; j++) {
            if (i == j && !with_diagonal) continue;
            const double base = s->kernel[i * s->size + j] + 1.0;
            sum += base * base * base;
        }
    return sum;
}

/* A subset without repetition: the first of a permutation of its own. */
static void draw(double *x, const float *features, size_t count, const subset *s, uint64_t seed,
                 uint64_t number)
{
    for (size_t i = 0; i < s->size; i++) {
        const uint64_t k = ddpm_order_image(seed, number * count + i, count);
        for (size_t j = 0; j < s->d; j++) x[i * s->d + j] = (double)features[k * s->d + j];
    }
}

ddpm_status ddpm_kernel_distance_of(ddpm_kernel_distance *out, const float *a, size_t a_count,
                                    const float *b, size_t b_count, size_t d, uint64_t seed)
{
    const size_t least = a_count < b_count ? a_count : b_count;
    if (out->size > least) out->size = least;
    const size_t m = out->size;
    if (m < 2 || out->subsets == 0)
        return ddpm_fail(DDPM_ECONFIG, "a kernel distance takes subsets of 2 features or more");
    subset s = { m, d, malloc(m * d * sizeof(double)), malloc(m * d * sizeof(double)),
                 malloc(m * m * sizeof(double)) };
    ddpm_status status = DDPM_OK;
    if (!s.x || !s.y || !s.kernel) status = ddpm_fail(DDPM_EOS, "out of memory for subsets");
    double sum = 0.0, squares = 0.0;
    for (size_t k = 0; status == DDPM_OK && k < out->subsets; k++) {
        draw(s.x, a, a_count, &s, seed, k);
        draw(s.y, b, b_count, &s, seed + 1, k);
        const double pairs = (double)m * (double)(m - 1);
        const double mmd = kernel_sum(&s, s.x, s.x, false) / pairs +
                           kernel_sum(&s, s.y, s.y, false) / pairs -
                           2.0 * kernel_sum(&s, s.x, s.y, true) / ((double)m * (double)m);
        sum += mmd;
        squares += mmd * mmd;
    }
    out->mean = sum / (double)out->subsets;
    out->std = sqrt(fmax(squares / (double)out->subsets - out->mean * out->mean, 0.0));
    free(s.x);
    free(s.y);
    free(s.kernel);
    return status;
}
