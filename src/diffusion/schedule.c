#include "ddpm/diffusion/schedule.h"

#include "betas.h"
#include "names.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A timestep is a stream number of the random generator (base/philox.h), and so are as many others.
 */
static const size_t most_steps = (size_t)1 << 23;

static ddpm_status check_steps(size_t steps)
{
    if (steps > 0 && steps <= most_steps) return DDPM_OK;
    return ddpm_fail(DDPM_ECONFIG, "a schedule of %zu steps; it needs 1 to %zu", steps, most_steps);
}

static ddpm_status no_memory(size_t steps)
{
    return ddpm_fail(DDPM_EOS, "no memory for a schedule of %zu steps", steps);
}

/* Timesteps 0 .. steps - 1; NULL when out of memory. */
static ddpm_schedule *allocate(size_t steps)
{
    ddpm_schedule *s = calloc(1, sizeof *s);
    if (!s) return NULL;
    double **const arrays[] = {
        &s->timestep,
        &s->beta,
        &s->alpha,
        &s->alpha_bar,
        &s->alpha_bar_prev,
        &s->sqrt_alpha_bar,
        &s->sqrt_one_minus_alpha_bar,
        &s->log_one_minus_alpha_bar,
        &s->sqrt_recip_alpha_bar,
        &s->sqrt_recipm1_alpha_bar,
        &s->posterior_variance,
        &s->posterior_log_variance_clipped,
        &s->posterior_mean_coef1,
        &s->posterior_mean_coef2,
        &s->fixedlarge_log_variance,
    };
    const size_t count = sizeof arrays / sizeof *arrays;
    double *block = calloc(count * steps, sizeof *block);
    if (!block) {
        free(s);
        return NULL;
    }
    s->steps = steps;
    for (size_t i = 0; i < count; i++) *arrays[i] = block + i * steps;
    for (size_t t = 0; t < steps; t++) s->timestep[t] = (double)t;
    return s;
}

/* Every step adds noise that float64 can see, and leaves some signal to all but the last. */
static ddpm_status check_betas(const double *beta, size_t steps)
{
    double alpha_bar = 1.0;
    for (size_t t = 0; t < steps; t++) {
        const bool last = t + 1 == steps;
        alpha_bar *= 1.0 - beta[t];
        if (1.0 - beta[t] < 1.0 && (alpha_bar > 0.0 || (last && beta[t] <= 1.0))) continue;
        return ddpm_fail(DDPM_ECONFIG,
                         "beta[%zu] of a schedule of %zu steps is %g, which makes alpha_bar %g; "
                         "betas lie between 0 and 1, and only the last step may leave alpha_bar 0",
                         t, steps, beta[t], alpha_bar);
    }
    return DDPM_OK;
}

/* All tables from s->beta, in the order of operations of the official code's numpy. */
static void derive(ddpm_schedule *s)
{
    double product = 1.0;
    for (size_t t = 0; t < s->steps; t++) {
        const double beta = s->beta[t], alpha = 1.0 - beta, previous = product;
        product *= alpha;
        const double noise = 1.0 - product;
        s->alpha[t] = alpha;
        s->alpha_bar[t] = product;
        s->alpha_bar_prev[t] = previous;
        s->sqrt_alpha_bar[t] = sqrt(product);
        s->sqrt_one_minus_alpha_bar[t] = sqrt(noise);
        s->log_one_minus_alpha_bar[t] = log(noise);
        s->sqrt_recip_alpha_bar[t] = sqrt(1.0 / product);
        s->sqrt_recipm1_alpha_bar[t] = sqrt(1.0 / product - 1.0);
        s->posterior_variance[t] = beta * (1.0 - previous) / noise;          /* DDPM eq. 7 */
        s->posterior_mean_coef1[t] = beta * sqrt(previous) / noise;          /* of x_0, eq. 7 */
        s->posterior_mean_coef2[t] = (1.0 - previous) * sqrt(alpha) / noise; /* of x_t, eq. 7 */
        s->posterior_log_variance_clipped[t] = log(s->posterior_variance[t]);
        s->fixedlarge_log_variance[t] = log(beta);
    }
    /* The posterior variance of the first step is 0; its logarithm is taken from the second. */
    const double first = s->steps > 1 ? log(s->posterior_variance[1]) : log(s->beta[0]);
    s->posterior_log_variance_clipped[0] = first;
    s->fixedlarge_log_variance[0] = first;
}

/* Checks s->beta and fills the rest; takes s. */
static ddpm_status finish(ddpm_schedule **out, ddpm_schedule *s)
{
    const ddpm_status status = check_betas(s->beta, s->steps);
    if (status != DDPM_OK) {
        ddpm_schedule_free(s);
        return status;
    }
    derive(s);
    *out = s;
    return DDPM_OK;
}

ddpm_status ddpm_schedule_from_betas(ddpm_schedule **out, const double *betas, size_t steps)
{
    DDPM_TRY(check_steps(steps));
    ddpm_schedule *s = allocate(steps);
    if (!s) return no_memory(steps);
    memcpy(s->beta, betas, steps * sizeof *betas);
    return finish(out, s);
}

ddpm_status ddpm_schedule_create(ddpm_schedule **out, const char *name, size_t steps,
                                 double beta_start, double beta_end)
{
    ddpm_diffusion__beta_rule *const rule = ddpm_diffusion__beta_rule_find(name);
    if (!rule) return ddpm_diffusion__unknown("noise schedule", name, ddpm_schedule_names);
    DDPM_TRY(check_steps(steps));
    ddpm_schedule *s = allocate(steps);
    if (!s) return no_memory(steps);
    rule(s->beta, steps, beta_start, beta_end);
    const ddpm_status status = finish(out, s);
    if (status == DDPM_OK) return DDPM_OK;
    return ddpm_fail_within(status, "schedule '%s' from %g to %g", name, beta_start, beta_end);
}

static ddpm_status check_kept(const size_t *timesteps, size_t count, size_t steps)
{
    for (size_t i = 0; i < count; i++)
        if (timesteps[i] >= steps || (i > 0 && timesteps[i] <= timesteps[i - 1]))
            return ddpm_fail(DDPM_ECONFIG,
                             "timestep %zu at place %zu; kept timesteps ascend and lie below %zu",
                             timesteps[i], i, steps);
    return DDPM_OK;
}

ddpm_status ddpm_schedule_respace(ddpm_schedule **out, const ddpm_schedule *full,
                                  const size_t *timesteps, size_t count)
{
    DDPM_TRY(check_steps(count));
    DDPM_TRY(check_kept(timesteps, count, full->steps));
    ddpm_schedule *s = allocate(count);
    if (!s) return no_memory(count);
    double last = 1.0;
    for (size_t i = 0; i < count; i++) {
        const double now = full->alpha_bar[timesteps[i]];
        s->timestep[i] = full->timestep[timesteps[i]];
        s->beta[i] = 1.0 - now / last;
        last = now;
    }
    return finish(out, s);
}

/* log(noise / signal) of timestep t; ascending. */
static double log_sigma(const ddpm_schedule *s, size_t t)
{
    return log(s->sqrt_one_minus_alpha_bar[t] / s->sqrt_alpha_bar[t]);
}

/* The timestep, a real number, at which the full process has this noise level. */
static double timestep_of(const ddpm_schedule *full, double wanted)
{
    size_t above = 1;
    while (above + 1 < full->steps && log_sigma(full, above) < wanted) above++;
    const double low = log_sigma(full, above - 1), high = log_sigma(full, above);
    const double share = fmin(fmax((wanted - low) / (high - low), 0.0), 1.0);
    return full->timestep[above - 1] + share * (full->timestep[above] - full->timestep[above - 1]);
}

/* Karras et al. begin at 80, the linear schedule of 1000 steps at 157. At 200 an image of full
 * contrast is less than a grey level, beside noise of 128; but the cosine schedule's last interval
 * goes from 642 to 20291, and const ends at 24376, so that of 20 levels 12 would lie above 80. */
static const double most_sigma = 200.0;

static ddpm_status check_karras(const ddpm_schedule *full, size_t count)
{
    if (full->is_flow || full->steps < 2 || full->alpha_bar[full->steps - 1] <= 0.0)
        return ddpm_fail(DDPM_ECONFIG,
                         "Karras spacing goes by noise / signal, and needs two steps or more of a "
                         "diffusion that keeps some signal to its end: take another spacing, such "
                         "as spread");
    if (count < 2)
        return ddpm_fail(DDPM_ECONFIG,
                         "Karras spacing needs two steps or more, and this is one: take --steps 2 "
                         "or more, or another spacing, such as spread");
    return check_steps(count);
}

ddpm_status ddpm_schedule_karras(ddpm_schedule **out, const ddpm_schedule *full, size_t count)
{
    const double rho = 7.0;
    DDPM_TRY(check_karras(full, count));
    ddpm_schedule *s = allocate(count);
    if (!s) return no_memory(count);
    const double low = pow(exp(log_sigma(full, 0)), 1.0 / rho);
    const double high = pow(fmin(exp(log_sigma(full, full->steps - 1)), most_sigma), 1.0 / rho);
    double last = 1.0;
    for (size_t i = 0; i < count; i++) {
        const double share = (double)i / (double)(count - 1);
        const double sigma = pow(low + share * (high - low), rho);
        const double now = 1.0 / (1.0 + sigma * sigma); /* abar */
        s->timestep[i] = timestep_of(full, log(sigma));
        s->beta[i] = 1.0 - now / last;
        last = now;
    }
    s->between = true;
    return finish(out, s);
}

ddpm_status ddpm_schedule_flow(ddpm_schedule **out, size_t count)
{
    DDPM_TRY(check_steps(count));
    ddpm_schedule *s = allocate(count);
    if (!s) return no_memory(count);
    s->is_flow = true;
    s->between = true;
    for (size_t i = 0; i < count; i++) {
        const double t = (double)(i + 1) / (double)count;
        s->timestep[i] = 1000.0 * t;
        s->sqrt_alpha_bar[i] = 1.0 - t;
        s->sqrt_one_minus_alpha_bar[i] = t;
    }
    *out = s;
    return DDPM_OK;
}

void ddpm_schedule_free(ddpm_schedule *schedule)
{
    if (!schedule) return;
    free(schedule->timestep);
    free(schedule);
}
