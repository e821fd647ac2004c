#include "ddpm/eval/neighbours.h"

#include "ddpm/base/memory.h"
#include "ddpm/dist/share.h"
#include "ddpm/kernels/linear.h"
#include "squares.h"

#include <math.h>
#include <string.h>

enum { QUERIES = 2048, ROWS = 512 };

typedef struct {
    const ddpm_neighbour_search *how;
    ddpm_neighbour *out;    /* [n,k]: of the rows that this rank has seen */
    ddpm_neighbour *theirs; /* [2,n,k]: of those that another has, and a copy of these */
    squares_error error;
    double *query_square, *row_square;
    float *rows, *product; /* [ROWS,D], [QUERIES,ROWS] */
} search;

static bool is_nearer(double square, uint64_t index, const ddpm_neighbour *than)
{
    return square < than->square || (square == than->square && index < than->index);
}

static void insert(ddpm_neighbour *nearest, size_t k, double square, uint64_t index)
{
    size_t at = k;
    for (; at > 0 && is_nearer(square, index, &nearest[at - 1]); at--)
        if (at < k) nearest[at] = nearest[at - 1];
    if (at < k) nearest[at] = (ddpm_neighbour){ square, index };
}

static void visit_row_of_products(search *s, size_t query, const float *product, size_t first_row,
                                  size_t rows)
{
    const size_t d = s->how->d, k = s->how->k;
    ddpm_neighbour *nearest = s->out + query * k;
    for (size_t r = 0; r < rows; r++) {
        const double both = s->query_square[query] + s->row_square[r];
        const double about = both - 2.0 * (double)product[r];
        if (about - s->error.relative * both - s->error.absolute > nearest[k - 1].square) continue;
        const double square = squares_between(s->how->queries + query * d, s->rows + r * d, d);
        insert(nearest, k, square, first_row + r);
    }
}

static void visit(search *s, size_t first_query, size_t queries, size_t first_row, size_t rows)
{
    const size_t d = s->how->d;
    ddpm_linear_backward_data(s->product, s->how->queries + first_query * d, s->rows,
                              &(ddpm_linear){ .rows = queries, .c = rows, .k = d });
#pragma omp parallel for schedule(static)
    for (size_t q = 0; q < queries; q++)
        visit_row_of_products(s, first_query + q, s->product + q * rows, first_row, rows);
}

/* A block of rows against all queries. */
static ddpm_status visit_block(double *none, size_t block, void *context)
{
    search *s = context;
    const size_t first = block * ROWS, left = s->how->rows - first, n = s->how->n, d = s->how->d;
    const size_t count = left < ROWS ? left : ROWS;
    (void)none;
    DDPM_TRY(s->how->read(s->rows, first, count, s->how->context));
#pragma omp parallel for schedule(static)
    for (size_t r = 0; r < count; r++) s->row_square[r] = squares_of(s->rows + r * d, d);
    for (size_t q = 0; q < n; q += QUERIES)
        visit(s, q, n - q < QUERIES ? n - q : QUERIES, first, count);
    return DDPM_OK;
}

static void clear(search *s)
{
    for (size_t i = 0; i < s->how->n * s->how->k; i++)
        s->out[i] = (ddpm_neighbour){ (double)INFINITY, 0 };
}

/* Every rank has seen other rows. */
static ddpm_status merge(search *s)
{
    const size_t n = s->how->n, k = s->how->k, all = n * k, ranks = ddpm_share_ranks(s->how->comm);
    ddpm_neighbour *mine = s->theirs + all;
    if (ranks == 1) return DDPM_OK;
    memcpy(mine, s->out, all * sizeof *mine);
    clear(s);
    for (size_t r = 0; r < ranks; r++) {
        if (r == ddpm_share_rank(s->how->comm)) memcpy(s->theirs, mine, all * sizeof *mine);
        DDPM_TRY(ddpm_comm_broadcast(s->how->comm, s->theirs, all * sizeof *s->theirs, (int)r));
        for (size_t i = 0; i < all; i++)
            insert(s->out + i / k * k, k, s->theirs[i].square, s->theirs[i].index);
    }
    return DDPM_OK;
}

static ddpm_status allocate(search *s)
{
    const ddpm_neighbour_search *how = s->how;
    const size_t queries = how->n < QUERIES ? how->n : QUERIES;
    DDPM_TRY(ddpm_memory_alloc(&s->query_square, how->n, sizeof(double), DDPM_MEMORY_SCRATCH));
    DDPM_TRY(ddpm_memory_alloc(&s->row_square, ROWS, sizeof(double), DDPM_MEMORY_SCRATCH));
    DDPM_TRY(ddpm_memory_alloc(&s->rows, ROWS, how->d * sizeof(float), DDPM_MEMORY_DATA));
    if (ddpm_share_ranks(how->comm) > 1)
        DDPM_TRY(ddpm_memory_alloc(&s->theirs, 2 * how->n, how->k * sizeof *s->theirs,
                                   DDPM_MEMORY_SCRATCH));
    return ddpm_memory_alloc(&s->product, queries, ROWS * sizeof(float), DDPM_MEMORY_SCRATCH);
}

ddpm_status ddpm_neighbours_find(ddpm_neighbour *out, const ddpm_neighbour_search *how)
{
    search s = { .how = how, .out = out, .error = squares_error_of(how->d) };
    ddpm_status status = ddpm_share_agree(allocate(&s), how->comm);
    if (status != DDPM_OK) goto done;
    clear(&s);
    for (size_t i = 0; i < how->n; i++)
        s.query_square[i] = squares_of(how->queries + i * how->d, how->d);
    status = ddpm_share_work(&(ddpm_share){ .name = "nearest neighbours",
                                            .units = (how->rows + ROWS - 1) / ROWS,
                                            .compute = visit_block,
                                            .context = &s },
                             how->comm);
    if (status == DDPM_OK) status = merge(&s);
done:
    ddpm_memory_free(s.query_square);
    ddpm_memory_free(s.row_square);
    ddpm_memory_free(s.rows);
    ddpm_memory_free(s.theirs);
    ddpm_memory_free(s.product);
    return status;
}
