/* Whether the run directory is a place for checkpoints, and the data can be read. */
#include "doctor.h"

#include "ddpm/base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void ddpm_app__judge_config(ddpm_doctor_report *report, const ddpm_doctor_group *group)
{
    const ddpm_doctor_facts *facts = group->rank[0];
    if (facts->config.status != DDPM_OK)
        ddpm_app__wrong(report, facts->config.status, NULL, "%s", facts->config.message);
    else if (!group->config)
        ddpm_app__fine(report, "none given: with --config FILE, memory and data are looked at too");
    else if (group->plan)
        ddpm_app__fine(report, "%" PRIu64 " micro-batches a step, up to %" PRIu64 " a rank",
                       group->plan->micro_batches, group->plan->rank_micro_batches);
    else
        ddpm_app__fine(report, "read; without the size of the images there is no plan of memory");
}

void ddpm_app__judge_data(ddpm_doctor_report *report, const ddpm_doctor_group *group)
{
    const ddpm_doctor_facts *facts = group->rank[0];
    if (facts->data.status != DDPM_OK)
        ddpm_app__wrong(report, facts->data.status,
                        facts->data.status == DDPM_ENOINPUT
                            ? "make it with ddpm-data, where every node sees it under the same path"
                            : NULL,
                        "%s", facts->data.message);
    ddpm_app__fine(report, "%s",
                   facts->reads_data ? "every rank can read it" : "no configuration names any");
}

void ddpm_app__judge_directory(ddpm_doctor_report *report, const ddpm_doctor_group *group)
{
    const ddpm_doctor_storage *d = &group->rank[0]->storage;
    const uint64_t needed = d->checkpoint_bytes * d->checkpoints;
    char a[32], b[32];
    if (d->directory.status != DDPM_OK)
        ddpm_app__wrong(report, d->directory.status,
                        "name a directory that rank 0 may write with --run DIR (quota, read-only "
                        "mounts and permissions are in the way)",
                        "%s", d->directory.message);
    else if (d->free_bytes < needed)
        ddpm_app__wrong(report, DDPM_ECREATE,
                        "remove old runs, name another directory with --run, or set "
                        "checkpoint.keep lower",
                        "%s are free, and %" PRIu64 " checkpoints of this configuration take %s",
                        ddpm_text_bytes(a, d->free_bytes), d->checkpoints,
                        ddpm_text_bytes(b, needed));
    else if (strcmp(d->type, "tmpfs") == 0 || strcmp(d->type, "ramfs") == 0)
        ddpm_app__warn(report, "name a directory on a disk with --run",
                       "%s is %s, in memory: gone after a reboot, and taken from the ranks' memory",
                       d->path, d->type);
    else if (strcmp(d->type, "overlay") == 0)
        ddpm_app__warn(report, "bind a directory of the host (apptainer --bind, docker -v)",
                       "%s is in a container's own layer (overlay): gone with the container",
                       d->path);
    ddpm_app__fine(report, "%s on %s, %s free", d->path, d->type,
                   ddpm_text_bytes(a, d->free_bytes));
}

void ddpm_app__judge_lock(ddpm_doctor_report *report, const ddpm_doctor_group *group)
{
    const ddpm_doctor_storage *d = &group->rank[0]->storage;
    if (d->directory.status != DDPM_OK) {
        ddpm_app__fine(report, "not tried: there is no directory");
        return;
    }
    if (d->exclusive)
        ddpm_app__warn(report, "another file system for the run directory",
                       "a new file can be made twice (O_EXCL: %s): two jobs can take the same "
                       "temporary name",
                       strerror(d->exclusive));
    if (d->lock)
        ddpm_app__warn(report,
                       "mount with locks where that can be had (nfs: not nolock; lustre: flock)",
                       "flock does not work (%s): a heartbeat file keeps other jobs out, and a "
                       "lock that a killed job left is recovered later",
                       strerror(d->lock));
    else if (!d->lock_excludes)
        ddpm_app__warn(report, "another file system for the run directory",
                       "flock lets two have the same lock: it does not keep another job out");
    ddpm_app__fine(report, "flock and O_EXCL keep other jobs out");
}

void ddpm_app__judge_durability(ddpm_doctor_report *report, const ddpm_doctor_group *group)
{
    static const double slow_seconds = 10.0;
    const ddpm_doctor_storage *d = &group->rank[0]->storage;
    char own[64] = "", large[64] = "";
    if (d->directory.status != DDPM_OK) {
        ddpm_app__fine(report, "not tried: there is no directory");
        return;
    }
    if (d->sync)
        ddpm_app__wrong(report, DDPM_EIO, "another directory (--run); look at quota and free space",
                        "writing and syncing a file fails: %s", strerror(d->sync));
    if (d->rename)
        ddpm_app__wrong(report, DDPM_EIO, "another directory (--run)",
                        "renaming a file over another fails: %s", strerror(d->rename));
    if (d->sync_directory)
        ddpm_app__warn(report, "another file system for the run directory",
                       "a directory cannot be synced (%s): after a power cut the newest "
                       "checkpoint may be missing; older ones are whole",
                       strerror(d->sync_directory));
    const double slowest = d->small_seconds > d->large_seconds ? d->small_seconds
                                                               : d->large_seconds;
    if (slowest > slow_seconds)
        ddpm_app__warn(report, "a faster file system, or checkpoints less often (checkpoint.every)",
                       "writing and syncing %s takes %.0f s",
                       d->small_seconds == slowest ? "1 MiB" : "64 MiB", slowest);
    if (d->large_seconds > 0.0)
        snprintf(large, sizeof large, ", 64 MiB in %.3f s", d->large_seconds);
    if (d->large_seconds > 0.0 && d->checkpoint_bytes)
        snprintf(own, sizeof own, ", a checkpoint in about %.2g s",
                 d->large_seconds * (double)d->checkpoint_bytes / (64 << 20));
    ddpm_app__fine(report, "1 MiB written and synced in %.3f s%s%s; rename and directory sync work",
                   d->small_seconds, large, own);
}
