#include "ddpm/base/memory.h"
#include "ddpm/data/order.h"
#include "ddpm/dist/share.h"
#include "ddpm/eval/frechet.h"
#include "ddpm/kernels/matrix.h"

#include <math.h>
#include <stdbool.h>

enum { ROWS = 512 };

typedef struct {
    const float *a, *b;
    size_t a_count, b_count;
    size_t size, d;
    double *x, *y, *kernel; /* [size,D] twice, [ROWS,size] */
    uint64_t seed;
    double sum, squares; /* over pairs of subsets */
} comparison;

/* Sum of (x_i . y_j / D + 1)^3 over all pairs, or over those of different index. */
static double kernel_sum(const comparison *c, const double *x, const double *y, bool with_diagonal)
{
    double sum = 0.0;
    for (size_t first = 0; first < c->size; first += ROWS) {
        const size_t rows = c->size - first < ROWS ? c->size - first : ROWS;
        ddpm_matrix_product(c->kernel, x + first * c->d, y,
                            &(ddpm_matrix_product_op){ .transpose_b = true,
                                                       .m = rows,
                                                       .n = c->size,
                                                       .k = c->d,
                                                       .alpha = 1.0 / (double)c->d });
        for (size_t i = 0; i < rows; i++)
            for (size_t j = 0; j < c->size; j++) {
                if (first + i == j && !with_diagonal) continue;
                const double base = c->kernel[i * c->size + j] + 1.0;
                sum += base * base * base;
            }
    }
    return sum;
}

/* A subset without repetition: the first of a permutation of its own. */
static void draw(double *x, const float *features, size_t count, const comparison *c, uint64_t seed,
                 uint64_t number)
{
    for (size_t i = 0; i < c->size; i++) {
        const uint64_t k = ddpm_order_image(seed, number * count + i, count);
        for (size_t j = 0; j < c->d; j++) x[i * c->d + j] = (double)features[k * c->d + j];
    }
}

/* The unbiased squared discrepancy of a pair of subsets. */
static ddpm_status compare_pair(double *discrepancy, size_t number, void *context)
{
    const comparison *c = context;
    const double m = (double)c->size, pairs = m * (m - 1.0);
    draw(c->x, c->a, c->a_count, c, c->seed, number);
    draw(c->y, c->b, c->b_count, c, c->seed + 1, number);
    *discrepancy = kernel_sum(c, c->x, c->x, false) / pairs +
                   kernel_sum(c, c->y, c->y, false) / pairs -
                   2.0 * kernel_sum(c, c->x, c->y, true) / (m * m);
    return DDPM_OK;
}

static ddpm_status add_pair(size_t number, const double *discrepancy, void *context)
{
    comparison *c = context;
    (void)number;
    c->sum += *discrepancy;
    c->squares += *discrepancy * *discrepancy;
    return DDPM_OK;
}

static ddpm_status allocate(comparison *c)
{
    const size_t rows = c->size < ROWS ? c->size : ROWS;
    DDPM_TRY(ddpm_memory_alloc(&c->x, c->size, c->d * sizeof(double), DDPM_MEMORY_SCRATCH));
    DDPM_TRY(ddpm_memory_alloc(&c->y, c->size, c->d * sizeof(double), DDPM_MEMORY_SCRATCH));
    return ddpm_memory_alloc(&c->kernel, rows, c->size * sizeof(double), DDPM_MEMORY_SCRATCH);
}

ddpm_status ddpm_kernel_distance_of(ddpm_kernel_distance *out, const float *a, size_t a_count,
                                    const float *b, size_t b_count, size_t d, uint64_t seed,
                                    ddpm_comm *comm)
{
    const size_t least = a_count < b_count ? a_count : b_count;
    if (out->size > least) out->size = least;
    if (out->size < 2 || out->subsets == 0)
        return ddpm_fail(DDPM_ECONFIG, "a kernel distance takes subsets of 2 features or more");
    comparison c = { .a = a,
                     .b = b,
                     .a_count = a_count,
                     .b_count = b_count,
                     .size = out->size,
                     .d = d,
                     .seed = seed };
    ddpm_status status = ddpm_share_agree(allocate(&c), comm);
    if (status == DDPM_OK)
        status = ddpm_share_work(&(ddpm_share){ .name = "subsets",
                                                .units = out->subsets,
                                                .values = 1,
                                                .compute = compare_pair,
                                                .take = add_pair,
                                                .context = &c },
                                 comm);
    out->mean = c.sum / (double)out->subsets;
    out->std = sqrt(fmax(c.squares / (double)out->subsets - out->mean * out->mean, 0.0));
    ddpm_memory_free(c.x);
    ddpm_memory_free(c.y);
    ddpm_memory_free(c.kernel);
    return status;
}
