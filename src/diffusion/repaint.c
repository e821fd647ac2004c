#include "ddpm/diffusion/repaint.h"

#include "sampler_step.h"

#include <assert.h>
#include <math.h>

/* Where a walk is: levels are counted as in the schedule. */
typedef struct {
    const ddpm_repaint *repaint;
    size_t index;  /* level of x */
    size_t lowest; /* a jump started from */
    size_t left;   /* jumps to start from there */
    size_t jumps;  /* there were */
} walk;

ddpm_status ddpm_repaint_check(const ddpm_repaint *repaint, const char *sampler)
{
    const ddpm_sampler_info *info = ddpm_sampler_find(sampler);
    if (info && info->remembers)
        return ddpm_fail(DDPM_ECONFIG,
                         "sampler '%s' goes by the step before, and inpainting jumps back: take "
                         "ddpm or ddim, or euler along a flow",
                         sampler);
    if (repaint->jump == 0 || repaint->times == 0)
        return ddpm_fail(DDPM_ECONFIG,
                         "jumps over %zu levels, every stretch walked %zu times: both are at "
                         "least 1",
                         repaint->jump, repaint->times);
    return DDPM_OK;
}

/* A jump starts at every jump-th level from 0 that has as many above it (the official
 * get_schedule_jump): (steps - 1) / jump of them. */
size_t ddpm_repaint_steps(const ddpm_repaint *repaint, size_t steps)
{
    return steps + (steps - 1) / repaint->jump * (repaint->times - 1) * repaint->jump;
}

/* The levels above a jump's start, up to where it leads, are walked again after each of its jumps.
 */
size_t ddpm_repaint_visits(const ddpm_repaint *repaint, size_t steps, size_t index)
{
    const size_t jump = repaint->jump;
    return index > 0 && (index - 1) / jump < (steps - 1) / jump ? repaint->times : 1;
}

static bool jumps_now(walk *at, size_t steps)
{
    const size_t jump = at->repaint->jump;
    if (at->index % jump != 0 || at->index >= steps || jump >= steps - at->index) return false;
    if (at->index < at->lowest) {
        at->lowest = at->index;
        at->left = at->repaint->times - 1;
    }
    if (at->index > at->lowest || at->left == 0) return false;
    at->left--;
    return true;
}

/* q(x_t | x_s), s < t: one step of the noising process over all levels of the jump (Lugmayr et al.
 * eq. 1 composed); it holds of a flow too, whose x_t has the same two factors. */
static void jump_back(ddpm_diffusion__chain *chain, walk *at)
{
    const ddpm_level from = ddpm_level_at(chain->schedule, at->index);
    const ddpm_level to = ddpm_level_at(chain->schedule, at->index + at->repaint->jump);
    const double of_x = to.signal / from.signal;
    const double kept = of_x * from.noise,
                 of_noise = sqrt(fmax(to.noise * to.noise - kept * kept, 0.0));
    at->repaint->noise(chain->noise, DDPM_REPAINT_BACK, at->index, at->jumps, chain->n, chain->d,
                       at->repaint->noise_context);
    for (size_t i = 0; i < chain->count; i++)
        chain->x[i] = (float)(of_x * (double)chain->x[i] + of_noise * (double)chain->noise[i]);
    at->index += at->repaint->jump;
    at->jumps++;
}

/* Algorithm 1 line 4: what is known as it is at the next level; the image itself has no noise. */
static void put_known(ddpm_diffusion__chain *chain, const walk *at)
{
    const ddpm_repaint *repaint = at->repaint;
    const ddpm_level next = ddpm_diffusion__next(chain, at->index);
    if (at->index > 0)
        repaint->noise(chain->noise, DDPM_REPAINT_KNOWN, at->index, at->jumps, chain->n, chain->d,
                       repaint->noise_context);
    for (size_t i = 0; i < chain->count; i++) {
        const size_t j = i % chain->d;
        if (repaint->missing[j]) continue;
        chain->x[i] = at->index == 0 ? repaint->known[j]
                                     : (float)(next.signal * (double)repaint->known[j] +
                                               next.noise * (double)chain->noise[i]);
    }
}

static void step_noise(float *noise, size_t index, size_t n, size_t d, void *context)
{
    const walk *at = context;
    at->repaint->noise(noise, DDPM_REPAINT_STEP, index, at->jumps, n, d,
                       at->repaint->noise_context);
}

void ddpm_repaint_run(float *x, float *scratch, size_t n, size_t d, const ddpm_schedule *schedule,
                      const ddpm_sampler_options *options, const ddpm_repaint *repaint)
{
    walk at = { .repaint = repaint, .index = schedule->steps - 1, .lowest = schedule->steps };
    ddpm_sampler_options with_jumps = *options;
    with_jumps.noise = step_noise;
    with_jumps.noise_context = &at;
    ddpm_diffusion__chain chain;
    const ddpm_diffusion__sampler *sampler = ddpm_diffusion__begin(&chain, x, scratch, n, d,
                                                                   schedule, &with_jumps);
    assert(!sampler->info.remembers);
    for (size_t done = 0;; done++) {
        if (jumps_now(&at, schedule->steps)) jump_back(&chain, &at);
        sampler->step(&chain, at.index);
        put_known(&chain, &at);
        if (options->observe &&
            !options->observe(done, at.index, x, chain.x0, n, d, options->observe_context))
            return;
        if (at.index-- == 0) return;
    }
}
