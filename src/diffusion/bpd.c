#include "ddpm/diffusion/bpd.h"

#include "bpd_unit.h"
#include "ddpm/base/philox.h"
#include "ddpm/diffusion/bound.h"
#include "ddpm/diffusion/process.h"
#include "split.h"

#include <assert.h>

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
    /* In the official code what says the mean is not clipped: only the x_0 that it leads to. */
    const bool says_mean = options->prediction == DDPM_PREDICT_XPREV &&
                           ddpm_schedule_is_training_step(options->schedule, level->index);
    if (options->clip && !says_mean) clip(x0_hat, d);
    const bool learned = ddpm_variance_is_learned(options->variance);
    const ddpm_bound_step step = { .x0 = x0,
                                   .xt = b->xt + i * d,
                                   .x0_hat = x0_hat,
                                   .said = learned ? b->variance + i * d : NULL,
                                   .variance = options->variance,
                                   .index = level->index,
                                   .schedule = options->schedule };
    const double bits = ddpm_bound_term(&step, d);
    if (options->clip) clip(x0_hat, d);
    double squares = 0.0;
    for (size_t j = 0; j < d; j++) {
        const double error = (double)x0_hat[j] - (double)x0[j];
        squares += error * error;
    }
    return (judged){ bits, squares / (double)d };
}

size_t ddpm_bpd_call_values(const ddpm_bpd_options *options)
{
    return BPD_CALL_VALUES * options->batch;
}

void ddpm_bpd_call(double *call, float *scratch, const float *x0, uint64_t first, size_t stratum,
                   const ddpm_bpd_options *options)
{
    assert(scratch && options->batch <= DDPM_BPD_BATCH_MOST);
    const buffers b = cut(scratch, options);
    const size_t d = options->d, n = options->batch;
    ddpm_level level[DDPM_BPD_BATCH_MOST];
    for (size_t i = 0; i < n; i++) {
        const size_t t = ddpm_diffusion__bpd_timestep(first + i, stratum, options);
        level[i] = ddpm_level_at(options->schedule, t);
        b.times[i] = (float)level[i].network;
        draw_noise(b.eps + i * d, first + i, &level[i], options);
    }
    ddpm_q_sample(b.xt, x0, b.eps, level, n, d);
    options->network(b.output, b.xt, b.times, options->network_context);
    const bool learned = ddpm_variance_is_learned(options->variance);
    ddpm_diffusion__split(b.said, learned ? b.variance : NULL, b.output, n * d, options->channels);
    for (size_t i = 0; i < n; i++) {
        const judged of = judge(&b, i, x0 + i * d, &level[i], options);
        double *image = call + i * BPD_CALL_VALUES;
        image[BPD_CALL_BITS] = (double)options->strata[stratum].count * of.bits;
        image[BPD_CALL_MSE] = of.mse;
        image[BPD_CALL_PRIOR] = stratum == 0 ? ddpm_bound_prior(x0 + i * d, d, options->schedule)
                                             : 0.0;
    }
}
