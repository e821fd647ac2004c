/** @file input.h  Reading files of strangers: only regular ones, never more than was allowed. */
#ifndef INPUT_H
#define INPUT_H
#include "ddpm/base/status.h"

#include <stddef.h>
#include <stdint.h>

/** Opens a regular file for reading and says its size; *fd is -1 after a failure. DDPM_ENOINPUT. */
DDPM_NODISCARD ddpm_status ddpm_io__input_open(int *fd, uint64_t *bytes, const char *path);
/** Exactly `bytes` bytes; DDPM_EDATA where the file ends before, DDPM_EIO. */
DDPM_NODISCARD ddpm_status ddpm_io__input_read(int fd, void *data, size_t bytes, const char *path);
#endif
