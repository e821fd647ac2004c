/** @file base/thread.h  Threads beside the main one. */
#ifndef DDPM_BASE_THREAD_H
#define DDPM_BASE_THREAD_H
#include "ddpm/base/status.h"

#include <pthread.h>

/** A thread in which no signal arrives: those are for the main thread, which looks for them between
 *  steps. `what` it does stands in the message of a failure ("reads data"). DDPM_EOS. */
DDPM_NODISCARD ddpm_status ddpm_thread_start(pthread_t *thread, void *(*run)(void *), void *context,
                                             const char *what);
#endif
