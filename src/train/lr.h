/* The learning rate of a step, by its number counted from 0. */
#ifndef DDPM_TRAIN_LR_H
#define DDPM_TRAIN_LR_H
#include "ddpm/base/config.h"

/* lr min(step / warmup, 1), as the official code has it: step 0 moves nothing. */
double ddpm_train__lr(const ddpm_config *config, uint64_t step);
#endif
