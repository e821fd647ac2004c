#include "lr.h"

double ddpm_train__lr(const ddpm_config *config, uint64_t step)
{
    const uint64_t warmup = (uint64_t)config->train.warmup;
    if (step >= warmup) return config->train.lr;
    return config->train.lr * ((double)step / (double)warmup);
}
