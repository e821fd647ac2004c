#include "ddpm/eval/neighbours.h"

#include "ddpm/base/memory.h"
#include "ddpm/kernels/linear.h"

#include <math.h>
#include <string.h>

enum { BLOCK = 512 };

typedef struct {
    size_t n, d, k;
    const float *queries;
    double *query_square;
    float *rows, *product; /* [BLOCK,D], [BLOCK,BLOCK] */
    double *row_square;
    ddpm_neighbour *out;
} search;

static double square_of(const float *a, size_t d)
{
    double sum = 0.0;
    for (size_t i = 0; i < d; i++) sum += (double)a[i] * (double)a[i];
    return sum;
}

static double square_between(const float *a, const float *b, size_t d)
{
    double sum = 0.0;
    for (size_t i = 0; i < d; i++) {
        const double apart = (double)a[i] - (double)b[i];
        sum += apart * apart;
    }
    return sum;
}

/* Rows come in ascending order, so an equal one does not displace an earlier. */
static void insert(ddpm_neighbour *nearest, size_t k, double square, uint64_t index)
{
    size_t at = k;
    for (; at > 0 && square < nearest[at - 1].square; at--)
        if (at < k) nearest[at] = nearest[at - 1];
    if (at < k) nearest[at] = (ddpm_neighbour){ square, index };
}

/* |a - b|^2 = |a|^2 + |b|^2 - 2 a.b, of which the last is wrong by at most D rounding errors of
 * 2 |a||b| <= |a|^2 + |b|^2; what may be as near as the k-th is looked at again. */
static void visit_block(const search *s, size_t first_query, size_t queries, size_t first_row,
                        size_t rows)
{
    const double slack = 6e-8 * ((double)s->d + 8.0);
    ddpm_linear_backward_data(s->product, s->queries + first_query * s->d, s->rows,
                              &(ddpm_linear){ .rows = queries, .c = rows, .k = s->d });
    for (size_t q = 0; q < queries; q++) {
        ddpm_neighbour *nearest = s->out + (first_query + q) * s->k;
        const float *query = s->queries + (first_query + q) * s->d;
        const double of_query = s->query_square[first_query + q];
        for (size_t r = 0; r < rows; r++) {
            const double both = of_query + s->row_square[r];
            const double about = both - 2.0 * (double)s->product[q * rows + r];
            if (about - slack * both > nearest[s->k - 1].square) continue;
            insert(nearest, s->k, square_between(query, s->rows + r * s->d, s->d), first_row + r);
        }
    }
}

static ddpm_status allocate(search *s)
{
    DDPM_TRY(ddpm_memory_alloc(&s->query_square, s->n, sizeof(double), DDPM_MEMORY_SCRATCH));
    DDPM_TRY(ddpm_memory_alloc(&s->row_square, BLOCK, sizeof(double), DDPM_MEMORY_SCRATCH));
    DDPM_TRY(ddpm_memory_alloc(&s->rows, BLOCK, s->d * sizeof(float), DDPM_MEMORY_DATA));
    return ddpm_memory_alloc(&s->product, BLOCK, BLOCK * sizeof(float), DDPM_MEMORY_SCRATCH);
}

ddpm_status ddpm_neighbours_find(ddpm_neighbour *out, const float *queries, size_t n, size_t d,
                                 size_t k, size_t rows, ddpm_row_reader *reader, void *context)
{
    search s = { .n = n, .d = d, .k = k, .queries = queries, .out = out };
    ddpm_status status = allocate(&s);
    if (status != DDPM_OK) goto done;
    for (size_t i = 0; i < n * k; i++) out[i] = (ddpm_neighbour){ (double)INFINITY, 0 };
    for (size_t i = 0; i < n; i++) s.query_square[i] = square_of(queries + i * d, d);
    for (size_t first = 0; first < rows; first += BLOCK) {
        const size_t count = rows - first < BLOCK ? rows - first : BLOCK;
        status = reader(s.rows, first, count, context);
        if (status != DDPM_OK) goto done;
        for (size_t r = 0; r < count; r++) s.row_square[r] = square_of(s.rows + r * d, d);
        for (size_t q = 0; q < n; q += BLOCK)
            visit_block(&s, q, n - q < BLOCK ? n - q : BLOCK, first, count);
    }
done:
    ddpm_memory_free(s.query_square);
    ddpm_memory_free(s.row_square);
    ddpm_memory_free(s.rows);
    ddpm_memory_free(s.product);
    return status;
}
