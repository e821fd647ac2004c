/* Which cores a rank may use, by the system. */
#include "doctor.h"
#include "doctor_text.h"

#include "ddpm/base/text.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_BYTES = 4096, MOST_DOMAINS = 1024 };

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

void ddpm_app__collect_cores(ddpm_doctor_cores *cores, const cpu_set_t *mask, const char *root)
{
    char groups[TEXT_BYTES];
    cpu_set_t usable;
    cores->mask = *mask;
    ddpm_app__read_text(groups, sizeof groups, root, "/proc/self/cgroup");
    find_usable(&usable, root, groups);
    CPU_OR(&usable, &usable, &cores->mask);
    first_threads(&cores->cores, &cores->mask, root);
    first_threads(&cores->usable, &usable, root);
    cores->numa_domains = count_domains(&cores->mask, root);
    int64_t cpus;
    const char *slurm = getenv("SLURM_CPUS_PER_TASK");
    cores->slurm_cpus = slurm && ddpm_text_int64(&cpus, slurm, 1, CPU_SETSIZE) ? (int)cpus : 0;
    cores->quota = find_quota(root, groups);
}
