/* What whoever started this process started, against the ranks that MPI sees. */
#include "comm_internal.h"
#include "ddpm/base/launch.h"

#include <inttypes.h>
#include <stdlib.h>

/* Programs that each believe to be alone would train N times into one run directory. */
ddpm_status ddpm_dist__check_launcher(int ranks)
{
    const ddpm_launch launch = ddpm_launch_find();
    if (launch.processes <= ranks) return DDPM_OK;
    return ddpm_fail(DDPM_ECONFIG,
                     "%s started %" PRId64
                     " processes (%s), but MPI sees %d: they do not know each "
                     "other; %s",
                     launch.launcher, launch.processes, launch.variable, ranks, launch.remedy);
}

static bool has_connection(void)
{
    static const char *const known[] = { "OMPI_COMM_WORLD_SIZE", "PMIX_NAMESPACE", "PMI_SIZE" };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (getenv(known[i])) return true;
    return false;
}

/* Alone, without mpirun or srun, Open MPI would start a daemon for processes that this one might
 * spawn: it never does. It would make a directory for meeting them, too, the same one for all
 * programs that are alone on this machine, and fail where another's end removes it meanwhile. And
 * where srun started others without telling them of each other, Open MPI would end the program with
 * a page about PMI and exit code 1. */
ddpm_status ddpm_dist__prepare_start(void)
{
    if (has_connection()) return DDPM_OK;
    setenv("OMPI_MCA_ess_singleton_isolated", "1", 0);
    setenv("OMPI_MCA_orte_create_session_dirs", "0", 0);
    return ddpm_dist__check_launcher(1);
}
