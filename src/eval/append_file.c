#include "append_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

ddpm_status append_file_open(append_file *file, const char *path, bool waits)
{
    *file = (append_file){ .fd = -1, .path = strdup(path) };
    if (!file->path) return ddpm_fail(DDPM_EOS, "%s: out of memory", path);
    file->fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (file->fd < 0) return ddpm_fail(DDPM_ECREATE, "%s: %s", path, strerror(errno));
    while (waits && flock(file->fd, LOCK_EX) != 0 && errno == EINTR) {}
    if (!waits && flock(file->fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
        return ddpm_fail(DDPM_EAGAIN, "%s: another process is at this evaluation", path);
    return DDPM_OK;
}

void append_file_close(append_file *file)
{
    if (file->fd >= 0) close(file->fd);
    free(file->path);
    *file = (append_file){ .fd = -1 };
}

ddpm_status append_file_write(const append_file *file, const void *data, size_t bytes)
{
    for (const char *at = data; bytes > 0;) {
        const ssize_t done = write(file->fd, at, bytes);
        if (done < 0 && errno == EINTR) continue;
        if (done < 0) return ddpm_fail(DDPM_EIO, "%s: %s", file->path, strerror(errno));
        at += done;
        bytes -= (size_t)done;
    }
    if (fdatasync(file->fd) == 0) return DDPM_OK;
    return ddpm_fail(DDPM_EIO, "%s: %s", file->path, strerror(errno));
}

ddpm_status append_file_cut(const append_file *file, uint64_t bytes)
{
    if (ftruncate(file->fd, (off_t)bytes) == 0) return DDPM_OK;
    return ddpm_fail(DDPM_EIO, "%s: %s", file->path, strerror(errno));
}
