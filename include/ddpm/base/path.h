/** @file base/path.h  Paths put together: whole, or not at all. */
#ifndef DDPM_BASE_PATH_H
#define DDPM_BASE_PATH_H
#include "ddpm/base/status.h"

#include <stddef.h>

/** Prints a path into out[bytes]. DDPM_ECREATE: it does not fit; what fits of it stands there, and
 *  would name another file. */
DDPM_PRINTF(3, 4)
DDPM_NODISCARD ddpm_status ddpm_path_print(char *out, size_t bytes, const char *format, ...);
#endif
