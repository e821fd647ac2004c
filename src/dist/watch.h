/* Where the main thread is, as the watchdog reads it; and the frame around every call in which it
 * waits for other ranks. */
#ifndef DDPM_DIST_WATCH_H
#define DDPM_DIST_WATCH_H
#include "comm_internal.h"

#include <stdatomic.h>

/* One writer but for `moves`: the main thread. Readers may see members of different moments, which
 * is of no matter to a judgement that takes seconds. */
struct ddpm_watch {
    _Atomic uint64_t where; /* step << 8 | waits << 7 | place */
    _Atomic uint64_t moves; /* any change of it is progress */
    _Atomic uint64_t allowance_ms;
};

enum { DDPM_WHERE_STEP = 8, DDPM_WHERE_WAITS = 1 << 7, DDPM_WHERE_PLACE = DDPM_WHERE_WAITS - 1 };

/* A collective call, as far as it must be the same on all ranks. */
typedef struct {
    const char *name;
    uint64_t bytes; /* or elements; 0: free to differ */
    int root;       /* -1: none */
} ddpm_call;

/* Around the body of every collective call, on the main thread:
 *     DDPM_TRY(ddpm_dist__enter(comm, &call));
 *     return ddpm_dist__leave(comm, body);
 * DDPM_EINTERNAL: collectives are checked, and another rank is at another one. */
DDPM_NODISCARD ddpm_status ddpm_dist__enter(ddpm_comm *comm, const ddpm_call *call);
/* Returns `status`. */
DDPM_NODISCARD ddpm_status ddpm_dist__leave(ddpm_comm *comm, ddpm_status status);
/* Progress within such a call, from any thread. */
void ddpm_dist__beat(ddpm_comm *comm);
#endif
