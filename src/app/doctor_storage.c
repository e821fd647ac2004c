/* The run directory's file system, tried out: what a checkpoint needs of it. Everything happens in
 * a directory of our own inside, which goes when it is over. */
#include "doctor.h"

#include "ddpm/base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

enum { SMALL_BYTES = 1 << 20, LARGE_BYTES = 64 << 20, ROOM = 4 };

static const struct {
    long magic;
    const char *name;
} types[] = {
    { 0xEF53, "ext4" },
    { 0x58465342, "xfs" },
    { 0x9123683E, "btrfs" },
    { 0x2FC12FC1, "zfs" },
    { 0x01021994, "tmpfs" },
    { 0x794C7630, "overlay" },
    { 0x6969, "nfs" },
    { 0x0BD00BD0, "lustre" },
    { 0x47504653, "gpfs" },
    { 0x19830326, "beegfs" },
    { 0x00C36400, "ceph" },
    { 0x65735546, "fuse" },
    { (long)0xFF534D42, "cifs" },
    { (long)0xFE534D42, "smb" },
    { 0x858458F6, "ramfs" },
    { 0x65735543, "fuse control" },
};

static void find_type(ddpm_doctor_storage *storage, const char *directory)
{
    struct statfs info;
    struct statvfs room;
    snprintf(storage->type, sizeof storage->type, "unknown");
    if (statfs(directory, &info) == 0) {
        snprintf(storage->type, sizeof storage->type, "type 0x%lx", (unsigned long)info.f_type);
        for (size_t i = 0; i < sizeof types / sizeof *types; i++)
            if ((unsigned)info.f_type == (unsigned)types[i].magic)
                snprintf(storage->type, sizeof storage->type, "%s", types[i].name);
    }
    if (statvfs(directory, &room) == 0)
        storage->free_bytes = (uint64_t)room.f_bavail * room.f_frsize;
}

/* The nearest directory above that is there; training makes the rest. */
static bool find_existing(char path[PATH_MAX])
{
    struct stat info;
    while (stat(path, &info) != 0) {
        if (errno != ENOENT) return false;
        char *slash = strrchr(path, '/');
        if (!slash)
            snprintf(path, PATH_MAX, ".");
        else if (slash == path)
            path[1] = '\0';
        else
            *slash = '\0';
    }
    return true;
}

/* Bytes that a file system cannot compress. */
static void fill(unsigned char *block, size_t bytes)
{
    uint64_t x = 88172645463325252u;
    for (size_t i = 0; i < bytes; i++) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        block[i] = (unsigned char)x;
    }
}

/* Writes and syncs; returns 0 or errno. */
static int time_sync(double *seconds, const char *path, size_t bytes)
{
    unsigned char *block = malloc(SMALL_BYTES);
    if (!block) return ENOMEM;
    fill(block, SMALL_BYTES);
    int error = 0;
    const uint64_t begin = ddpm_clock_ns();
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) error = errno;
    for (size_t done = 0; !error && done < bytes;) {
        const ssize_t written = write(fd, block, SMALL_BYTES);
        if (written > 0)
            done += (size_t)written;
        else if (errno != EINTR)
            error = written < 0 ? errno : ENOSPC;
    }
    if (!error && fsync(fd) != 0) error = errno;
    if (fd >= 0 && close(fd) != 0 && !error) error = errno;
    *seconds = ddpm_clock_seconds(begin, ddpm_clock_ns());
    free(block);
    return error;
}

static int try_exclusive(const char *path)
{
    const int first = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (first < 0) return errno;
    close(first);
    const int second = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (second < 0) return errno == EEXIST ? 0 : errno;
    close(second);
    return EEXIST; /* it let two have it */
}

static int try_lock(bool *excludes, const char *path)
{
    int error = 0;
    *excludes = false;
    const int one = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    const int other = open(path, O_RDWR | O_CLOEXEC);
    if (one < 0 || other < 0 || flock(one, LOCK_EX | LOCK_NB) != 0)
        error = errno;
    else
        *excludes = flock(other, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    if (one >= 0) close(one);
    if (other >= 0) close(other);
    return error;
}

static int sync_directory(const char *path)
{
    int error = 0;
    const int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return errno;
    if (fsync(fd) != 0) error = errno;
    close(fd);
    return error;
}

static void try_all(ddpm_doctor_storage *storage, const char *directory)
{
    static const char *const names[] = { "new", "lock", "small", "large", "renamed" };
    enum { NEW, LOCK, SMALL, LARGE, RENAMED, NAMES };
    char path[NAMES][PATH_MAX + 16];
    for (size_t i = 0; i < NAMES; i++)
        snprintf(path[i], sizeof path[i], "%s/%s", directory, names[i]);
    storage->exclusive = try_exclusive(path[NEW]);
    storage->lock = try_lock(&storage->lock_excludes, path[LOCK]);
    storage->sync = time_sync(&storage->small_seconds, path[SMALL], SMALL_BYTES);
    if (!storage->sync && storage->free_bytes > (uint64_t)ROOM * LARGE_BYTES)
        storage->sync = time_sync(&storage->large_seconds, path[LARGE], LARGE_BYTES);
    storage->rename = rename(path[NEW], path[SMALL]) == 0 ? 0 : errno;
    storage->sync_directory = sync_directory(directory);
    for (size_t i = 0; i < NAMES; i++) unlink(path[i]);
}

void ddpm_app__collect_storage(ddpm_doctor_storage *storage, const char *directory)
{
    char path[PATH_MAX], own[PATH_MAX];
    snprintf(storage->path, sizeof storage->path, "%s", directory);
    const bool short_enough = (size_t)snprintf(path, sizeof path, "%s", directory) < sizeof path;
    if (!short_enough) errno = ENAMETOOLONG;
    bool made = short_enough && find_existing(path);
    if (made) {
        find_type(storage, path);
        made = (size_t)snprintf(own, sizeof own, "%s/.ddpm-doctor-XXXXXX", path) < sizeof own &&
               mkdtemp(own);
    }
    if (!made) {
        ddpm_app__doctor_keep(&storage->directory,
                              ddpm_fail(DDPM_ECREATE, "%s: nothing can be made in it: %s",
                                        short_enough ? path : directory, strerror(errno)));
        return;
    }
    try_all(storage, own);
    rmdir(own);
}
