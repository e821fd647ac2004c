/** @file diffusion/schedule.h
 *  Noise schedules and the tables that follow from them, all float64 (DDPM section 2; t is 0-based:
 *  t = 0 is one noising step). */
#ifndef DDPM_DIFFUSION_SCHEDULE_H
#define DDPM_DIFFUSION_SCHEDULE_H
#include "ddpm/base/status.h"

#include <stdbool.h>
#include <stddef.h>

/** Arrays of length T in ascending order of t. */
typedef struct {
    size_t steps;     /**< T, or the number of kept steps S of a respaced schedule */
    double *timestep; /**< what the network is given: 0..T-1, or the kept ones */
    bool is_flow;     /**< x_t = (1 - t) x_0 + t eps; sqrt_alpha_bar and sqrt_one_minus_alpha_bar
                           are these two factors, and of the other tables there is none */
    bool between;     /**< timesteps lie between those of the training (Karras spacing) */
    double *beta, *alpha, *alpha_bar, *alpha_bar_prev; /**< alpha_bar_prev[0] = 1 */
    double *sqrt_alpha_bar, *sqrt_one_minus_alpha_bar, *log_one_minus_alpha_bar;
    double *sqrt_recip_alpha_bar, *sqrt_recipm1_alpha_bar; /**< as the official code has them, to be
                                                                 held against it */
    double *posterior_variance;                            /**< DDPM eq. 7; [0] = 0 */
    double *posterior_log_variance_clipped;                /**< [0] replaced by [1] */
    double *posterior_mean_coef1, *posterior_mean_coef2;   /**< of x_0 and of x_t, eq. 7 */
    double *fixedlarge_log_variance; /**< log beta, [0] replaced by log posterior_variance[1] */
} ddpm_schedule;

/** "linear", "cosine", "quad", "const", "warmup10", "warmup50", "jsd"; NULL-terminated. */
extern const char *const ddpm_schedule_names[];

/** beta_start and beta_end are what the official code takes; cosine and jsd do not use them.
 *  DDPM_ECONFIG: unknown name (with the nearest), T = 0, betas outside (0, 1), except
 *  that the last may be 1 (jsd): then the tables of 1/alpha_bar end in infinity. */
DDPM_NODISCARD ddpm_status ddpm_schedule_create(ddpm_schedule **out, const char *name, size_t steps,
                                                double beta_start, double beta_end);
/** The process that keeps only timesteps[count] (ascending) of `full`: betas rebuilt from the kept
 *  alpha_bar (improved-diffusion's respacing). */
DDPM_NODISCARD ddpm_status ddpm_schedule_respace(ddpm_schedule **out, const ddpm_schedule *full,
                                                 const size_t *timesteps, size_t count);
/** The `count` noise levels sigma = sqrt(1 - abar) / sqrt(abar) of Karras et al. 2022 eq. 5 with
 *  rho = 7, between the smallest and the largest of `full`, or 200 where that is more (cosine,
 * const and warm-up); timesteps between those of `full` are interpolated in log sigma.
 * DDPM_ECONFIG: fewer than two steps, or no signal at the end. */
DDPM_NODISCARD ddpm_status ddpm_schedule_karras(ddpm_schedule **out, const ddpm_schedule *full,
                                                size_t count);
/** The rectified flow at t = 1/count, 2/count, .., 1; the network is told 1000 t. */
DDPM_NODISCARD ddpm_status ddpm_schedule_flow(ddpm_schedule **out, size_t count);
/** From betas given outright, of which others make their schedules: to hold tables against theirs.
 */
DDPM_NODISCARD ddpm_status ddpm_schedule_from_betas(ddpm_schedule **out, const double *betas,
                                                    size_t steps);
void ddpm_schedule_free(ddpm_schedule *schedule);

/** Which S of T timesteps, ascending, no one twice, into timesteps[S].
 *  "leading": 0, s, 2s, .. with the integer stride s = T/S; "spread": both ends, rounded linspace
 * (T-1 alone where S = 1); "uniform": the same with one step more, without timestep 0 (diffusers'
 *  solvers); "quadratic": int(linspace(0, sqrt(0.8 T), S)^2) (DDIM appendix D.2), a
 *  timestep that would come twice moved up to the next; "sections": improved-diffusion's
 *  space_timesteps with one section, the rule for an ancestral sampler.
 *  DDPM_ECONFIG: S = 0, S > T, unknown name, "karras". */
DDPM_NODISCARD ddpm_status ddpm_spacing(size_t *timesteps, size_t count, const char *name,
                                        size_t steps);
/** The process of `count` steps (0: all) by any of ddpm_spacing_names, "karras" among them; of a
 *  flow, whatever the name, `count` equal steps. *out is NULL where `full` is to be taken as it
 *  is: rebuilding its tables would round. */
DDPM_NODISCARD ddpm_status ddpm_schedule_space(ddpm_schedule **out, const ddpm_schedule *full,
                                               const char *name, size_t count);
/** Mean of q(x_{t-1} | x_t, x_0) = of_x0 x_0 + of_xt x_t (DDPM eq. 7). */
typedef struct {
    double of_x0, of_xt;
} ddpm_posterior;
static inline ddpm_posterior ddpm_posterior_at(const ddpm_schedule *schedule, size_t t)
{
    return (ddpm_posterior){ schedule->posterior_mean_coef1[t], schedule->posterior_mean_coef2[t] };
}
static inline double ddpm_posterior_mean(const ddpm_posterior *at, float x0, float xt)
{
    return at->of_x0 * (double)x0 + at->of_xt * (double)xt;
}

/** Whether the step down from `index` is one of the training's: not over several, not in between.
 */
bool ddpm_schedule_is_training_step(const ddpm_schedule *schedule, size_t index);
/** The step whose timestep is nearest to t; of two the lower. */
size_t ddpm_schedule_nearest(const ddpm_schedule *schedule, double t);
/** space_timesteps of improved-diffusion for a list of section counts, of which "sections" is the
 *  case of one, to be held against it; *out malloc'ed.
 *  DDPM_ECONFIG: a section with more steps than it has timesteps, or none. */
DDPM_NODISCARD ddpm_status ddpm_spacing_sections(size_t **out, size_t *out_count,
                                                 const size_t *counts, size_t sections,
                                                 size_t steps);
extern const char *const ddpm_spacing_names[];
#endif
