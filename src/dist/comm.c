#include "comm_internal.h"

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

/* srun without an MPI plug-in starts N programs that each believe to be alone, and would train N
 * times into one run directory. Under mpirun Open MPI's daemons are the step's tasks. */
static ddpm_status check_launcher(int size)
{
    const char *tasks = getenv("SLURM_STEP_NUM_TASKS");
    if (!tasks || getenv("OMPI_COMM_WORLD_SIZE")) return DDPM_OK;
    const long wanted = strtol(tasks, NULL, 10);
    if (wanted <= size) return DDPM_OK;
    return ddpm_fail(DDPM_ECONFIG,
                     "SLURM started %ld tasks in this step, but MPI sees %d: the tasks do not know "
                     "each other; start them with srun --mpi=pmix, or use mpirun",
                     wanted, size);
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

/* Alone, without mpirun or srun, Open MPI would start a daemon for processes that this one might
 * spawn: it never does. And where srun started others without telling them of each other, Open
 * MPI's own end would be exit code 1. */
static ddpm_status prepare_to_be_alone(void)
{
    static const char *const launchers[] = { "OMPI_COMM_WORLD_SIZE", "PMIX_NAMESPACE", "PMI_SIZE" };
    for (size_t i = 0; i < sizeof launchers / sizeof *launchers; i++)
        if (getenv(launchers[i])) return DDPM_OK;
    setenv("OMPI_MCA_ess_singleton_isolated", "1", 0);
    return check_launcher(1);
}

ddpm_status ddpm_comm_start(ddpm_comm **out, int *argc, char ***argv)
{
    ddpm_comm *comm = calloc(1, sizeof *comm);
    if (!comm) return ddpm_fail(DDPM_EOS, "no memory for a communicator");
    comm->all = comm->node = MPI_COMM_NULL;
    int provided, length = 0;
    ddpm_status status = prepare_to_be_alone();
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
    status = check_launcher(comm->size);
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
const char *ddpm_comm_library(const ddpm_comm *comm)
{
    return comm->library;
}
