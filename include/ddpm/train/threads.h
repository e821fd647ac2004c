/** @file train/threads.h  How many threads a rank gets. */
#ifndef DDPM_TRAIN_THREADS_H
#define DDPM_TRAIN_THREADS_H
#include "ddpm/dist/comm.h"

/** Sets the kernels' threads: `wanted` (train.threads), or with 0 the cores of this rank's affinity
 *  mask, divided by the ranks of this node that have the same mask: ranks that are not bound all
 *  see every core. *threads: the number in use. Collective. */
DDPM_NODISCARD ddpm_status ddpm_threads_set(int *threads, ddpm_comm *comm, int64_t wanted);
#endif
