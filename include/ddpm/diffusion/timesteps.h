/** @file diffusion/timesteps.h
 *  Which noise level each training image gets: a function of the run's seed, the image's global
 *  sample index and, for importance, the losses before this step; so the same on any number of
 *  ranks. */
#ifndef DDPM_DIFFUSION_TIMESTEPS_H
#define DDPM_DIFFUSION_TIMESTEPS_H
#include "ddpm/diffusion/prediction.h"

#include <stdint.h>

typedef enum {
    DDPM_DRAW_UNIFORM,     /**< each image by itself (DDPM algorithm 1) */
    DDPM_DRAW_STRATIFIED,  /**< the images of a batch of B from B equal parts of the range, in a
                                random order: each image by itself is as likely to get any t as with
                                uniform ones (decision 006) */
    DDPM_DRAW_IMPORTANCE,  /**< more where losses are large (Nichol & Dhariwal 2021 section 3.3) */
    DDPM_DRAW_LOGIT_NORMAL /**< a flow's t = sigmoid of a normal (Esser et al. 2024) */
} ddpm_draw;

/** "uniform", "stratified", "importance", "logit_normal"; NULL-terminated. */
extern const char *const ddpm_draw_names[];
/** DDPM_ECONFIG: unknown, with the nearest. */
DDPM_NODISCARD ddpm_status ddpm_draw_find(ddpm_draw *out, const char *name);

/** Reports tell the noise levels apart by quarter of T: t * DDPM_QUARTILES / T. */
enum { DDPM_QUARTILES = 4 };

/** The noise level of a flow at t in [0, 1], in a schedule of so many steps. */
ddpm_level ddpm_level_of_flow(double t, size_t steps);

typedef struct ddpm_importance ddpm_importance;

typedef struct {
    ddpm_draw kind;
    uint64_t seed;
    uint64_t batch;                    /**< images of a step over all ranks */
    const ddpm_schedule *schedule;     /**< of the training: all T steps, or a flow */
    const ddpm_importance *importance; /**< of that kind alone */
} ddpm_level_source;

/** level [n]; weight [n]: what an image's loss is worth, so that its mean stays that of uniform
 *  timesteps. 1 but for importance. */
void ddpm_draw_levels(ddpm_level *level, double *weight, const uint64_t *sample_index, size_t n,
                      const ddpm_level_source *source);

/** The last ten losses at every timestep. Until all have ten, it draws uniformly. */
enum { DDPM_IMPORTANCE_HISTORY = 10 };
/** DDPM_EOS. The caller owns *out. */
DDPM_NODISCARD ddpm_status ddpm_importance_create(ddpm_importance **out, size_t steps);
/** The memory of its arrays, which count as the optimiser's. */
uint64_t ddpm_importance_bytes(size_t steps);
void ddpm_importance_free(ddpm_importance *importance); /**< takes NULL */
/** Takes note of losses [n] at timesteps t [n], in this order, as float32; those that are not
 * finite are left out. */
void ddpm_importance_add(ddpm_importance *importance, const size_t *t, const double *loss,
                         size_t n);
/** The probability of timestep t. */
double ddpm_importance_probability(const ddpm_importance *importance, size_t t);
/** What a checkpoint keeps, [steps, DDPM_IMPORTANCE_HISTORY], oldest first, NaN where there is none
 *  yet; and the way back. */
void ddpm_importance_get(float *history, const ddpm_importance *importance);
void ddpm_importance_set(ddpm_importance *importance, const float *history);
#endif
