/* One job a run directory: a lock on DIR/lock, which goes with the process that holds it, however
 * that ends; the file says who that is. */
#ifndef DDPM_TRAIN_RUN_LOCK_H
#define DDPM_TRAIN_RUN_LOCK_H
#include "ddpm/base/status.h"

/* DDPM_EAGAIN names the holder; DDPM_ECREATE. A file system without locks gives a warning and no
 * lock (*fd = -1). */
DDPM_NODISCARD ddpm_status ddpm_train__lock(int *fd, const char *directory);
void ddpm_train__unlock(int fd); /* takes -1 */
#endif
