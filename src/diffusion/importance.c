/* Loss-aware timesteps (Nichol & Dhariwal 2021 eq. 18): p_t in proportion to sqrt(E[L_t^2]), the
 * expectation over the last ten losses at t, and a thousandth of it uniform (their code). */
#include "importance.h"

#include "ddpm/base/memory.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double uniform_share = 0.001;

typedef float ring[DDPM_IMPORTANCE_HISTORY];

struct ddpm_importance {
    size_t steps, full;   /* timesteps; with ten losses */
    ring *loss;           /* [steps] */
    unsigned char *count; /* [steps] */
    unsigned char *next;  /* [steps]: the oldest of a full ring */
    double *root;         /* [steps]: sqrt(E[L^2]) of a full ring */
    double *cumulative;   /* [steps + 1], once all are full */
};

static ddpm_status allocate(ddpm_importance *importance, size_t steps)
{
    const ddpm_memory_kind kind = DDPM_MEMORY_OPTIMIZER;
    importance->steps = steps;
    DDPM_TRY(ddpm_memory_alloc(&importance->loss, steps, sizeof *importance->loss, kind));
    DDPM_TRY(ddpm_memory_alloc(&importance->count, steps, 1, kind));
    DDPM_TRY(ddpm_memory_alloc(&importance->next, steps, 1, kind));
    DDPM_TRY(ddpm_memory_alloc(&importance->root, steps, sizeof *importance->root, kind));
    return ddpm_memory_alloc(&importance->cumulative, steps + 1, sizeof *importance->cumulative,
                             kind);
}

uint64_t ddpm_importance_bytes(size_t steps)
{
    const ddpm_importance *of = NULL;
    return steps * (sizeof *of->loss + 2 + sizeof *of->root) + (steps + 1) * sizeof *of->cumulative;
}

ddpm_status ddpm_importance_create(ddpm_importance **out, size_t steps)
{
    ddpm_importance *importance = calloc(1, sizeof *importance);
    if (!importance) return ddpm_fail(DDPM_EOS, "no memory for the losses of timesteps");
    const ddpm_status status = allocate(importance, steps);
    if (status == DDPM_OK)
        *out = importance;
    else
        ddpm_importance_free(importance);
    return status;
}

void ddpm_importance_free(ddpm_importance *importance)
{
    if (!importance) return;
    ddpm_memory_free(importance->loss);
    ddpm_memory_free(importance->count);
    ddpm_memory_free(importance->next);
    ddpm_memory_free(importance->root);
    ddpm_memory_free(importance->cumulative);
    free(importance);
}

static bool is_ready(const ddpm_importance *importance)
{
    return importance->full == importance->steps;
}

/* Loss i of a full ring, the oldest first. */
static float loss_of(const ddpm_importance *importance, size_t t, size_t i)
{
    return importance->loss[t][(importance->next[t] + i) % DDPM_IMPORTANCE_HISTORY];
}

/* In the order of their age, not of their places in the ring: a run that is resumed has them in
 * other places, and a sum in another order is another in its last bits. */
static double root_mean_square(const ddpm_importance *importance, size_t t)
{
    double sum = 0.0;
    for (size_t i = 0; i < DDPM_IMPORTANCE_HISTORY; i++) {
        const double loss = (double)loss_of(importance, t, i);
        sum += loss * loss;
    }
    return sqrt(sum / DDPM_IMPORTANCE_HISTORY);
}

static void distribute(ddpm_importance *importance)
{
    if (!is_ready(importance)) return;
    double *cumulative = importance->cumulative, sum = 0.0;
    const size_t steps = importance->steps;
    for (size_t t = 0; t < steps; t++) sum += importance->root[t];
    const double flat = sum > 0.0 ? uniform_share : 1.0;
    cumulative[0] = 0.0;
    for (size_t t = 0; t < steps; t++)
        cumulative[t + 1] = cumulative[t] + flat / (double)steps +
                            (sum > 0.0 ? (1.0 - flat) * importance->root[t] / sum : 0.0);
}

static void add(ddpm_importance *importance, size_t t, double loss)
{
    assert(t < importance->steps);
    const float kept = (float)loss;
    if (!isfinite(kept)) return;
    importance->loss[t][importance->next[t]] = kept;
    importance->next[t] = (unsigned char)((importance->next[t] + 1) % DDPM_IMPORTANCE_HISTORY);
    if (importance->count[t] < DDPM_IMPORTANCE_HISTORY) {
        importance->count[t]++;
        if (importance->count[t] < DDPM_IMPORTANCE_HISTORY) return;
        importance->full++;
    }
    importance->root[t] = root_mean_square(importance, t);
}

void ddpm_importance_add(ddpm_importance *importance, const size_t *t, const double *loss, size_t n)
{
    for (size_t i = 0; i < n; i++) add(importance, t[i], loss[i]);
    distribute(importance);
}

double ddpm_importance_probability(const ddpm_importance *importance, size_t t)
{
    if (!is_ready(importance)) return 1.0 / (double)importance->steps;
    return importance->cumulative[t + 1] - importance->cumulative[t];
}

size_t ddpm_diffusion__importance_find(const ddpm_importance *importance, double place,
                                       size_t uniform)
{
    if (!is_ready(importance)) return uniform;
    size_t low = 0, high = importance->steps - 1; /* the last with cumulative <= place */
    while (low < high) {
        const size_t middle = (low + high + 1) / 2;
        if (importance->cumulative[middle] <= place)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

void ddpm_importance_get(float *history, const ddpm_importance *importance)
{
    for (size_t t = 0; t < importance->steps; t++) {
        float *row = history + t * DDPM_IMPORTANCE_HISTORY;
        const size_t count = importance->count[t];
        const bool full = count == DDPM_IMPORTANCE_HISTORY;
        for (size_t i = 0; i < DDPM_IMPORTANCE_HISTORY; i++)
            row[i] = full ? loss_of(importance, t, i) : i < count ? importance->loss[t][i] : NAN;
    }
}

void ddpm_importance_set(ddpm_importance *importance, const float *history)
{
    importance->full = 0;
    memset(importance->count, 0, importance->steps);
    memset(importance->next, 0, importance->steps);
    for (size_t i = 0; i < importance->steps * DDPM_IMPORTANCE_HISTORY; i++)
        add(importance, i / DDPM_IMPORTANCE_HISTORY, (double)history[i]);
    distribute(importance);
}
