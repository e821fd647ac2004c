/** @file importance.h  What timesteps.c needs of importance.c. */
#ifndef DDPM_DIFFUSION_IMPORTANCE_H
#define DDPM_DIFFUSION_IMPORTANCE_H
#include "ddpm/diffusion/timesteps.h"

/** The timestep at `place` of [0, 1) of the distribution; `uniform` while there is none. */
size_t ddpm_diffusion__importance_find(const ddpm_importance *importance, double place,
                                       size_t uniform);
#endif
