#include "betas.h"
#include "names.h"

#include "ddpm/diffusion/schedule.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef void spacing_rule(size_t *timesteps, size_t count, size_t steps);

/* diffusers' "leading"; improved-diffusion's "ddimN" where S divides T. */
static void leading(size_t *timesteps, size_t count, size_t steps)
{
    for (size_t i = 0; i < count; i++) timesteps[i] = i * (steps / count);
}

/* round(linspace(0, T - 1, S)). One step alone can only start from noise: T - 1. */
static void spread(size_t *timesteps, size_t count, size_t steps)
{
    const double stride = count > 1 ? (double)(steps - 1) / (double)(count - 1) : 0.0;
    for (size_t i = 0; i < count; i++) timesteps[i] = (size_t)nearbyint((double)i * stride);
    timesteps[count - 1] = steps - 1;
}

/* round(linspace(0, T - 1, S + 1)) without the 0, where an image has no noise worth a step. */
static void uniform(size_t *timesteps, size_t count, size_t steps)
{
    const double stride = (double)(steps - 1) / (double)count;
    if (count == steps) { /* there are no more: all */
        for (size_t i = 0; i < count; i++) timesteps[i] = i;
        return;
    }
    for (size_t i = 0; i < count; i++) timesteps[i] = (size_t)nearbyint((double)(i + 1) * stride);
}

/* DDIM appendix D.2 in its code's form, int(linspace(0, sqrt(0.8 T), S)^2). Among the first steps
 * that comes to the same timestep more than once when S is large; those move up to the next free
 * one, so that every step is a step. */
static void quadratic(size_t *timesteps, size_t count, size_t steps)
{
    const double stop = sqrt(0.8 * (double)steps);
    const double stride = count > 1 ? stop / (double)(count - 1) : 0.0;
    for (size_t i = 0; i < count; i++) {
        const double root = i > 0 && i + 1 == count ? stop : (double)i * stride;
        timesteps[i] = (size_t)(root * root);
        if (i > 0 && timesteps[i] <= timesteps[i - 1]) timesteps[i] = timesteps[i - 1] + 1;
    }
}

/* One section of improved-diffusion's space_timesteps: both ends, Python's round (half to even) of
 * a running sum. */
static void section(size_t *timesteps, size_t count, size_t steps)
{
    const double stride = count > 1 ? (double)(steps - 1) / (double)(count - 1) : 1.0;
    double position = 0.0;
    for (size_t i = 0; i < count; i++, position += stride)
        timesteps[i] = (size_t)nearbyint(position);
}

#define SPACINGS(row)                                                                              \
    row("leading", leading) row("spread", spread) row("uniform", uniform)                          \
        row("quadratic", quadratic) row("sections", section)

#define NAME(name, rule) name,
/* Karras spacing is none of timesteps: its noise levels lie between theirs. */
const char *const ddpm_spacing_names[] = { SPACINGS(NAME) "karras", NULL };

#define RULE(name, rule) rule,
static spacing_rule *const rules[] = { SPACINGS(RULE) };

static ddpm_status check_count(size_t count, size_t steps)
{
    if (count > 0 && count <= steps) return DDPM_OK;
    return ddpm_fail(DDPM_ECONFIG, "%zu of %zu timesteps asked for; choose 1 to %zu", count, steps,
                     steps);
}

ddpm_status ddpm_spacing(size_t *timesteps, size_t count, const char *name, size_t steps)
{
    size_t i;
    DDPM_TRY(ddpm_diffusion__place(&i, "spacing", name, ddpm_spacing_names));
    if (i == sizeof rules / sizeof *rules)
        return ddpm_fail(DDPM_ECONFIG, "spacing '%s' lies between timesteps", name);
    DDPM_TRY(check_count(count, steps));
    rules[i](timesteps, count, steps);
    assert(timesteps[count - 1] < steps);
    return DDPM_OK;
}

ddpm_status ddpm_schedule_space(ddpm_schedule **out, const ddpm_schedule *full, const char *name,
                                size_t count)
{
    const size_t all = full->steps, steps = count ? count : all;
    *out = NULL;
    if (full->is_flow) return steps == all ? DDPM_OK : ddpm_schedule_flow(out, steps);
    if (strcmp(name, "karras") == 0) return ddpm_schedule_karras(out, full, steps);
    size_t *timesteps = malloc((all + 1) * sizeof *timesteps);
    if (!timesteps) return ddpm_fail(DDPM_EOS, "no memory for %zu timesteps", all);
    ddpm_status status = ddpm_spacing(timesteps, steps, name, all);
    if (status == DDPM_OK && steps < all)
        status = ddpm_schedule_respace(out, full, timesteps, steps);
    free(timesteps);
    return status;
}

bool ddpm_schedule_is_training_step(const ddpm_schedule *schedule, size_t index)
{
    const double before = index > 0 ? schedule->timestep[index - 1] : -1.0;
    return !schedule->between && schedule->timestep[index] == before + 1.0;
}

size_t ddpm_schedule_nearest(const ddpm_schedule *schedule, double t)
{
    size_t nearest = 0;
    for (size_t i = 1; i < schedule->steps; i++)
        if (fabs(schedule->timestep[i] - t) < fabs(schedule->timestep[nearest] - t)) nearest = i;
    return nearest;
}

ddpm_status ddpm_spacing_sections(size_t **out, size_t *out_count, const size_t *counts,
                                  size_t sections, size_t steps)
{
    if (sections == 0 || sections > steps)
        return ddpm_fail(DDPM_ECONFIG, "%zu sections of %zu timesteps; choose 1 to %zu", sections,
                         steps, steps);
    size_t total = 0;
    for (size_t i = 0; i < sections; i++) {
        const size_t size = steps / sections + (i < steps % sections);
        const ddpm_status status = check_count(counts[i], size);
        if (status != DDPM_OK) return ddpm_fail_within(status, "section %zu", i + 1);
        total += counts[i];
    }
    size_t *timesteps = malloc(total * sizeof *timesteps);
    if (!timesteps) return ddpm_fail(DDPM_EOS, "no memory for %zu timesteps", total);
    size_t start = 0, at = 0;
    for (size_t i = 0; i < sections; i++) {
        const size_t size = steps / sections + (i < steps % sections);
        section(timesteps + at, counts[i], size);
        for (size_t j = 0; j < counts[i]; j++) timesteps[at + j] += start;
        start += size;
        at += counts[i];
    }
    *out = timesteps;
    *out_count = total;
    return DDPM_OK;
}
