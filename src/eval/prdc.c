#include "ddpm/eval/frechet.h"
#include "ddpm/eval/neighbours.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    const float *x;
    size_t n, d;
    double *radius; /* [n]: square of the distance to the k-th other */
} cloud;

static ddpm_status read_rows(float *x, size_t first, size_t count, void *context)
{
    const cloud *c = context;
    memcpy(x, c->x + first * c->d, count * c->d * sizeof *x);
    return DDPM_OK;
}

static ddpm_status find_radii(cloud *c, size_t k)
{
    ddpm_neighbour *near = malloc(c->n * (k + 1) * sizeof *near);
    c->radius = malloc(c->n * sizeof *c->radius);
    ddpm_status status = DDPM_OK;
    if (!near || !c->radius) status = ddpm_fail(DDPM_EOS, "out of memory for neighbours");
    /* The nearest is itself, or one just like it. */
    if (status == DDPM_OK)
        status = ddpm_neighbours_find(near, c->x, c->n, c->d, k + 1, c->n, read_rows, c);
    for (size_t i = 0; status == DDPM_OK && i < c->n; i++)
        c->radius[i] = near[i * (k + 1) + k].square;
    free(near);
    return status;
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

/* All pairs; strict comparisons, as the authors' code has them. */
static void count_pairs(ddpm_prdc *out, bool *in_fake, const cloud *real, const cloud *fake,
                        size_t k)
{
    size_t precise = 0, inside = 0, recalled = 0, covered = 0;
    for (size_t j = 0; j < fake->n; j++) in_fake[j] = false;
    for (size_t i = 0; i < real->n; i++) {
        bool in_ball_of_fake = false, reached = false;
        for (size_t j = 0; j < fake->n; j++) {
            const double square = square_between(real->x + i * real->d, fake->x + j * fake->d,
                                                 real->d);
            if (square < real->radius[i]) {
                in_fake[j] = reached = true;
                inside++;
            }
            in_ball_of_fake |= square < fake->radius[j];
        }
        recalled += in_ball_of_fake;
        covered += reached;
    }
    for (size_t j = 0; j < fake->n; j++) precise += in_fake[j];
    *out = (ddpm_prdc){ .precision = (double)precise / (double)fake->n,
                        .recall = (double)recalled / (double)real->n,
                        .density = (double)inside / ((double)k * (double)fake->n),
                        .coverage = (double)covered / (double)real->n };
}

ddpm_status ddpm_prdc_of(ddpm_prdc *out, const float *real, size_t real_count, const float *fake,
                         size_t fake_count, size_t d, size_t k)
{
    if (k == 0 || k >= real_count || k >= fake_count)
        return ddpm_fail(DDPM_ECONFIG,
                         "%zu neighbours of %zu and %zu features: there must be more features", k,
                         real_count, fake_count);
    cloud r = { real, real_count, d, NULL }, f = { fake, fake_count, d, NULL };
    bool *in_fake = malloc(fake_count * sizeof *in_fake);
    ddpm_status status = in_fake ? DDPM_OK : ddpm_fail(DDPM_EOS, "out of memory");
    if (status == DDPM_OK) status = find_radii(&r, k);
    if (status == DDPM_OK) status = find_radii(&f, k);
    if (status == DDPM_OK) count_pairs(out, in_fake, &r, &f, k);
    free(in_fake);
    free(r.radius);
    free(f.radius);
    return status;
}
