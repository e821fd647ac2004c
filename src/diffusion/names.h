/** @file names.h  The one message for a name that is in no table. */
#ifndef DDPM_DIFFUSION_NAMES_H
#define DDPM_DIFFUSION_NAMES_H
#include "ddpm/base/status.h"

/** DDPM_ECONFIG: no `what` is called `name`; says the nearest of `known` (NULL-terminated), and
 * all. */
DDPM_NODISCARD ddpm_status ddpm_diffusion__unknown(const char *what, const char *name,
                                                   const char *const *known);
#endif
