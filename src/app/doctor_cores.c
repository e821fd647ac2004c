/* Which cores a rank may use, and what it makes of them. */
#include "doctor.h"
#include "doctor_text.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

enum { TEXT_BYTES = 4096, MOST_DOMAINS = 1024 };

static const char bind_remedy[] =
    "say how many cores a rank gets: mpirun --map-by slot:PE=CORES --bind-to core, or one rank a "
    "NUMA domain: mpirun --map-by ppr:1:numa --bind-to numa; under srun: --cpus-per-task=CORES "
    "--cpu-bind=cores (and export SRUN_CPUS_PER_TASK in a batch script)";

/* Each core by its first hardware thread. */
static void first_threads(cpu_set_t *cores, const cpu_set_t *cpus, const char *root)
{
    char text[TEXT_BYTES];
    CPU_ZERO(cores);
    for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET(cpu, cpus)) continue;
        cpu_set_t siblings;
        size_t first = cpu;
        if (ddpm_app__read_text(text, sizeof text, root,
                                "/sys/devices/system/cpu/cpu%zu/topology/thread_siblings_list",
                                cpu) &&
            ddpm_app__parse_cpus(&siblings, text))
            for (size_t other = 0; other < cpu; other++)
                if (CPU_ISSET(other, &siblings)) {
                    first = other;
                    break;
                }
        CPU_SET(first, cores);
    }
}

static int count_domains(const cpu_set_t *mask, const char *root)
{
    char text[TEXT_BYTES];
    cpu_set_t nodes;
    int count = 0;
    if (!ddpm_app__read_text(text, sizeof text, root, "/sys/devices/system/node/online") ||
        !ddpm_app__parse_cpus(&nodes, text))
        return 0;
    for (size_t node = 0; node < CPU_SETSIZE && node < MOST_DOMAINS; node++) {
        cpu_set_t cpus, both;
        if (!CPU_ISSET(node, &nodes) ||
            !ddpm_app__read_text(text, sizeof text, root,
                                 "/sys/devices/system/node/node%zu/cpulist", node) ||
            !ddpm_app__parse_cpus(&cpus, text))
            continue;
        CPU_AND(&both, &cpus, mask);
        count += CPU_COUNT(&both) > 0;
    }
    return count;
}

/* The narrowest quota of this process' group and those above it. */
static double find_quota(const char *root, const char *groups)
{
    char group[1024], text[128];
    double least = 0.0;
    const bool version2 = ddpm_app__cgroup(group, sizeof group, groups, NULL);
    for (int version = 1; version <= 2; version++) {
        if (version == 1 ? !ddpm_app__cgroup(group, sizeof group, groups, "cpu") : !version2)
            continue;
        if (version == 2) ddpm_app__cgroup(group, sizeof group, groups, NULL);
        for (;;) {
            double quota = 0.0;
            char period[64];
            if (version == 2) {
                if (ddpm_app__read_text(text, sizeof text, root, "/sys/fs/cgroup%s/cpu.max", group))
                    quota = ddpm_app__parse_quota(text);
            } else if (ddpm_app__read_text(text, 64, root, "/sys/fs/cgroup/cpu%s/cpu.cfs_quota_us",
                                           group) &&
                       ddpm_app__read_text(period, sizeof period, root,
                                           "/sys/fs/cgroup/cpu%s/cpu.cfs_period_us", group)) {
                snprintf(text + strlen(text), sizeof text - strlen(text), " %s", period);
                quota = ddpm_app__parse_quota(text);
            }
            if (quota > 0.0 && (least == 0.0 || quota < least)) least = quota;
            char *slash = strrchr(group, '/');
            if (!slash) break;
            *slash = '\0';
        }
    }
    return least;
}

/* What the job has of this node: its cpuset, or else all that is there. */
static void find_usable(cpu_set_t *cpus, const char *root, const char *groups)
{
    char group[1024], text[TEXT_BYTES];
    if (ddpm_app__cgroup(group, sizeof group, groups, "cpuset") &&
        ddpm_app__read_text(text, sizeof text, root,
                            "/sys/fs/cgroup/cpuset%s/cpuset.effective_cpus", group) &&
        ddpm_app__parse_cpus(cpus, text))
        return;
    if (ddpm_app__cgroup(group, sizeof group, groups, NULL) &&
        ddpm_app__read_text(text, sizeof text, root, "/sys/fs/cgroup%s/cpuset.cpus.effective",
                            group) &&
        ddpm_app__parse_cpus(cpus, text))
        return;
    if (!ddpm_app__read_text(text, sizeof text, root, "/sys/devices/system/cpu/online") ||
        !ddpm_app__parse_cpus(cpus, text))
        CPU_ZERO(cpus);
}

void ddpm_app__collect_cores(ddpm_doctor_cores *cores, const char *root)
{
    char groups[TEXT_BYTES];
    cpu_set_t usable;
    CPU_ZERO(&cores->mask);
    if (sched_getaffinity(0, sizeof cores->mask, &cores->mask) != 0) CPU_SET(0, &cores->mask);
    ddpm_app__read_text(groups, sizeof groups, root, "/proc/self/cgroup");
    find_usable(&usable, root, groups);
    CPU_OR(&usable, &usable, &cores->mask);
    first_threads(&cores->cores, &cores->mask, root);
    first_threads(&cores->usable, &usable, root);
    cores->numa_domains = count_domains(&cores->mask, root);
    cores->quota = find_quota(root, groups);
}

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
        mine->oversubscribed = threads > CPU_COUNT(&mine->usable);
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
    if (threads > bound)
        ddpm_app__warn(report,
                       "fewer ranks on the node, or fewer threads each (train.threads); where the "
                       "node has more cores than the ranks may use, bind to those",
                       "%d threads of %d rank%s share %d core%s: the node is oversubscribed",
                       threads, group->count, s(group->count), bound, s(bound));
    if (busy < usable)
        ddpm_app__warn(report,
                       "more ranks or more threads each (train.threads), and ranks bound so that "
                       "together they have every core",
                       "%d of the %d cores that the job has on this node do nothing", usable - busy,
                       usable);
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
