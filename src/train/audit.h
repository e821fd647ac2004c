/* Replicas of the state held against each other. They have no way to differ, short of a broken
 * processor, memory or network; then all that follows is worthless, and nobody would see it. */
#ifndef DDPM_TRAIN_AUDIT_H
#define DDPM_TRAIN_AUDIT_H
#include "ddpm/dist/comm.h"
#include "ddpm/train/checkpoint.h"

typedef struct {
    const ddpm_state *state;
    const ddpm_params *params;
    bool sharded;  /* then every rank has the weights, and nothing else in common */
    uint64_t step; /* for the message */
} ddpm_audit;

/* DDPM_EINTERNAL, naming the first tensor that is not the same on all ranks, and the rank that
 * differs from most. Collective. */
DDPM_NODISCARD ddpm_status ddpm_train__audit(ddpm_comm *comm, const ddpm_audit *audit);
/* Of `count` hashes, "rank 2 (n3)" and the like: those that differ from what more than half have;
 * all, where there is no such. host: [count][host_bytes]. Returns text. */
const char *ddpm_train__audit_suspects(char *text, size_t size, const uint64_t *hash,
                                       const char *host, size_t host_bytes, size_t count);
#endif
