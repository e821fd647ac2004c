/* What all ranks must hold in common: a status, and texts that describe them. */
#include "watch.h"

#include <assert.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MESSAGE_BYTES = 2048, LINE_BYTES = 160 };

typedef struct {
    int status;
    char host[DDPM_COMM_TEXT], message[MESSAGE_BYTES];
} report;

static ddpm_status agree(ddpm_comm *comm, ddpm_status mine)
{
    /* The lowest rank that failed, and whether any rank did not. */
    const int failed[2] = { mine == DDPM_OK ? INT_MAX : comm->rank, mine == DDPM_OK ? 0 : 1 };
    int lowest[2];
    DDPM_TRY(DDPM_MPI(comm, MPI_Allreduce(failed, lowest, 2, MPI_INT, MPI_MIN, comm->all)));
    if (lowest[0] == INT_MAX) return DDPM_OK;

    report first = { .status = (int)mine };
    if (comm->rank == lowest[0]) {
        snprintf(first.host, sizeof first.host, "%s", comm->host);
        snprintf(first.message, sizeof first.message, "%s", ddpm_status_message());
    }
    DDPM_TRY(DDPM_MPI(comm, MPI_Bcast(&first, sizeof first, MPI_BYTE, lowest[0], comm->all)));
    const ddpm_status status = (ddpm_status)first.status;
    if (lowest[1] == 1) return ddpm_fail(status, "%s", first.message);
    return ddpm_fail(status, "rank %d (%s): %s", lowest[0], first.host, first.message);
}

ddpm_status ddpm_comm_agree(ddpm_comm *comm, ddpm_status mine)
{
    if (comm->broken) return mine;
    DDPM_TRY(ddpm_dist__enter(comm, &(ddpm_call){ .name = "agree", .root = -1 }));
    return ddpm_dist__leave(comm, agree(comm, mine));
}

/* The first line in which two texts differ, cut to a readable length. */
static void first_difference(char mine[LINE_BYTES], char theirs[LINE_BYTES], const char *a,
                             const char *b)
{
    size_t line = 0;
    for (size_t i = 0; a[i] && a[i] == b[i]; i++)
        if (a[i] == '\n') line = i + 1;
    snprintf(mine, LINE_BYTES, "%.*s", (int)strcspn(a + line, "\n"), a + line);
    snprintf(theirs, LINE_BYTES, "%.*s", (int)strcspn(b + line, "\n"), b + line);
}

ddpm_status ddpm_comm_require_same(ddpm_comm *comm, const char *what, const char *text)
{
    uint64_t bytes = strlen(text) + 1;
    DDPM_TRY(ddpm_comm_broadcast(comm, &bytes, sizeof bytes, 0));
    char *first = malloc(bytes);
    ddpm_status status = first ? DDPM_OK : ddpm_fail(DDPM_EOS, "no memory to compare %s", what);
    status = ddpm_comm_agree(comm, status);
    if (status != DDPM_OK) goto done;
    assert(first);
    if (comm->rank == 0) memcpy(first, text, bytes);
    status = ddpm_comm_broadcast(comm, first, bytes, 0);
    if (status != DDPM_OK) goto done;
    if (strcmp(first, text) != 0) {
        char here[LINE_BYTES], there[LINE_BYTES];
        first_difference(here, there, text, first);
        status = ddpm_fail(DDPM_ECONFIG,
                           "%s is not the same on all ranks: '%s' here, '%s' on rank 0; every rank "
                           "needs the same program, configuration and kind of processor",
                           what, here, there);
    }
    status = ddpm_comm_agree(comm, status);
done:
    free(first);
    return status;
}
