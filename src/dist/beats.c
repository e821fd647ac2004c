#include "beats.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Requests live from turn to turn, which the checker cannot follow.
 * NOLINTBEGIN(clang-analyzer-optin.mpi.MPI-Checker) */

enum { TAG = 3 };

typedef struct {
    ddpm_beat told;
    MPI_Request telling;
    bool said_farewell; /* told is the last one */
} listener;

struct ddpm_beats {
    ddpm_comm *comm;
    MPI_Comm line;
    size_t peers;         /* rank p, but on ranks other than 0 there is only rank 0 */
    ddpm_heard *heard;    /* [peers] */
    ddpm_rank_name *name; /* [size] */
    listener *listener;   /* [peers]; rank 0 does not talk to itself */
    ddpm_beat incoming;
    MPI_Request receiving;
    size_t left; /* peers from which the farewell is still to come */
};

static bool is_self(const ddpm_beats *beats, size_t peer)
{
    return (int)peer == beats->comm->rank;
}

static ddpm_status introduce(ddpm_beats *beats)
{
    const ddpm_comm *comm = beats->comm;
    ddpm_rank_name mine = { .rank = comm->rank, .pid = (int32_t)getpid() };
    snprintf(mine.host, sizeof mine.host, "%s", comm->host);
    DDPM_TRY(DDPM_MPI(beats->comm, MPI_Comm_dup(comm->all, &beats->line)));
    return DDPM_MPI(beats->comm, MPI_Allgather(&mine, (int)sizeof mine, MPI_BYTE, beats->name,
                                               (int)sizeof mine, MPI_BYTE, beats->line));
}

static int post_receive(ddpm_beats *beats)
{
    return MPI_Irecv(&beats->incoming, (int)sizeof beats->incoming, MPI_BYTE, MPI_ANY_SOURCE, TAG,
                     beats->line, &beats->receiving);
}

ddpm_status ddpm_dist__beats_create(ddpm_beats **out, ddpm_comm *comm)
{
    *out = NULL;
    if (comm->size == 1 || !comm->threads) return DDPM_OK;
    const size_t size = (size_t)comm->size, peers = comm->rank == 0 ? size : 1;
    ddpm_beats *beats = calloc(1, sizeof *beats);
    ddpm_heard *heard = calloc(peers, sizeof *heard);
    listener *to = calloc(peers, sizeof *to);
    ddpm_rank_name *name = calloc(size, sizeof *name);
    ddpm_status status = beats && heard && to && name
                             ? DDPM_OK
                             : ddpm_fail(DDPM_EOS, "no memory for a watchdog");
    status = ddpm_comm_agree(comm, status);
    if (status != DDPM_OK || !beats || !to) {
        free(beats);
        free(heard);
        free(to);
        free(name);
        return status;
    }
    *beats = (ddpm_beats){ .comm = comm,
                           .line = MPI_COMM_NULL,
                           .peers = peers,
                           .heard = heard,
                           .listener = to,
                           .name = name,
                           .receiving = MPI_REQUEST_NULL,
                           .left = comm->rank == 0 ? peers - 1 : 1 };
    for (size_t p = 0; p < peers; p++) to[p].telling = MPI_REQUEST_NULL;
    status = introduce(beats);
    if (status == DDPM_OK) status = DDPM_MPI(comm, post_receive(beats));
    if (status == DDPM_OK)
        *out = beats;
    else
        ddpm_dist__beats_free(beats);
    return status;
}

void ddpm_dist__beats_free(ddpm_beats *beats)
{
    if (!beats || beats->comm->broken || !ddpm_dist__beats_over(beats)) return;
    MPI_Comm_free(&beats->line);
    free(beats->heard);
    free(beats->listener);
    free(beats->name);
    free(beats);
}

size_t ddpm_dist__beats_peers(const ddpm_beats *beats, const ddpm_heard **heard,
                              const ddpm_rank_name **name)
{
    *heard = beats->heard;
    *name = beats->name;
    return beats->peers;
}

static bool hear(ddpm_beats *beats, double now)
{
    while (beats->left > 0) {
        int arrived = 0;
        MPI_Status from;
        if (MPI_Test(&beats->receiving, &arrived, &from) != MPI_SUCCESS) return false;
        if (!arrived) return true;
        beats->heard[from.MPI_SOURCE] = (ddpm_heard){ .beat = beats->incoming, .heard_at = now };
        if (beats->incoming.kind == DDPM_BEAT_LAST) beats->left--;
        if (beats->left > 0 && post_receive(beats) != MPI_SUCCESS) return false;
    }
    return true;
}

/* Synchronous sends: one that is over was taken, so a rank that does not listen has at most one
 * message of each other rank waiting. */
static bool tell(ddpm_beats *beats, size_t peer, const ddpm_beat *mine)
{
    listener *to = &beats->listener[peer];
    int taken = 0;
    if (MPI_Test(&to->telling, &taken, MPI_STATUS_IGNORE) != MPI_SUCCESS) return false;
    if (!taken || !mine || to->said_farewell) return true;
    to->told = *mine;
    to->said_farewell = mine->kind == DDPM_BEAT_LAST;
    return MPI_Issend(&to->told, (int)sizeof to->told, MPI_BYTE, (int)peer, TAG, beats->line,
                      &to->telling) == MPI_SUCCESS;
}

bool ddpm_dist__beats_turn(ddpm_beats *beats, const ddpm_beat *mine, double now)
{
    if (!hear(beats, now)) return false;
    for (size_t p = 0; p < beats->peers; p++) {
        if (!is_self(beats, p)) {
            if (!tell(beats, p, mine)) return false;
        } else if (mine) {
            beats->heard[p] = (ddpm_heard){ .beat = *mine, .heard_at = now };
        }
    }
    return true;
}

bool ddpm_dist__beats_all_left(const ddpm_beats *beats)
{
    return beats->left == 0;
}

bool ddpm_dist__beats_over(const ddpm_beats *beats)
{
    if (beats->left > 0) return false;
    for (size_t p = 0; p < beats->peers; p++)
        if (!is_self(beats, p) &&
            (!beats->listener[p].said_farewell || beats->listener[p].telling != MPI_REQUEST_NULL))
            return false;
    return true;
}

/* NOLINTEND(clang-analyzer-optin.mpi.MPI-Checker) */
