/* The text in a lock: who holds it, and the beat. */
#ifndef DDPM_TRAIN_LOCK_HOLDER_H
#define DDPM_TRAIN_LOCK_HOLDER_H
#include "ddpm/base/status.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    char who[256];  /* "host n1, pid 4711, job 17, since 2026-01-31T12:00:00Z" */
    char boot[40];  /* of the kernel that it runs on: two names of a machine are one */
    char pids[40];  /* its namespace of process ids */
    long pid;       /* there */
    uint64_t begun; /* of that process, in the kernel's ticks */
    char nonce[17]; /* of this taking of the lock */
    uint64_t beat;
} ddpm_lock_holder;

/* This process, with a new nonce. */
void ddpm_train__lock_myself(ddpm_lock_holder *holder);
/* From and to the file. False: there is none, since it was let go, or was never held. */
bool ddpm_train__lock_read(ddpm_lock_holder *holder, int fd);
DDPM_NODISCARD ddpm_status ddpm_train__lock_write(int fd, const ddpm_lock_holder *holder);
/* Whether the holder runs on this kernel: then flock is to be believed. */
bool ddpm_train__lock_is_here(const ddpm_lock_holder *holder);
/* Whether it is known to have ended, from this process's point of view. */
bool ddpm_train__lock_is_dead(const ddpm_lock_holder *holder);
#endif
