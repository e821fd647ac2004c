/* The upper part of the tree, across ranks. Each rank owns a segment of the flat buffer. For its
 * segment it receives every rank's subtree roots, finishes the tree, and sends the result to all.
 * A segment moves in pieces, so that one piece is added while the next one is on its way. */
#ifndef DDPM_DIST_EXCHANGE_H
#define DDPM_DIST_EXCHANGE_H
#include "ddpm/dist/comm.h"

typedef struct ddpm_exchange ddpm_exchange;

/* Floats of a piece where nothing else is asked for: 1 to 8 MiB, less the more ranks there are,
 * since a piece of every other rank's roots is held twice. */
size_t ddpm_dist__piece_floats(int size);
/* Bytes that it takes for what it receives. Pure. */
size_t ddpm_dist__exchange_bytes(size_t floats, size_t leaves, int rank, int size,
                                 size_t piece_floats);
/* Allocates all that `run` needs; not collective. DDPM_EOS. */
DDPM_NODISCARD ddpm_status ddpm_dist__exchange_create(ddpm_exchange **out, ddpm_comm *comm,
                                                      size_t floats, size_t leaves,
                                                      size_t piece_floats);
void ddpm_dist__exchange_free(ddpm_exchange *exchange);
/* roots[j] [floats]: this rank's subtrees in ascending order. Overwrites all of them, and leaves
 * the sum over all leaves in roots[0]. Collective. */
DDPM_NODISCARD ddpm_status ddpm_dist__exchange_run(ddpm_exchange *exchange, float *const *roots);
uint64_t ddpm_dist__exchange_bytes_sent(const ddpm_exchange *exchange);

/* a += b, elementwise. */
void ddpm_dist__add(float *a, const float *b, size_t count);
#endif
