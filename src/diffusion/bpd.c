#include "ddpm/diffusion/bpd.h"

#include "bpd_unit.h"
#include "ddpm/base/philox.h"
#include "ddpm/diffusion/bound.h"
#include "ddpm/diffusion/process.h"
#include "split.h"

#include <assert.h>
#include <string.h>

ddpm_status ddpm_bpd_check(const ddpm_bpd_options *options)
{
    const ddpm_schedule *schedule = options->schedule, *trained = options->trained;
    if (schedule->is_flow || options->prediction == DDPM_PREDICT_VELOCITY)
        return ddpm_fail(DDPM_ECONFIG,
                         "this model was trained as a rectified flow (diffusion.process = flow): "
                         "it has no variational bound, so no bits a dimension by it");
    if (options->variance == DDPM_VARIANCE_LEARNED && schedule->steps != trained->steps)
        return ddpm_fail(DDPM_ECONFIG,
                         "this network learned the variance of its own %zu steps; of %zu it knows "
                         "none: leave --steps out",
                         trained->steps, schedule->steps);
    return DDPM_OK;
}

size_t ddpm_bpd_segments(const ddpm_bpd_options *options)
{
    const size_t most = bpd_segment_most(options);
    return (options->strata_count + most - 1) / most;
}

size_t ddpm_bpd_unit_values(const ddpm_bpd_options *options)
{
    return bpd_images_at(options) + BPD_IMAGE_VALUES * options->batch;
}

static size_t output_floats(const ddpm_bpd_options *options)
{
    return ddpm_variance_is_learned(options->variance) ? 2 * options->d : options->d;
}

size_t ddpm_bpd_scratch_floats(const ddpm_bpd_options *options)
{
    /* eps, xt, said, variance; the network's output; times */
    return options->batch * (4 * options->d + output_floats(options) + 1);
}

/* One evaluation of the batch. Arrays are [batch,D]. */
typedef struct {
    float *eps, *xt, *said, *variance, *output, *times;
} buffers;

static buffers cut(float *scratch, const ddpm_bpd_options *options)
{
    const size_t n = options->batch * options->d;
    return (buffers){ .eps = scratch,
                      .xt = scratch + n,
                      .said = scratch + 2 * n,
                      .variance = scratch + 3 * n,
                      .output = scratch + 4 * n,
                      .times = scratch + 4 * n + options->batch * output_floats(options) };
}

static size_t draw_timestep(uint64_t image, size_t k, const ddpm_bpd_options *options)
{
    const ddpm_bpd_stratum stratum = options->strata[k];
    if (stratum.count == 1) return stratum.first;
    const ddpm_random random = { .seed = options->seed,
                                 .index = image,
                                 .purpose = DDPM_RANDOM_EVAL_TIMESTEP,
                                 .stream = (uint32_t)k };
    return stratum.first + (size_t)ddpm_random_below(stratum.count, &random);
}

static void draw_noise(float *eps, uint64_t image, const ddpm_level *level,
                       const ddpm_bpd_options *options)
{
    if (options->noise) {
        options->noise(eps, image, level->index, options->d, options->noise_context);
        return;
    }
    const ddpm_random random = { .seed = options->seed,
                                 .index = image,
                                 .purpose = DDPM_RANDOM_EVAL_NOISE,
                                 .stream = (uint32_t)level->network };
    ddpm_random_normal(eps, options->d, &random);
}

typedef struct {
    double bits, mse;
} judged;

/* Not a number stays one. */
static void clip(float *x, size_t d)
{
    for (size_t i = 0; i < d; i++) x[i] = x[i] < -1.0f ? -1.0f : x[i] > 1.0f ? 1.0f : x[i];
}

static judged judge(const buffers *b, size_t i, const float *x0, const ddpm_level *level,
                    const ddpm_bpd_options *options)
{
    const size_t d = options->d;
    float *x0_hat = b->said + i * d;
    /* The network's word is about a step of the process that it was trained with. */
    ddpm_level trained = *level;
    trained.index = (size_t)level->network;
    ddpm_prediction_x0(x0_hat, b->xt + i * d, x0_hat, &trained, d, options->prediction,
                       options->trained);
    if (options->clip) clip(x0_hat, d);
    const bool learned = ddpm_variance_is_learned(options->variance);
    const ddpm_bound_step step = { .x0 = x0,
                                   .xt = b->xt + i * d,
                                   .x0_hat = x0_hat,
                                   .said = learned ? b->variance + i * d : NULL,
                                   .variance = options->variance,
                                   .index = level->index,
                                   .schedule = options->schedule };
    double squares = 0.0;
    for (size_t j = 0; j < d; j++) {
        const double error = (double)x0_hat[j] - (double)x0[j];
        squares += error * error;
    }
    return (judged){ ddpm_bound_term(&step, d), squares / (double)d };
}

/* Stratum k of the batch, which is the segment's `place`: into its sums, and into the images' own.
 */
static void add_stratum(double *values, const buffers *b, const float *x0, uint64_t first,
                        size_t count, size_t place, size_t k, const ddpm_bpd_options *options)
{
    const size_t d = options->d, steps = options->schedule->steps;
    double *sums = values + BPD_STRATA + place * BPD_STRATUM_VALUES;
    double *images = values + bpd_images_at(options);
    const double width = (double)options->strata[k].count;
    ddpm_level level[DDPM_BPD_BATCH_MOST];
    for (size_t i = 0; i < options->batch; i++) {
        level[i] = ddpm_level_at(options->schedule, draw_timestep(first + i, k, options));
        b->times[i] = (float)level[i].network;
        draw_noise(b->eps + i * d, first + i, &level[i], options);
    }
    ddpm_q_sample(b->xt, x0, b->eps, level, options->batch, d);
    options->network(b->output, b->xt, b->times, options->network_context);
    const bool learned = ddpm_variance_is_learned(options->variance);
    ddpm_diffusion__split(b->said, learned ? b->variance : NULL, b->output, options->batch * d,
                          options->channels);
    for (size_t i = 0; i < count; i++) {
        const judged of = judge(b, i, x0 + i * d, &level[i], options);
        const double bits = width * of.bits;
        sums[BPD_BITS] += bits;
        sums[BPD_SQUARES] += bits * bits;
        sums[BPD_MSE] += of.mse;
        images[i * BPD_IMAGE_VALUES + BPD_IMAGE_BITS] += bits;
        if (k == 0)
            images[i * BPD_IMAGE_VALUES + BPD_IMAGE_DECODER] = bits;
        else
            values[BPD_QUARTERS + level[i].index * DDPM_QUARTILES / steps] += bits;
    }
}

void ddpm_bpd_unit(double *values, float *scratch, const float *x0, uint64_t first, size_t count,
                   size_t segment, const ddpm_bpd_options *options)
{
    assert(scratch && options->batch <= DDPM_BPD_BATCH_MOST && count <= options->batch);
    const buffers b = cut(scratch, options);
    double *images = values + bpd_images_at(options);
    memset(values, 0, ddpm_bpd_unit_values(options) * sizeof *values);
    values[BPD_COUNT] = (double)count;
    const size_t strata = bpd_segment_strata(options, segment);
    for (size_t k = 0; k < strata; k++)
        add_stratum(values, &b, x0, first, count, k, segment * bpd_segment_most(options) + k,
                    options);
    for (size_t i = 0; segment == 0 && i < count; i++)
        images[i * BPD_IMAGE_VALUES + BPD_IMAGE_PRIOR] = ddpm_bound_prior(
            x0 + i * options->d, options->d, options->schedule);
}
