/* A part of the ranks as a communicator of their own. */
#include "comm_internal.h"

#include <assert.h>
#include <stdlib.h>

ddpm_status ddpm_comm_split_node(ddpm_comm **out, ddpm_comm *comm)
{
    ddpm_comm *part = calloc(1, sizeof *part);
    ddpm_status status = part ? DDPM_OK : ddpm_fail(DDPM_EOS, "no memory for a communicator");
    if (part) {
        *part = *comm;
        part->all = part->node = MPI_COMM_NULL;
    }
    status = ddpm_comm_agree(comm, status);
    if (status != DDPM_OK) goto fail;
    assert(part);
    part->rank = comm->node_rank;
    part->size = comm->node_size;
    part->node_count = 1;
    status = DDPM_MPI(comm, MPI_Comm_dup(comm->node, &part->all));
    if (status == DDPM_OK) status = DDPM_MPI(comm, MPI_Comm_dup(comm->node, &part->node));
    if (status != DDPM_OK) goto fail;
    *out = part;
    return DDPM_OK;
fail:
    ddpm_comm_free(part);
    return status;
}

void ddpm_comm_free(ddpm_comm *comm)
{
    if (!comm) return;
    if (comm->node != MPI_COMM_NULL) MPI_Comm_free(&comm->node);
    if (comm->all != MPI_COMM_NULL) MPI_Comm_free(&comm->all);
    free(comm);
}
