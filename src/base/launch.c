#include "ddpm/base/launch.h"

#include "ddpm/base/text.h"

#include <stdlib.h>

/* The first whose variable is there counts: under mpirun, SLURM's tasks are Open MPI's daemons. */
static const struct {
    const char *count, *rank, *name, *remedy;
    bool ends_all;
} launchers[] = {
    { "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK", "mpirun",
      "this mpirun is not of the Open MPI that the program was built with: use that one's", true },
    { "PMI_SIZE", "PMI_RANK", "a PMI launcher",
      "the launcher speaks PMI, which Open MPI does not: start with Open MPI's own mpirun, or with "
      "srun --mpi=pmix",
      false },
    { "SLURM_STEP_NUM_TASKS", "SLURM_PROCID", "srun", "start with srun --mpi=pmix, or use mpirun",
      false },
};
enum { LAUNCHERS = sizeof launchers / sizeof *launchers };

/* 0 where there is no number of at least `min`. */
static int64_t number_in(const char *variable, int64_t min)
{
    int64_t number;
    const char *text = getenv(variable);
    return text && ddpm_text_int64(&number, text, min, INT32_MAX) ? number : 0;
}

ddpm_launch ddpm_launch_find(void)
{
    ddpm_launch launch = { .slurm_tasks = number_in("SLURM_NTASKS", 1) };
    size_t l = 0;
    while (l < LAUNCHERS && number_in(launchers[l].count, 1) == 0) l++;
    if (l == LAUNCHERS) return launch;
    launch.launcher = launchers[l].name;
    launch.variable = launchers[l].count;
    launch.remedy = launchers[l].remedy;
    launch.processes = number_in(launchers[l].count, 1);
    launch.rank = number_in(launchers[l].rank, 0);
    launch.ends_all = launchers[l].ends_all;
    /* A step's SLURM_NTASKS are its own. Beneath mpirun the step is that of its daemons. */
    if (l == 0 && getenv("SLURM_STEP_NUM_TASKS")) launch.slurm_tasks = 0;
    return launch;
}
