#include "run_lock.h"

#include "ddpm/base/clock.h"
#include "ddpm/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_BYTES = 4096, HOLDER_BYTES = 512 };

static void write_holder(int fd)
{
    char host[128] = "?", time[32], text[HOLDER_BYTES];
    gethostname(host, sizeof host - 1);
    ddpm_clock_utc(time, sizeof time);
    const char *job = getenv("SLURM_JOB_ID");
    const int length = snprintf(text, sizeof text, "host %s, pid %ld%s%s, since %s\n", host,
                                (long)getpid(), job ? ", job " : "", job ? job : "", time);
    if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)length, 0) != length)
        ddpm_log_warning("cannot write who holds the lock of the run directory: %s",
                         strerror(errno));
}

static ddpm_status name_holder(int fd, const char *directory)
{
    char text[HOLDER_BYTES] = "";
    const ssize_t length = pread(fd, text, sizeof text - 1, 0);
    text[length > 0 ? strcspn(text, "\n") : 0] = 0;
    return ddpm_fail(DDPM_EAGAIN,
                     "%s is in use by another job (%s): wait for it, end it, or name another "
                     "directory with --run",
                     directory, *text ? text : "which did not say who it is");
}

ddpm_status ddpm_train__lock(int *fd, const char *directory)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/lock", directory);
    *fd = -1;
    const int opened = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (opened < 0)
        return ddpm_fail(DDPM_ECREATE,
                         "%s: %s: the run directory must be writable; name another one with --run",
                         path, strerror(errno));
    if (flock(opened, LOCK_EX | LOCK_NB) == 0) {
        write_holder(opened);
        *fd = opened;
        return DDPM_OK;
    }
    ddpm_status status = DDPM_OK;
    if (errno == EWOULDBLOCK)
        status = name_holder(opened, directory);
    else
        ddpm_log_warning("%s: %s: nothing keeps another job out of this run directory", path,
                         strerror(errno));
    close(opened);
    return status;
}

void ddpm_train__unlock(int fd)
{
    if (fd >= 0) close(fd);
}
