#include "collective_check.h"

#include "ddpm/base/hash.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_BYTES = 32, HOST_BYTES = 64, TEXT_BYTES = 128 };

/* What travels: compared as bytes up to the host. */
typedef struct {
    uint64_t number, history; /* calls before; their hash, and this one's */
    uint64_t bytes;
    int64_t root;
    char name[NAME_BYTES];
    char host[HOST_BYTES];
} record;

enum { COMPARED_BYTES = offsetof(record, host) };

struct ddpm_check {
    MPI_Comm line;
    uint64_t number, history;
    record *all; /* [size] */
};

ddpm_status ddpm_comm_check_collectives(ddpm_comm *comm)
{
    if (comm->check) return DDPM_OK;
    ddpm_check *check = calloc(1, sizeof *check);
    record *all = calloc((size_t)comm->size, sizeof *all);
    ddpm_status status = check && all ? DDPM_OK
                                      : ddpm_fail(DDPM_EOS, "no memory to check collective calls");
    status = ddpm_comm_agree(comm, status);
    if (status != DDPM_OK || !check) {
        free(check);
        free(all);
        return status;
    }
    *check = (ddpm_check){ .line = MPI_COMM_NULL, .all = all };
    status = DDPM_MPI(comm, MPI_Comm_dup(comm->all, &check->line));
    comm->check = check;
    return status;
}

void ddpm_dist__check_free(ddpm_comm *comm)
{
    if (!comm->check) return;
    if (comm->check->line != MPI_COMM_NULL && !comm->broken) MPI_Comm_free(&comm->check->line);
    free(comm->check->all);
    free(comm->check);
    comm->check = NULL;
}

static const char *describe(char text[TEXT_BYTES], const record *call)
{
    int used = snprintf(text, TEXT_BYTES, "%s", call->name);
    if (call->bytes)
        used += snprintf(text + used, TEXT_BYTES - (size_t)used, " of %llu bytes",
                         (unsigned long long)call->bytes);
    if (call->root >= 0)
        snprintf(text + used, TEXT_BYTES - (size_t)used, " from rank %lld", (long long)call->root);
    return text;
}

ddpm_status ddpm_dist__check_call(ddpm_comm *comm, const ddpm_call *call)
{
    ddpm_check *check = comm->check;
    record mine = { .number = ++check->number, .bytes = call->bytes, .root = call->root };
    snprintf(mine.name, sizeof mine.name, "%s", call->name);
    snprintf(mine.host, sizeof mine.host, "%s", comm->host);
    mine.history = check->history;
    mine.history = check->history = ddpm_xxh64_of(&mine, COMPARED_BYTES);
    DDPM_TRY(DDPM_MPI(comm, MPI_Allgather(&mine, (int)sizeof mine, MPI_BYTE, check->all,
                                          (int)sizeof mine, MPI_BYTE, check->line)));
    const record *first = &check->all[0];
    for (int r = 1; r < comm->size; r++) {
        const record *other = &check->all[r];
        if (memcmp(other, first, COMPARED_BYTES) == 0) continue;
        char theirs[TEXT_BYTES], ours[TEXT_BYTES];
        comm->broken = true;
        return ddpm_fail(DDPM_EINTERNAL,
                         "rank %d (%s) calls %s as collective call %llu, rank 0 (%s) calls %s as "
                         "call %llu: the ranks have parted ways",
                         r, other->host, describe(theirs, other), (unsigned long long)other->number,
                         first->host, describe(ours, first), (unsigned long long)first->number);
    }
    return DDPM_OK;
}
