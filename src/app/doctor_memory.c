/* The memory that a node's ranks may use, and the limits of a process. */
#include "doctor.h"
#include "doctor_text.h"

#include "ddpm/base/memory.h"
#include "ddpm/base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/statvfs.h>

enum { TEXT_BYTES = 8192 };
static const uint64_t mebibyte = 1 << 20;

static uint64_t soft_limit(__rlimit_resource_t resource)
{
    struct rlimit limit;
    if (getrlimit(resource, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return UINT64_MAX;
    return limit.rlim_cur;
}

void ddpm_app__collect_memory(ddpm_doctor_memory *memory, const char *root)
{
    char text[TEXT_BYTES];
    struct statvfs shared;
    memory->limit = ddpm_memory_limit_bytes();
    ddpm_app__read_text(text, sizeof text, root, "/proc/meminfo");
    memory->available = ddpm_app__meminfo_bytes(text, "MemAvailable");
    memory->swap_used = ddpm_app__meminfo_bytes(text, "SwapTotal") -
                        ddpm_app__meminfo_bytes(text, "SwapFree");
    ddpm_app__read_text(text, sizeof text, root, "/sys/kernel/mm/transparent_hugepage/enabled");
    ddpm_app__bracketed(memory->huge_pages, sizeof memory->huge_pages, text);
    memory->overcommit = 0;
    if (ddpm_app__read_text(text, sizeof text, root, "/proc/sys/vm/overcommit_memory"))
        memory->overcommit = (int)strtol(text, NULL, 10);
    memory->shared_free = 0;
    if (statvfs("/dev/shm", &shared) == 0)
        memory->shared_free = (uint64_t)shared.f_bavail * shared.f_frsize;
    const uint64_t data = soft_limit(RLIMIT_DATA);
    memory->address_space = soft_limit(RLIMIT_AS);
    if (data < memory->address_space) memory->address_space = data;
    memory->locked = soft_limit(RLIMIT_MEMLOCK);
    memory->stack = soft_limit(RLIMIT_STACK);
    memory->files = soft_limit(RLIMIT_NOFILE);
    memory->core = soft_limit(RLIMIT_CORE);
}

void ddpm_app__judge_memory(ddpm_doctor_report *report, const ddpm_doctor_group *group)
{
    const ddpm_doctor_memory *m = &group->rank[0]->memory;
    const uint64_t needed = m->plan_bytes * (uint64_t)group->count;
    char a[32], b[32], own[96] = "";
    if (m->plan.status != DDPM_OK)
        ddpm_app__wrong(report, m->plan.status, NULL, "%s", m->plan.message);
    else if (m->plan_bytes > m->address_space)
        ddpm_app__wrong(report, DDPM_EOS, "ulimit -v unlimited; ulimit -d unlimited",
                        "a rank needs %s, and ulimit leaves a process %s",
                        ddpm_text_bytes(a, m->plan_bytes), ddpm_text_bytes(b, m->address_space));
    else if (needed > m->available && m->available > 0)
        ddpm_app__warn(report,
                       "find who uses it (top, ipcs, files in /dev/shm and /tmp), or take another "
                       "node",
                       "the node's ranks need %s, and only %s of its memory is free",
                       ddpm_text_bytes(a, needed), ddpm_text_bytes(b, m->available));
    if (m->swap_used > 256 * mebibyte)
        ddpm_app__warn(report, "free memory on the node, or swapoff as root",
                       "%s of swap are in use: a rank whose memory is swapped out holds up all "
                       "others",
                       ddpm_text_bytes(a, m->swap_used));
    if (m->overcommit == 2)
        ddpm_app__warn(report, "sysctl vm.overcommit_memory=0 as root, if allocations fail",
                       "vm.overcommit_memory is 2: memory may be refused although it is free");
    if (m->plan_bytes)
        snprintf(own, sizeof own, "; the node's %d rank%s need %s", group->count,
                 group->count == 1 ? "" : "s", ddpm_text_bytes(a, needed));
    char limit[32];
    ddpm_app__fine(report, "%s may be used, %s of the node are free%s",
                   ddpm_text_bytes(limit, m->limit), ddpm_text_bytes(b, m->available), own);
}

/* Open MPI's queues, and the windows in which the ranks of several nodes add up (ddpm-dist(1)). */
void ddpm_app__judge_shared_memory(ddpm_doctor_report *report, const ddpm_doctor_group *group)
{
    const uint64_t free_bytes = group->rank[0]->memory.shared_free;
    const bool windows = group->nodes > 1 && (!group->config || group->config->dist.shared_memory);
    const uint64_t each = windows ? 36 * mebibyte : 5 * mebibyte;
    const uint64_t needed = group->count > 1 ? each * (uint64_t)group->count : 0;
    char have[32], want[32];
    if (free_bytes < needed)
        ddpm_app__warn(report,
                       "docker run --shm-size=8g, apptainer --bind /dev/shm, or mount -o "
                       "remount,size=50% /dev/shm as root; remove what killed jobs left there",
                       "/dev/shm has %s free, and the node's %d ranks may use %s: they would send "
                       "each other messages instead, or fail to start",
                       ddpm_text_bytes(have, free_bytes), group->count,
                       ddpm_text_bytes(want, needed));
    ddpm_app__fine(report, "%s free in /dev/shm", ddpm_text_bytes(have, free_bytes));
}

void ddpm_app__judge_pages(ddpm_doctor_report *report, const ddpm_doctor_group *group)
{
    const char *pages = group->rank[0]->memory.huge_pages;
    if (strcmp(pages, "never") == 0)
        ddpm_app__warn(report, "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled as root",
                       "transparent huge pages are off: large buffers take more page faults");
    ddpm_app__fine(report, "transparent huge pages: %s", *pages ? pages : "not known here");
}

void ddpm_app__judge_limits(ddpm_doctor_report *report, const ddpm_doctor_group *group)
{
    const ddpm_doctor_facts *facts = group->rank[0];
    const ddpm_doctor_memory *m = &facts->memory;
    const uint64_t files = 128 + 4 * (uint64_t)group->world;
    char text[32];
    if (m->files < files)
        ddpm_app__warn(report, "ulimit -n 65536 in the batch script",
                       "a process may open %" PRIu64
                       " files, and with %d ranks it may need %" PRIu64 " for its connections",
                       m->files, group->world, files);
    if (*facts->network.infiniband && m->locked != UINT64_MAX)
        ddpm_app__warn(report,
                       "ulimit -l unlimited, for batch jobs LimitMEMLOCK=infinity of slurmd",
                       "a process may lock %s of memory: InfiniBand's transports need more, and "
                       "fail or fall back without it",
                       ddpm_text_bytes(text, m->locked));
    if (m->stack < mebibyte)
        ddpm_app__warn(report, "ulimit -s 8192", "the stack of a thread has only %s",
                       ddpm_text_bytes(text, m->stack));
    ddpm_app__fine(report, "open files, locked memory and stack suffice; core files are %s",
                   m->core == 0 ? "off (ulimit -c)" : "written");
}
