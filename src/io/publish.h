/** @file publish.h
 *  A file that appears whole: written under a temporary name in its directory, made durable, then
 *  renamed. Open with begin, end with commit or abandon. */
#ifndef PUBLISH_H
#define PUBLISH_H
#include "ddpm/base/status.h"

#include <stddef.h>

typedef struct {
    int fd; /**< of the temporary file; -1 when there is none */
    char *path, *temporary;
} ddpm_io__publish;

/** Creates the temporary file, mode 0666 & ~umask. DDPM_ECREATE names the path and the remedy. */
DDPM_NODISCARD ddpm_status ddpm_io__publish_begin(ddpm_io__publish *file, const char *path);
/** Appends. DDPM_EIO. */
DDPM_NODISCARD ddpm_status ddpm_io__publish_write(ddpm_io__publish *file, const void *data,
                                                  size_t bytes);
/** fsync, close, rename, fsync of the directory. On failure nothing is left but what was at the
 *  path before; only where the last step fails, the new file is there, whole, but may not survive a
 *  power cut. Ends the file in any case. */
DDPM_NODISCARD ddpm_status ddpm_io__publish_commit(ddpm_io__publish *file);
/** Removes the temporary file; does nothing after commit or a failed begin. */
void ddpm_io__publish_abandon(ddpm_io__publish *file);

/** What a user can do about an errno of a path that is to be written; "" where we do not know. */
const char *ddpm_io__remedy(int error);
#endif
