/** @file betas.h  The rules that give beta_0 .. beta_{T-1}. */
#ifndef DDPM_DIFFUSION_BETAS_H
#define DDPM_DIFFUSION_BETAS_H
#include <stddef.h>

typedef void ddpm_diffusion__beta_rule(double *beta, size_t steps, double start, double end);

/** The rule of that name, or NULL. */
ddpm_diffusion__beta_rule *ddpm_diffusion__beta_rule_find(const char *name);
/** numpy's linspace: y[i] = start + i (stop - start) / (count - 1), and y[count-1] = stop; one
 *  point is `start`. */
void ddpm_diffusion__linspace(double *y, size_t count, double start, double stop);
#endif
