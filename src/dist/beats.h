/* The beats between the watchdogs: every rank and rank 0, on a communicator of their own. */
#ifndef DDPM_DIST_BEATS_H
#define DDPM_DIST_BEATS_H
#include "comm_internal.h"
#include "verdict.h"

typedef struct {
    ddpm_beat beat;
    double heard_at; /* in the time that ddpm_dist__beats_turn was given */
} ddpm_heard;

typedef struct ddpm_beats ddpm_beats;

/* Collective, on the main threads. *out is NULL where there is nobody to talk to, or no
 * MPI_THREAD_MULTIPLE. DDPM_EOS. */
DDPM_NODISCARD ddpm_status ddpm_dist__beats_create(ddpm_beats **out, ddpm_comm *comm);
/* Collective, after all have said farewell; else memory that MPI may still write to stays. */
void ddpm_dist__beats_free(ddpm_beats *beats);

/* The ranks that this one hears: on rank 0 all, itself included; elsewhere rank 0. */
size_t ddpm_dist__beats_peers(const ddpm_beats *beats, const ddpm_heard **heard,
                              const ddpm_rank_name **name);

/* One turn, which never waits: takes what has come in; with `mine`, sends it to every peer that has
 * taken the one before, and nothing after a last one. false: MPI has failed, and no more is to be
 * had. */
bool ddpm_dist__beats_turn(ddpm_beats *beats, const ddpm_beat *mine, double now);
/* Whether all peers have said their farewell. */
bool ddpm_dist__beats_all_left(const ddpm_beats *beats);
/* Whether all peers have said and taken their farewell. */
bool ddpm_dist__beats_over(const ddpm_beats *beats);
#endif
