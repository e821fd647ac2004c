/* Which evaluation of a run is the best. Pure. */
#ifndef DDPM_TRAIN_BEST_H
#define DDPM_TRAIN_BEST_H
#include "ddpm/train/checkpoint.h"

/* What evaluations are compared by: eval.metric and what its value depends on beside the weights.
 * "" where no best one is kept. */
void ddpm_train__best_by(char by[DDPM_BEST_BY], const ddpm_config *config, size_t images,
                         const char *content_hash);
/* Whether `value` is better than the best so far. Of equal ones the first stays; what is not finite
 * is never the best; and what was compared by something else is passed by anything. */
bool ddpm_train__best_is_passed(const ddpm_best *best, double value, const char *by);
#endif
