/* get_beta_schedule of the official DDPM code (Ho et al. 2020), and the cosine schedule of
 * improved-diffusion (Nichol & Dhariwal 2021). The order of operations is numpy's, so that the
 * tables have its bits. */
#include "betas.h"

#include "ddpm/diffusion/schedule.h"

#include <math.h>
#include <string.h>

static const double pi = 3.14159265358979323846;

void ddpm_diffusion__linspace(double *y, size_t count, double start, double stop)
{
    const double step = count > 1 ? (stop - start) / (double)(count - 1) : 0.0;
    for (size_t i = 0; i < count; i++) y[i] = (double)i * step + start;
    if (count > 1) y[count - 1] = stop;
}

static void linear(double *beta, size_t steps, double start, double end)
{
    ddpm_diffusion__linspace(beta, steps, start, end);
}

/* abar_t = f(t + 1) / f(0), f(t) = cos^2((t/T + 0.008) / 1.008 pi/2) (eq. 17 there); beta is capped
 * where abar comes near 0. */
static void cosine(double *beta, size_t steps, double start, double end)
{
    (void)start, (void)end;
    const double offset = 0.008, cap = 0.999;
    double last = 0.0;
    for (size_t t = 0; t <= steps; t++) {
        const double root = cos(((double)t / (double)steps + offset) / (1.0 + offset) * pi / 2.0);
        const double now = root * root;
        if (t > 0) beta[t - 1] = fmin(1.0 - now / last, cap);
        last = now;
    }
}

static void quad(double *beta, size_t steps, double start, double end)
{
    ddpm_diffusion__linspace(beta, steps, sqrt(start), sqrt(end));
    for (size_t t = 0; t < steps; t++) beta[t] *= beta[t];
}

static void constant(double *beta, size_t steps, double start, double end)
{
    (void)start;
    for (size_t t = 0; t < steps; t++) beta[t] = end;
}

static void warmup(double *beta, size_t steps, double start, double end, double fraction)
{
    constant(beta, steps, start, end);
    ddpm_diffusion__linspace(beta, (size_t)((double)steps * fraction), start, end);
}

static void warmup10(double *beta, size_t steps, double start, double end)
{
    warmup(beta, steps, start, end, 0.1);
}

static void warmup50(double *beta, size_t steps, double start, double end)
{
    warmup(beta, steps, start, end, 0.5);
}

/* 1/T, 1/(T-1), .., 1 (Sohl-Dickstein et al. 2015): abar falls linearly, to 0 at the last step. */
static void jsd(double *beta, size_t steps, double start, double end)
{
    (void)start, (void)end;
    ddpm_diffusion__linspace(beta, steps, (double)steps, 1.0);
    for (size_t t = 0; t < steps; t++) beta[t] = 1.0 / beta[t];
}

#define BETA_RULES(row)                                                                            \
    row("linear", linear) row("cosine", cosine) row("quad", quad) row("const", constant)           \
        row("warmup10", warmup10) row("warmup50", warmup50) row("jsd", jsd)

#define NAME(name, rule) name,
const char *const ddpm_schedule_names[] = { BETA_RULES(NAME) NULL };

#define RULE(name, rule) rule,
static ddpm_diffusion__beta_rule *const rules[] = { BETA_RULES(RULE) };

ddpm_diffusion__beta_rule *ddpm_diffusion__beta_rule_find(const char *name)
{
    for (size_t i = 0; ddpm_schedule_names[i]; i++)
        if (strcmp(ddpm_schedule_names[i], name) == 0) return rules[i];
    return NULL;
}
