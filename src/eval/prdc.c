#include "ddpm/base/memory.h"
#include "ddpm/dist/share.h"
#include "ddpm/eval/frechet.h"
#include "ddpm/eval/neighbours.h"
#include "ddpm/kernels/linear.h"
#include "squares.h"

#include <stdbool.h>
#include <string.h>

enum { REALS = 256, FAKES = 512 };

typedef struct {
    const float *x;
    size_t n, d;
    double *radius; /* [n]: square of the distance to the k-th other */
    double *square; /* [n]: of its own length */
} cloud;

typedef struct {
    cloud real, fake;
    squares_error error;
    float *product;           /* [REALS,FAKES] */
    unsigned char *in;        /* [REALS,FAKES]: IN_REAL, IN_FAKE: whose balls hold the other */
    uint64_t *precise;        /* [fakes]: 1 where it is in a ball of a real one */
    double inside;            /* pairs of a fake in a real one's ball */
    double recalled, covered; /* reals in a ball of a fake one, with a fake in theirs */
    bool is_recalled[REALS], is_covered[REALS];
} counting;
enum { IN_REAL = 1, IN_FAKE = 2 };

static ddpm_status read_rows(float *x, size_t first, size_t count, void *context)
{
    const cloud *c = context;
    memcpy(x, c->x + first * c->d, count * c->d * sizeof *x);
    return DDPM_OK;
}

static ddpm_status measure(cloud *c, size_t k, ddpm_comm *comm)
{
    ddpm_neighbour *near = NULL;
    ddpm_status status = ddpm_memory_alloc(&near, c->n, (k + 1) * sizeof *near,
                                           DDPM_MEMORY_SCRATCH);
    if (status == DDPM_OK)
        status = ddpm_memory_alloc(&c->radius, c->n, sizeof(double), DDPM_MEMORY_SCRATCH);
    if (status == DDPM_OK)
        status = ddpm_memory_alloc(&c->square, c->n, sizeof(double), DDPM_MEMORY_SCRATCH);
    status = ddpm_share_agree(status, comm);
    /* The nearest is itself, or one just like it. */
    if (status == DDPM_OK)
        status = ddpm_neighbours_find(near, &(ddpm_neighbour_search){ .queries = c->x,
                                                                      .n = c->n,
                                                                      .d = c->d,
                                                                      .k = k + 1,
                                                                      .rows = c->n,
                                                                      .read = read_rows,
                                                                      .context = c,
                                                                      .comm = comm });
    for (size_t i = 0; status == DDPM_OK && i < c->n; i++) {
        c->radius[i] = near[i * (k + 1) + k].square;
        c->square[i] = squares_of(c->x + i * c->d, c->d);
    }
    ddpm_memory_free(near);
    return status;
}

/* Whether |real - fake|^2 < limit; strictly, as the authors' code has it. */
static bool is_within(const counting *c, size_t i, size_t j, double both, double about,
                      double limit)
{
    const double error = c->error.relative * both + c->error.absolute;
    if (about + error < limit) return true;
    if (about - error > limit) return false;
    return squares_between(c->real.x + i * c->real.d, c->fake.x + j * c->fake.d, c->real.d) < limit;
}

static void compare(counting *c, size_t first_real, size_t reals, size_t first_fake, size_t fakes)
{
    const size_t d = c->real.d;
    ddpm_linear_backward_data(c->product, c->real.x + first_real * d, c->fake.x + first_fake * d,
                              &(ddpm_linear){ .rows = reals, .c = fakes, .k = d });
#pragma omp parallel for schedule(static)
    for (size_t r = 0; r < reals; r++)
        for (size_t f = 0; f < fakes; f++) {
            const size_t i = first_real + r, j = first_fake + f;
            const double both = c->real.square[i] + c->fake.square[j];
            const double about = both - 2.0 * (double)c->product[r * fakes + f];
            c->in[r * fakes + f] =
                (unsigned char)((is_within(c, i, j, both, about, c->real.radius[i]) ? IN_REAL : 0) |
                                (is_within(c, i, j, both, about, c->fake.radius[j]) ? IN_FAKE : 0));
        }
}

/* A block of real features against all fake ones. */
static ddpm_status count_block(double *values, size_t block, void *context)
{
    counting *c = context;
    const size_t first = block * REALS, left = c->real.n - first;
    const size_t reals = left < REALS ? left : REALS;
    size_t inside = 0, recalled = 0, covered = 0;
    memset(c->is_recalled, 0, sizeof c->is_recalled);
    memset(c->is_covered, 0, sizeof c->is_covered);
    for (size_t j = 0; j < c->fake.n; j += FAKES) {
        const size_t fakes = c->fake.n - j < FAKES ? c->fake.n - j : FAKES;
        compare(c, first, reals, j, fakes);
        for (size_t r = 0; r < reals; r++)
            for (size_t f = 0; f < fakes; f++) {
                const unsigned in = c->in[r * fakes + f];
                inside += in & IN_REAL;
                c->precise[j + f] |= in & IN_REAL;
                c->is_covered[r] |= (in & IN_REAL) != 0;
                c->is_recalled[r] |= (in & IN_FAKE) != 0;
            }
    }
    for (size_t r = 0; r < reals; r++) {
        recalled += c->is_recalled[r];
        covered += c->is_covered[r];
    }
    values[0] = (double)inside;
    values[1] = (double)recalled;
    values[2] = (double)covered;
    return DDPM_OK;
}

/* Whole numbers: their sums are exact. */
static ddpm_status add_counts(size_t block, const double *values, void *context)
{
    counting *c = context;
    (void)block;
    c->inside += values[0];
    c->recalled += values[1];
    c->covered += values[2];
    return DDPM_OK;
}

static ddpm_status count(ddpm_prdc *out, counting *c, size_t k, ddpm_comm *comm)
{
    const double fakes = (double)c->fake.n, reals = (double)c->real.n;
    size_t precise = 0;
    DDPM_TRY(ddpm_share_work(&(ddpm_share){ .name = "pairs",
                                            .units = (c->real.n + REALS - 1) / REALS,
                                            .values = 3,
                                            .compute = count_block,
                                            .take = add_counts,
                                            .context = c },
                             comm));
    if (comm) DDPM_TRY(ddpm_comm_max_u64(comm, c->precise, c->fake.n));
    for (size_t j = 0; j < c->fake.n; j++) precise += c->precise[j];
    *out = (ddpm_prdc){ .precision = (double)precise / fakes,
                        .recall = c->recalled / reals,
                        .density = c->inside / ((double)k * fakes),
                        .coverage = c->covered / reals };
    return DDPM_OK;
}

static ddpm_status allocate(counting *c)
{
    const size_t block = (size_t)REALS * FAKES;
    DDPM_TRY(ddpm_memory_alloc(&c->product, block, sizeof(float), DDPM_MEMORY_SCRATCH));
    DDPM_TRY(ddpm_memory_alloc(&c->in, block, 1, DDPM_MEMORY_SCRATCH));
    return ddpm_memory_alloc(&c->precise, c->fake.n, sizeof(uint64_t), DDPM_MEMORY_SCRATCH);
}

ddpm_status ddpm_prdc_of(ddpm_prdc *out, const float *real, size_t real_count, const float *fake,
                         size_t fake_count, size_t d, size_t k, ddpm_comm *comm)
{
    if (k == 0 || k >= real_count || k >= fake_count)
        return ddpm_fail(DDPM_ECONFIG,
                         "%zu neighbours of %zu and %zu features: there must be more features", k,
                         real_count, fake_count);
    counting c = { .real = { .x = real, .n = real_count, .d = d },
                   .fake = { .x = fake, .n = fake_count, .d = d },
                   .error = squares_error_of(d) };
    ddpm_status status = ddpm_share_agree(allocate(&c), comm);
    if (status == DDPM_OK) status = measure(&c.real, k, comm);
    if (status == DDPM_OK) status = measure(&c.fake, k, comm);
    if (status == DDPM_OK) status = count(out, &c, k, comm);
    ddpm_memory_free(c.product);
    ddpm_memory_free(c.in);
    ddpm_memory_free(c.precise);
    cloud *clouds[] = { &c.real, &c.fake };
    for (size_t i = 0; i < 2; i++) {
        ddpm_memory_free(clouds[i]->radius);
        ddpm_memory_free(clouds[i]->square);
    }
    return status;
}
