#include "ddpm/diffusion/timesteps.h"

#include "ddpm/base/philox.h"
#include "importance.h"
#include "names.h"

#include <assert.h>
#include <math.h>

const char *const ddpm_draw_names[] = { "uniform", "stratified", "importance", "logit_normal",
                                        NULL };

ddpm_status ddpm_draw_find(ddpm_draw *out, const char *name)
{
    size_t place;
    DDPM_TRY(ddpm_diffusion__place(&place, "way to draw timesteps", name, ddpm_draw_names));
    *out = (ddpm_draw)place;
    return DDPM_OK;
}

static ddpm_random random_of(uint64_t sample_index, const ddpm_level_source *source)
{
    return (ddpm_random){ .seed = source->seed,
                          .index = sample_index,
                          .purpose = DDPM_RANDOM_TIMESTEP };
}

/* A draw falls into part `part` of `parts` equal ones of the range. */
typedef struct {
    uint64_t part, parts;
} share;

static share share_of(uint64_t sample_index, const ddpm_level_source *source)
{
    if (source->kind != DDPM_DRAW_STRATIFIED) return (share){ 0, 1 };
    const uint64_t batch = source->batch;
    const ddpm_random random = { .seed = source->seed,
                                 .index = sample_index / batch,
                                 .purpose = DDPM_RANDOM_STRATUM };
    return (share){ ddpm_random_permute(sample_index % batch, batch, &random), batch };
}

/* floor((part + u) / parts * count), with u of 64 random bits: floor(u count) is all that matters
 * of them. */
static size_t draw_whole(size_t count, uint64_t sample_index, const ddpm_level_source *source)
{
    const ddpm_random random = random_of(sample_index, source);
    const share of = share_of(sample_index, source);
    return (size_t)((of.part * count + ddpm_random_below(count, &random)) / of.parts);
}

/* In (0, 1); in the last of several parts rounding may make it 1, which is a time of a flow too. */
static double draw_real(uint64_t sample_index, const ddpm_level_source *source)
{
    const ddpm_random random = random_of(sample_index, source);
    const share of = share_of(sample_index, source);
    const double u = ((double)ddpm_random_below(UINT64_C(1) << 52, &random) + 0.5) * 0x1p-52;
    return ((double)of.part + u) / (double)of.parts;
}

ddpm_level ddpm_level_of_flow(double t, size_t steps)
{
    const size_t index = (size_t)(t * (double)steps);
    return (ddpm_level){ .index = index < steps ? index : steps - 1,
                         .signal = 1.0 - t,
                         .noise = t,
                         .network = 1000.0 * t };
}

static ddpm_level flow_level(uint64_t sample_index, const ddpm_level_source *source)
{
    double t;
    if (source->kind == DDPM_DRAW_LOGIT_NORMAL) {
        const ddpm_random random = random_of(sample_index, source);
        float z;
        ddpm_random_normal(&z, 1, &random);
        t = 1.0 / (1.0 + exp(-(double)z));
    } else
        t = draw_real(sample_index, source);
    return ddpm_level_of_flow(t, source->schedule->steps);
}

void ddpm_draw_levels(ddpm_level *level, double *weight, const uint64_t *sample_index, size_t n,
                      const ddpm_level_source *source)
{
    const ddpm_schedule *schedule = source->schedule;
    for (size_t i = 0; i < n; i++) {
        weight[i] = 1.0;
        if (schedule->is_flow) {
            level[i] = flow_level(sample_index[i], source);
            continue;
        }
        size_t t = draw_whole(schedule->steps, sample_index[i], source);
        if (source->kind == DDPM_DRAW_IMPORTANCE) {
            t = ddpm_diffusion__importance_find(source->importance,
                                                draw_real(sample_index[i], source), t);
            weight[i] = 1.0 / ((double)schedule->steps *
                               ddpm_importance_probability(source->importance, t));
        }
        level[i] = ddpm_level_at(schedule, t);
    }
}
