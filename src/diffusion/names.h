/** @file names.h  Names, and the tables that they stand in. */
#ifndef DDPM_DIFFUSION_NAMES_H
#define DDPM_DIFFUSION_NAMES_H
#include "ddpm/base/status.h"

#include <stddef.h>

/** DDPM_ECONFIG: no `what` is called `name`; says the nearest of `known` (NULL-terminated), and
 * all. */
DDPM_NODISCARD ddpm_status ddpm_diffusion__unknown(const char *what, const char *name,
                                                   const char *const *known);
/** The place of `name` in `known`. DDPM_ECONFIG as above. */
DDPM_NODISCARD ddpm_status ddpm_diffusion__place(size_t *place, const char *what, const char *name,
                                                 const char *const *known);
#endif
