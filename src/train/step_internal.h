/* A training step, for the files that it is made of. */
#ifndef DDPM_TRAIN_STEP_INTERNAL_H
#define DDPM_TRAIN_STEP_INTERNAL_H
#include "ddpm/base/clock.h"
#include "ddpm/diffusion/loss.h"
#include "ddpm/train/step.h"
#include "step_memory.h"
#include "update.h"

/* What is summed over the micro-batches, in the tree of the gradients. */
enum {
    DDPM_SUM_LOSS,
    DDPM_SUM_ERROR,                                     /* one a quartile */
    DDPM_SUM_IMAGES = DDPM_SUM_ERROR + DDPM_QUARTILES,  /* one a quartile */
    DDPM_SUM_FAILED = DDPM_SUM_IMAGES + DDPM_QUARTILES, /* the requests; only a rank's first leaf
                                                           has them */
    DDPM_SUM_STOP,
    DDPM_SUM_TIME_IS_UP,
    DDPM_SUM_SAVE,
    DDPM_SUMS
};

struct ddpm_step {
    ddpm_config config;
    ddpm_comm *comm;
    ddpm_unet *unet;
    ddpm_schedule *schedule;
    ddpm_objective objective;
    ddpm_level_source levels;
    ddpm_importance *importance; /* NULL: timesteps do not depend on losses */
    double *losses;              /* likewise; of all ranks' images: losses, then timesteps */
    size_t *drawn;               /* likewise; these timesteps */
    ddpm_reducer *reducer;
    ddpm_step_memory memory;
    ddpm_state state;
    ddpm_updater updater;
    size_t image_floats;  /* H W C */
    size_t micro_batches; /* a step, over all ranks */
    size_t first, count;  /* of this rank */
    double *sums;         /* [count][DDPM_SUMS] */
    float *gradient;      /* the reducer's, after the last step */
    ddpm_watchdog *watchdog;
    uint64_t number; /* of the step at hand */
};

/* Adds the time since *mark to a phase, and moves the mark. */
static inline void ddpm_train__lap(ddpm_step_result *result, ddpm_phase phase, uint64_t *mark)
{
    const uint64_t now = ddpm_clock_ns();
    result->phase_seconds[phase] += ddpm_clock_seconds(*mark, now);
    *mark = now;
}

/* People count steps from 1. */
static inline void ddpm_train__at(const ddpm_step *step, ddpm_place place)
{
    ddpm_watchdog_at(step->watchdog, step->number + 1, place);
}

/* The loss of one micro-batch and its gradient, as a share of the whole batch's mean, added to
 * `leaf`; sums [DDPM_SUMS] likewise. Every random number belongs to its image. */
void ddpm_train__learn_from(ddpm_step *step, ddpm_step_result *result, uint64_t *mark, float *leaf,
                            double *sums, const ddpm_batch *batch);

/* class [n]: the label of each image, or, with probability train.label_dropout, that of no class
 * (model.classes), so that the network also learns to do without (Ho & Salimans 2022). */
void ddpm_train__draw_classes(int64_t *class, const int64_t *label, const uint64_t *sample_index,
                              size_t n, const ddpm_config *config);
#endif
