/* What follows the sum of the gradients: its norm, Adam and the averages. Either every rank does
 * all of it, or (dist.sharded_optimizer) each for the spans of the flat buffer that it owns, with
 * moments and averages of those alone; then the new weights are gathered. Both give the same bits:
 * Adam works elementwise, and the norm is a sum over chunks of which each has one owner. */
#ifndef DDPM_TRAIN_UPDATE_H
#define DDPM_TRAIN_UPDATE_H
#include "ddpm/dist/reducer.h"
#include "ddpm/kernels/optimizer.h"
#include "ddpm/train/checkpoint.h"

typedef struct {
    bool sharded;
    ddpm_comm *comm;
    ddpm_reducer *reducer;
    ddpm_state *state; /* the whole; sharded: only the weights are up to date */
    size_t floats;
    float *m, *v, *ema[DDPM_EMA_MOST]; /* sharded: this rank's shards */
    double *squares;                   /* sharded: one a chunk of the flat buffer */
} ddpm_updater;

/* Moments and averages are left 0. DDPM_EOS; what was taken is still to be freed. */
DDPM_NODISCARD ddpm_status ddpm_train__updater_create(ddpm_updater *updater, ddpm_comm *comm,
                                                      ddpm_reducer *reducer, ddpm_state *state,
                                                      size_t floats, bool sharded);
void ddpm_train__updater_free(ddpm_updater *updater);
/* Moments 0, averages equal to the weights. */
void ddpm_train__updater_init(ddpm_updater *updater);

/* All of these are collective where the optimiser is sharded, and by themselves where it is not. */
DDPM_NODISCARD ddpm_status ddpm_train__gradient_norm(double *norm, ddpm_updater *updater,
                                                     const float *gradient);
/* Adam and the averages; the weights are whole again after ddpm_train__share_weights. */
void ddpm_train__update(ddpm_updater *updater, const float *gradient, const ddpm_adam *adam);
DDPM_NODISCARD ddpm_status ddpm_train__share_weights(ddpm_updater *updater);
/* Brings rank 0's whole state up to date. */
DDPM_NODISCARD ddpm_status ddpm_train__collect(ddpm_updater *updater);
/* The way back, and the weights. Always collective. */
DDPM_NODISCARD ddpm_status ddpm_train__spread(ddpm_updater *updater);
/* Average e, whole: the state's own, or in the reducer's buffer. */
DDPM_NODISCARD ddpm_status ddpm_train__whole_average(const float **flat, ddpm_updater *updater,
                                                     size_t e);
#endif
