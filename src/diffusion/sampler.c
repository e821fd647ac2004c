#include "ddpm/diffusion/sampler.h"

#include "ddpm/diffusion/process.h"
#include "names.h"
#include "sampler_step.h"

#include <assert.h>
#include <string.h>

static const ddpm_diffusion__sampler *const samplers[] = {
    &ddpm_diffusion__sampler_ddpm,
    &ddpm_diffusion__sampler_ddim,
    NULL,
};
const char *const ddpm_sampler_names[] = { "ddpm", "ddim", NULL };

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

ddpm_status ddpm_sampler_check(const ddpm_sampler_options *options)
{
    const ddpm_sampler_info *info = ddpm_sampler_find(options->name);
    if (!info) return ddpm_diffusion__unknown("sampler", options->name, ddpm_sampler_names);
    if (info->takes_eta && !(options->eta >= 0.0 && options->eta <= 1.0))
        return ddpm_fail(DDPM_ECONFIG, "eta is %g; it lies between 0 (deterministic) and 1",
                         options->eta);
    return DDPM_OK;
}

size_t ddpm_sampler_scratch_floats(size_t n, size_t d)
{
    return 3 * n * d;
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

void ddpm_sampler_run(float *x, float *scratch, size_t n, size_t d, const ddpm_schedule *schedule,
                      const ddpm_sampler_options *options)
{
    const ddpm_diffusion__sampler *sampler = find(options->name);
    assert(sampler && options->denoise);
    const size_t count = n * d;
    float *eps = scratch, *x0 = scratch + count, *noise = scratch + 2 * count;
    for (size_t done = 0; done < schedule->steps; done++) {
        const size_t t = schedule->steps - 1 - done;
        options->denoise(eps, x, schedule->timestep[t], n, d, options->denoise_context);
        ddpm_x0_from_eps(x0, x, eps, t, count, schedule);
        if (options->clip != DDPM_CLIP_NONE) clip(x0, count);
        if (options->clip == DDPM_CLIP_X0_REDERIVE)
            ddpm_eps_from_x0(eps, x, x0, t, count, schedule);
        const double sigma = sampler->sigma(t, schedule, options);
        if (sigma > 0.0) options->noise(noise, t, n, d, options->noise_context);
        sampler->step(x, x0, eps, sigma > 0.0 ? noise : NULL, sigma, count, t, schedule);
        if (options->observe && !options->observe(done, t, x, x0, n, d, options->observe_context))
            return;
    }
}
