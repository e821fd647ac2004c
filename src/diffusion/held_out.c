#include "ddpm/diffusion/held_out.h"

#include "ddpm/base/philox.h"
#include "ddpm/diffusion/process.h"
#include "split.h"

#include <assert.h>
#include <math.h>

static bool learns_variance(const ddpm_held_out_options *options)
{
    return ddpm_variance_is_learned(options->objective->variance);
}

/* Arrays are [batch,D]; output is twice that where the variance is learned. */
typedef struct {
    float *eps, *xt, *said, *target, *times, *output, *variance;
} buffers;

static buffers cut(float *scratch, const ddpm_held_out_options *options)
{
    const size_t n = options->batch * options->d;
    const bool learned = learns_variance(options);
    return (buffers){ .eps = scratch,
                      .xt = scratch + n,
                      .said = scratch + 2 * n,
                      .target = scratch + 3 * n,
                      .output = scratch + 4 * n,
                      .times = scratch + (learned ? 7 : 5) * n,
                      .variance = learned ? scratch + 6 * n : NULL };
}

size_t ddpm_held_out_scratch_floats(const ddpm_held_out_options *options)
{
    const size_t arrays = learns_variance(options) ? 7 : 5;
    return options->batch * (arrays * options->d + 1);
}

/* Timesteps [begin, end) are those with t * DDPM_QUARTILES / T == quarter. */
static size_t begin_of(size_t quarter, size_t steps)
{
    return (quarter * steps + DDPM_QUARTILES - 1) / DDPM_QUARTILES;
}

static size_t timesteps_in(size_t quarter, size_t steps)
{
    return begin_of(quarter + 1, steps) - begin_of(quarter, steps);
}

static ddpm_level draw_level(uint64_t image, size_t quarter, const ddpm_held_out_options *options)
{
    const ddpm_schedule *schedule = options->objective->schedule;
    const ddpm_random random = { .seed = options->seed,
                                 .index = image,
                                 .purpose = DDPM_RANDOM_HELD_OUT_TIMESTEP,
                                 .stream = (uint32_t)quarter };
    if (schedule->is_flow) {
        const double u = ((double)ddpm_random_below(UINT64_C(1) << 52, &random) + 0.5) * 0x1p-52;
        return ddpm_level_of_flow(((double)quarter + u) / DDPM_QUARTILES, schedule->steps);
    }
    const size_t count = timesteps_in(quarter, schedule->steps);
    return ddpm_level_at(schedule, begin_of(quarter, schedule->steps) +
                                       (size_t)ddpm_random_below(count, &random));
}

static double evaluate(const buffers *b, const float *x0, uint64_t first, size_t count,
                       size_t quarter, const ddpm_held_out_options *options)
{
    const size_t n = options->batch, d = options->d;
    ddpm_level level[DDPM_BPD_BATCH_MOST];
    double weight[DDPM_BPD_BATCH_MOST], per_image[DDPM_BPD_BATCH_MOST], sum = 0.0;
    for (size_t i = 0; i < n; i++) {
        const ddpm_random random = { .seed = options->seed,
                                     .index = first + i,
                                     .purpose = DDPM_RANDOM_HELD_OUT_NOISE,
                                     .stream = (uint32_t)quarter };
        level[i] = draw_level(first + i, quarter, options);
        weight[i] = 1.0;
        b->times[i] = (float)level[i].network;
        ddpm_random_normal(b->eps + i * d, d, &random);
    }
    ddpm_q_sample(b->xt, x0, b->eps, level, n, d);
    options->network(b->output, b->xt, b->times, options->network_context);
    ddpm_diffusion__split(b->said, b->variance, b->output, n * d, options->channels);
    const ddpm_lesson lesson = { .n = n,
                                 .d = d,
                                 .x0 = x0,
                                 .eps = b->eps,
                                 .xt = b->xt,
                                 .level = level,
                                 .weight = weight,
                                 .said = b->said,
                                 .said_variance = b->variance };
    ddpm_objective_loss(per_image, b->said, b->variance, b->target, &lesson, 1.0,
                        options->objective);
    for (size_t i = 0; i < count; i++) sum += per_image[i];
    return sum;
}

double ddpm_held_out_call(float *scratch, const float *x0, uint64_t first, size_t count,
                          size_t quarter, const ddpm_held_out_options *options)
{
    assert(scratch && options->batch <= DDPM_BPD_BATCH_MOST && count <= options->batch);
    const ddpm_schedule *schedule = options->objective->schedule;
    const buffers b = cut(scratch, options);
    if (!schedule->is_flow && timesteps_in(quarter, schedule->steps) == 0) return 0.0;
    return evaluate(&b, x0, first, count, quarter, options);
}

ddpm_held_out_loss ddpm_held_out_mean(const double *sums, size_t images,
                                      const ddpm_schedule *schedule)
{
    ddpm_held_out_loss loss = { .mean = 0.0 };
    const double steps = (double)schedule->steps;
    for (size_t q = 0; q < DDPM_QUARTILES; q++) {
        const double share = schedule->is_flow ? 1.0 / DDPM_QUARTILES
                                               : (double)timesteps_in(q, schedule->steps) / steps;
        loss.quarter[q] = share > 0.0 ? sums[q] / (double)images : (double)NAN;
        loss.mean += share * sums[q] / (double)images;
    }
    return loss;
}
