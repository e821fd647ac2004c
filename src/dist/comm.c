#include "comm_internal.h"

#include "collective_check.h"
#include "ddpm/base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

ddpm_status ddpm_dist__check(ddpm_comm *comm, int mpi_code, const char *call)
{
    if (mpi_code == MPI_SUCCESS) return DDPM_OK;
    comm->broken = true;
    char reason[MPI_MAX_ERROR_STRING];
    int length = 0;
    if (MPI_Error_string(mpi_code, reason, &length) != MPI_SUCCESS)
        snprintf(reason, sizeof reason, "error %d", mpi_code);
    return ddpm_fail(DDPM_EINTERNAL, "MPI on rank %d (%s): %s: %.*s", comm->rank, comm->host,
                     reason, (int)strcspn(call, "("), call);
}

static ddpm_status find_node(ddpm_comm *comm)
{
    DDPM_TRY(DDPM_MPI(comm, MPI_Comm_split_type(comm->all, MPI_COMM_TYPE_SHARED, comm->rank,
                                                MPI_INFO_NULL, &comm->node)));
    DDPM_TRY(DDPM_MPI(comm, MPI_Comm_rank(comm->node, &comm->node_rank)));
    DDPM_TRY(DDPM_MPI(comm, MPI_Comm_size(comm->node, &comm->node_size)));
    const int leader = comm->node_rank == 0;
    return DDPM_MPI(comm,
                    MPI_Allreduce(&leader, &comm->node_count, 1, MPI_INT, MPI_SUM, comm->all));
}

ddpm_status ddpm_comm_start(ddpm_comm **out, int *argc, char ***argv)
{
    ddpm_comm *comm = calloc(1, sizeof *comm);
    if (!comm) return ddpm_fail(DDPM_EOS, "no memory for a communicator");
    comm->all = comm->node = MPI_COMM_NULL;
    int provided, length = 0;
    ddpm_status status = ddpm_dist__prepare_start();
    if (status == DDPM_OK)
        status = DDPM_MPI(comm, MPI_Init_thread(argc, argv, MPI_THREAD_MULTIPLE, &provided));
    if (status != DDPM_OK) {
        free(comm);
        return status;
    }
    comm->threads = provided == MPI_THREAD_MULTIPLE;
    status = DDPM_MPI(comm, MPI_Comm_dup(MPI_COMM_WORLD, &comm->all));
    if (status != DDPM_OK) goto done;
    status = DDPM_MPI(comm, MPI_Comm_set_errhandler(comm->all, MPI_ERRORS_RETURN));
    if (status != DDPM_OK) goto done;
    status = DDPM_MPI(comm, MPI_Comm_rank(comm->all, &comm->rank));
    if (status != DDPM_OK) goto done;
    status = DDPM_MPI(comm, MPI_Comm_size(comm->all, &comm->size));
    if (status != DDPM_OK) goto done;
    char host[MPI_MAX_PROCESSOR_NAME];
    status = DDPM_MPI(comm, MPI_Get_processor_name(host, &length));
    if (status != DDPM_OK) goto done;
    snprintf(comm->host, sizeof comm->host, "%.*s", length, host);
    ddpm_log_set_rank(comm->rank, comm->size);
    status = ddpm_dist__check_launcher(comm->size);
    if (status != DDPM_OK) goto done;
    status = find_node(comm);
    ddpm_dist__library_name(comm->library, sizeof comm->library);
done:
    if (status == DDPM_OK)
        *out = comm;
    else
        ddpm_comm_stop(comm);
    return status;
}

void ddpm_comm_stop(ddpm_comm *comm)
{
    if (!comm) return;
    if (comm->broken && comm->size > 1) ddpm_comm_abort(comm, DDPM_EINTERNAL);
    ddpm_dist__check_free(comm);
    if (comm->node != MPI_COMM_NULL) MPI_Comm_free(&comm->node);
    if (comm->all != MPI_COMM_NULL) MPI_Comm_free(&comm->all);
    MPI_Finalize();
    free(comm);
}

_Noreturn void ddpm_comm_abort(ddpm_comm *comm, int exit_code)
{
    MPI_Abort(comm->all == MPI_COMM_NULL ? MPI_COMM_WORLD : comm->all, exit_code);
    abort();
}

int ddpm_comm_rank(const ddpm_comm *comm)
{
    return comm->rank;
}
int ddpm_comm_size(const ddpm_comm *comm)
{
    return comm->size;
}
int ddpm_comm_node_rank(const ddpm_comm *comm)
{
    return comm->node_rank;
}
int ddpm_comm_node_size(const ddpm_comm *comm)
{
    return comm->node_size;
}
int ddpm_comm_node_count(const ddpm_comm *comm)
{
    return comm->node_count;
}
const char *ddpm_comm_host(const ddpm_comm *comm)
{
    return comm->host;
}
bool ddpm_comm_has_threads(const ddpm_comm *comm)
{
    return comm->threads;
}
const char *ddpm_comm_library(const ddpm_comm *comm)
{
    return comm->library;
}
