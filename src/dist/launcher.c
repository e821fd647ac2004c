/* Who started this process, and with how many others. */
#include "comm_internal.h"
#include "ddpm/base/text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* The first whose variable is there counts: under mpirun, SLURM's tasks are Open MPI's daemons. */
static const struct {
    const char *variable, *name, *remedy;
} launchers[] = {
    { "OMPI_COMM_WORLD_SIZE", "mpirun",
      "this mpirun is not of the Open MPI that the program was built with: use that one's" },
    { "PMI_SIZE", "a PMI launcher",
      "the launcher speaks PMI, which Open MPI does not: start with Open MPI's own mpirun, or with "
      "srun --mpi=pmix" },
    { "SLURM_STEP_NUM_TASKS", "srun", "start with srun --mpi=pmix, or use mpirun" },
};
enum { LAUNCHERS = sizeof launchers / sizeof *launchers };

static int64_t number_in(const char *variable)
{
    int64_t number;
    const char *text = getenv(variable);
    return text && ddpm_text_int64(&number, text, 1, INT32_MAX) ? number : 0;
}

static size_t find_launcher(void)
{
    size_t i = 0;
    while (i < LAUNCHERS && number_in(launchers[i].variable) == 0) i++;
    return i;
}

ddpm_launch ddpm_comm_launch(void)
{
    ddpm_launch launch = { .slurm_tasks = number_in("SLURM_NTASKS") };
    const size_t l = find_launcher();
    if (l == LAUNCHERS) return launch;
    launch.launcher = launchers[l].name;
    launch.processes = number_in(launchers[l].variable);
    /* A step's SLURM_NTASKS are its own. Beneath mpirun the step is that of its daemons. */
    if (l == 0 && getenv("SLURM_STEP_NUM_TASKS")) launch.slurm_tasks = 0;
    return launch;
}

/* Programs that each believe to be alone would train N times into one run directory. */
ddpm_status ddpm_dist__check_launcher(int ranks)
{
    const ddpm_launch launch = ddpm_comm_launch();
    if (launch.processes <= ranks) return DDPM_OK;
    return ddpm_fail(DDPM_ECONFIG,
                     "%s started %" PRId64
                     " processes (%s), but MPI sees %d: they do not know each "
                     "other; %s",
                     launch.launcher, launch.processes, launchers[find_launcher()].variable, ranks,
                     launchers[find_launcher()].remedy);
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
