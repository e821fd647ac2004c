#include "ddpm/diffusion/sampler.h"

#include "ddpm/diffusion/process.h"
#include "names.h"
#include "sampler_step.h"

#include <assert.h>
#include <string.h>

static const ddpm_diffusion__sampler *const samplers[] = {
    &ddpm_diffusion__sampler_ddpm, &ddpm_diffusion__sampler_ddim,  &ddpm_diffusion__sampler_dpmpp,
    &ddpm_diffusion__sampler_heun, &ddpm_diffusion__sampler_euler, NULL,
};
const char *const ddpm_sampler_names[] = { "ddpm", "ddim", "dpm++", "heun", "euler", NULL };
const char *const ddpm_clip_names[] = {
    [DDPM_CLIP_NONE] = "none", [DDPM_CLIP_X0] = "eps", [DDPM_CLIP_X0_REDERIVE] = "rederive", NULL
};

static const ddpm_diffusion__sampler *find(const char *name)
{
    for (size_t i = 0; samplers[i]; i++)
        if (strcmp(samplers[i]->info.name, name) == 0) return samplers[i];
    return NULL;
}

const ddpm_sampler_info *ddpm_sampler_find(const char *name)
{
    const ddpm_diffusion__sampler *sampler = find(name);
    return sampler ? &sampler->info : NULL;
}

/* Where a network's word is about a step of the process that it was trained with. */
static ddpm_status check_process(const ddpm_sampler_options *options, const ddpm_schedule *schedule)
{
    const ddpm_sampler_info *info = ddpm_sampler_find(options->name);
    const bool flows = options->prediction == DDPM_PREDICT_VELOCITY;
    if (flows != schedule->is_flow)
        return ddpm_fail(DDPM_ECONFIG, "a network that says %s does not belong to a %s",
                         ddpm_prediction_names[options->prediction],
                         schedule->is_flow ? "flow" : "diffusion");
    if (flows && !info->takes_flow)
        return ddpm_fail(DDPM_ECONFIG,
                         "sampler '%s' is for diffusion models, and this is a flow: take euler, "
                         "heun or dpm++",
                         options->name);
    if (schedule->between && !flows && options->prediction == DDPM_PREDICT_XPREV)
        return ddpm_fail(DDPM_ECONFIG, "a network that says xprev knows nothing of noise levels "
                                       "between its timesteps: take another spacing than karras");
    if (info->takes_variance && options->variance == DDPM_VARIANCE_LEARNED && options->trained &&
        (schedule->between || schedule->steps != options->trained->steps))
        return ddpm_fail(DDPM_ECONFIG,
                         "a learned variance is that of one of all %zu steps, and %zu%s were asked "
                         "for: take all steps, a fixed variance, or another sampler (learned_range "
                         "can leave out steps)",
                         options->trained->steps, schedule->steps,
                         schedule->between ? " between them" : "");
    return DDPM_OK;
}

ddpm_status ddpm_sampler_check(const ddpm_sampler_options *options, const ddpm_schedule *schedule)
{
    const ddpm_sampler_info *info = ddpm_sampler_find(options->name);
    if (!info) return ddpm_diffusion__unknown("sampler", options->name, ddpm_sampler_names);
    if (info->takes_eta && !(options->eta >= 0.0 && options->eta <= 1.0))
        return ddpm_fail(DDPM_ECONFIG, "eta is %g; it lies between 0 (deterministic) and 1",
                         options->eta);
    return check_process(options, schedule);
}

bool ddpm_diffusion__has_slopes(const ddpm_schedule *schedule, size_t index)
{
    return index > 0 && (schedule->is_flow || ddpm_level_at(schedule, index).signal > 0.0);
}

size_t ddpm_sampler_evaluations(const char *name, const ddpm_schedule *schedule, size_t index)
{
    const ddpm_sampler_info *info = ddpm_sampler_find(name);
    assert(info && index < schedule->steps);
    return info->evaluates_twice && ddpm_diffusion__has_slopes(schedule, index) ? 2 : 1;
}

enum { BUFFERS = 7 }; /* x0, eps, noise, said, variance, kept */

size_t ddpm_sampler_scratch_floats(size_t n, size_t d)
{
    return BUFFERS * n * d;
}

/* NaN stays NaN: a network that broke down must not turn into a grey image. */
static void clip(float *x0, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (x0[i] > 1.0f)
            x0[i] = 1.0f;
        else if (x0[i] < -1.0f)
            x0[i] = -1.0f;
    }
}

/* The level of the schedule that the network was trained with, which its word on the step before
 * refers to. */
static ddpm_level trained_level(const ddpm_diffusion__chain *chain, const ddpm_level *level)
{
    ddpm_level trained = *level;
    if (chain->options->trained) trained.index = (size_t)level->network;
    return trained;
}

void ddpm_diffusion__evaluate(ddpm_diffusion__chain *chain, const float *x, size_t index)
{
    const ddpm_sampler_options *options = chain->options;
    const ddpm_prediction prediction = options->prediction;
    const ddpm_level level = ddpm_level_at(chain->schedule, index);
    const ddpm_level trained = trained_level(chain, &level);
    options->denoise(chain->said,
                     ddpm_variance_is_learned(options->variance) ? chain->variance : NULL, x,
                     level.network, chain->n, chain->d, options->denoise_context);
    ddpm_prediction_x0(chain->x0, x, chain->said, &trained, chain->count, prediction,
                       options->trained ? options->trained : chain->schedule);
    if (prediction != DDPM_PREDICT_EPS)
        ddpm_eps_from_x0(chain->eps, x, chain->x0, &level, chain->count);
    else
        memcpy(chain->eps, chain->said, chain->count * sizeof *chain->eps);
    if (options->clip != DDPM_CLIP_NONE) clip(chain->x0, chain->count);
    if (options->clip == DDPM_CLIP_X0_REDERIVE)
        ddpm_eps_from_x0(chain->eps, x, chain->x0, &level, chain->count);
}

ddpm_level ddpm_diffusion__next(const ddpm_diffusion__chain *chain, size_t index)
{
    if (index > 0) return ddpm_level_at(chain->schedule, index - 1);
    return (ddpm_level){ .signal = 1.0 };
}

void ddpm_diffusion__draw(ddpm_diffusion__chain *chain, size_t index)
{
    chain->options->noise(chain->noise, index, chain->n, chain->d, chain->options->noise_context);
}

const ddpm_diffusion__sampler *ddpm_diffusion__begin(ddpm_diffusion__chain *chain, float *x,
                                                     float *scratch, size_t n, size_t d,
                                                     const ddpm_schedule *schedule,
                                                     const ddpm_sampler_options *options)
{
    const ddpm_diffusion__sampler *sampler = find(options->name);
    assert(sampler && options->denoise);
    *chain = (ddpm_diffusion__chain){
        .n = n, .d = d, .count = n * d, .schedule = schedule, .options = options, .x = x
    };
    float **const buffers[BUFFERS] = { &chain->x0,     &chain->eps,      &chain->noise,
                                       &chain->said,   &chain->variance, &chain->kept[0],
                                       &chain->kept[1] };
    for (size_t i = 0; i < BUFFERS; i++) *buffers[i] = scratch + i * chain->count;
    return sampler;
}

void ddpm_sampler_run(float *x, float *scratch, size_t n, size_t d, const ddpm_schedule *schedule,
                      const ddpm_sampler_options *options)
{
    ddpm_diffusion__chain chain;
    const ddpm_diffusion__sampler *sampler = ddpm_diffusion__begin(&chain, x, scratch, n, d,
                                                                   schedule, options);
    for (size_t done = 0; done < schedule->steps; done++) {
        const size_t index = schedule->steps - 1 - done;
        sampler->step(&chain, index);
        if (options->observe &&
            !options->observe(done, index, x, chain.x0, n, d, options->observe_context))
            return;
    }
}
