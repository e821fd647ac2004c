/* What a rank makes of its cores, and a node of its ranks. */
#include "doctor.h"

#include <string.h>

static const char bind_remedy[] =
    "say how many cores a rank gets: mpirun --map-by slot:PE=CORES --bind-to core, or one rank a "
    "NUMA domain: mpirun --map-by ppr:1:numa --bind-to numa; under srun: --cpus-per-task=CORES "
    "--cpu-bind=cores (and export SRUN_CPUS_PER_TASK in a batch script)";

void ddpm_app__derive_cores(ddpm_doctor_facts *facts, int ranks)
{
    for (int r = 0; r < ranks; r++) {
        ddpm_doctor_cores *mine = &facts[r].cores;
        int threads = 0;
        mine->sharers = 0;
        for (int o = 0; o < ranks; o++) {
            if (strcmp(facts[r].host, facts[o].host) != 0) continue;
            threads += facts[o].cores.threads;
            mine->sharers += CPU_EQUAL(&mine->mask, &facts[o].cores.mask) != 0;
        }
        mine->oversubscribed = threads > CPU_COUNT(&mine->usable) ||
                               mine->threads > CPU_COUNT(&mine->cores);
    }
}

static const char *s(int count)
{
    return count == 1 ? "" : "s";
}

void ddpm_app__judge_binding(ddpm_doctor_report *report, const ddpm_doctor_group *group)
{
    const ddpm_doctor_cores *c = &group->rank[0]->cores;
    const int cpus = CPU_COUNT(&c->mask), cores = CPU_COUNT(&c->cores);
    if (c->threads > cpus)
        ddpm_app__warn(report, bind_remedy,
                       "%d threads take turns on %d core%s: the launcher bound the rank to fewer "
                       "cores than train.threads asks for",
                       c->threads, cores, s(cores));
    else if (c->slurm_cpus > cpus)
        ddpm_app__warn(report,
                       "export SRUN_CPUS_PER_TASK=$SLURM_CPUS_PER_TASK before srun, or mpirun "
                       "--map-by slot:PE=$SLURM_CPUS_PER_TASK --bind-to core",
                       "SLURM gives a task %d CPUs (SLURM_CPUS_PER_TASK), and the rank is bound to "
                       "%d: since 22.05 srun does not take over sbatch's --cpus-per-task",
                       c->slurm_cpus, cpus);
    else if (c->threads > cores)
        ddpm_app__warn(report,
                       "one thread a core: set train.threads to the number of cores, or bind ranks "
                       "to cores instead of hardware threads",
                       "%d threads on %d core%s with %d hardware threads: the kernels fill a core "
                       "by themselves, and two threads on it are no faster",
                       c->threads, cores, s(cores), cpus);
    else if (c->sharers == 1 && c->threads < cores)
        ddpm_app__warn(report,
                       "set train.threads to the number of cores (0, the default, does), or start "
                       "more ranks",
                       "%d of the rank's %d cores have nothing to do: it runs %d thread%s",
                       cores - c->threads, cores, c->threads, s(c->threads));
    ddpm_app__fine(report, "%d thread%s on %d core%s%s", c->threads, s(c->threads), cores, s(cores),
                   c->sharers > 1 ? ", shared with other ranks that are not bound either" : "");
}

/* Ranks that see the same cores share them by the system's scheduling; ranks whose cores overlap in
 * part were bound by mistake. */
static bool overlap_in_part(const ddpm_doctor_group *group, int *one, int *other)
{
    for (int i = 0; i < group->count; i++)
        for (int j = i + 1; j < group->count; j++) {
            const cpu_set_t *a = &group->rank[i]->cores.cores, *b = &group->rank[j]->cores.cores;
            cpu_set_t both;
            CPU_AND(&both, a, b);
            if (CPU_COUNT(&both) == 0 || CPU_EQUAL(a, b)) continue;
            *one = group->rank[i]->rank;
            *other = group->rank[j]->rank;
            return true;
        }
    return false;
}

void ddpm_app__judge_node_cores(ddpm_doctor_report *report, const ddpm_doctor_group *group)
{
    const ddpm_doctor_cores *first = &group->rank[0]->cores;
    cpu_set_t taken;
    CPU_ZERO(&taken);
    int threads = 0, one, other;
    for (int i = 0; i < group->count; i++) {
        threads += group->rank[i]->cores.threads;
        CPU_OR(&taken, &taken, &group->rank[i]->cores.cores);
    }
    const int usable = CPU_COUNT(&first->usable), bound = CPU_COUNT(&taken);
    if (overlap_in_part(group, &one, &other))
        ddpm_app__warn(report, bind_remedy,
                       "ranks %d and %d are bound to some of the same cores: both wait for each "
                       "other there",
                       one, other);
    if (threads > usable)
        ddpm_app__warn(report, "fewer ranks on the node, or fewer threads each (train.threads)",
                       "%d threads of %d rank%s share %d core%s: the node is oversubscribed",
                       threads, group->count, s(group->count), usable, s(usable));
    if (bound < usable)
        ddpm_app__warn(report, bind_remedy,
                       "%d of the %d cores that the job has on this node do nothing: no rank is "
                       "bound to them (mpirun -np 2 binds each rank to one core)",
                       usable - bound, usable);
    else if (threads < usable)
        ddpm_app__warn(report, "more ranks, or more threads each (train.threads)",
                       "%d of the %d cores that the job has on this node do nothing: there are "
                       "only %d thread%s",
                       usable - threads, usable, threads, s(threads));
    if (first->quota > 0.0 && first->quota < threads)
        ddpm_app__warn(report,
                       "as many threads as the quota has cores, or ask the batch system or the "
                       "container for more (docker --cpus)",
                       "the cgroup's quota (cpu.max) is %.1f cores of time, and %d threads want "
                       "it: all are held up together",
                       first->quota, threads);
    ddpm_app__fine(report, "%d rank%s x threads = %d on %d core%s", group->count, s(group->count),
                   threads, usable, s(usable));
}

void ddpm_app__judge_numa(ddpm_doctor_report *report, const ddpm_doctor_group *group)
{
    const ddpm_doctor_cores *c = &group->rank[0]->cores;
    if (c->numa_domains > 1 && (c->threads > 1 || c->sharers > 1))
        ddpm_app__warn(report,
                       "one rank a NUMA domain: mpirun --map-by ppr:1:numa --bind-to numa; srun "
                       "--ntasks-per-node=DOMAINS --cpu-bind=cores",
                       "the rank may run in %d NUMA domains: its threads work on memory that is "
                       "another domain's",
                       c->numa_domains);
    ddpm_app__fine(report, "%s",
                   c->numa_domains == 1 ? "within one NUMA domain"
                   : c->numa_domains    ? "one thread, where its memory is"
                                        : "the system does not say");
}
