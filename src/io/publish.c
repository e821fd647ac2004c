#include "publish.h"

#include "ddpm/io/sealed_file.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Names tried before giving up: each stands for a file that a killed process left behind. */
enum { TEMPORARY_NAMES = 1000 };

const char *ddpm_io__remedy(int error)
{
    switch (error) {
    case ENOENT: return "; create the directory first";
    case EACCES:
    case EPERM: return "; check the permissions of the directory";
    case EROFS: return "; choose a directory on a file system that can be written";
    case ENOSPC: return "; free some space or write elsewhere";
    case EDQUOT: return "; the quota is used up: free some space or write elsewhere";
    case EFBIG: return "; raise the limit on file sizes (ulimit -f)";
    case ENOTDIR: return "; a part of the path is not a directory";
    case EISDIR: return "; there is a directory of that name";
    default: return "";
    }
}

/* A full or failing disk is DDPM_EIO wherever it is met, so that a caller who may try again later
   sees one code. */
static ddpm_status create_status(int error)
{
    switch (error) {
    case ENOSPC:
    case EDQUOT:
    case EIO: return DDPM_EIO;
    case EMFILE:
    case ENFILE:
    case ENOMEM: return DDPM_EOS;
    default: return DDPM_ECREATE;
    }
}

/* Length of the directory part with its slash; 0 for a plain name. */
static size_t directory_length(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? (size_t)(slash - path) + 1 : 0;
}

static void release(ddpm_io__publish *file)
{
    free(file->path);
    free(file->temporary);
    *file = (ddpm_io__publish){ .fd = -1 };
}

ddpm_status ddpm_io__publish_begin(ddpm_io__publish *file, const char *path)
{
    *file = (ddpm_io__publish){ .fd = -1 };
    const size_t directory = directory_length(path), size = strlen(path) + 48;
    if (path[directory] == '\0')
        return ddpm_fail(DDPM_ECREATE, "cannot create \"%s\": that is no file name", path);
    file->path = strdup(path);
    file->temporary = malloc(size);
    if (!file->path || !file->temporary) {
        release(file);
        return ddpm_fail(DDPM_EOS, "%s: out of memory", path);
    }
    struct stat there;
    int error = stat(path, &there) == 0 && S_ISDIR(there.st_mode) ? EISDIR : EEXIST;
    for (int i = 0; i < TEMPORARY_NAMES && error == EEXIST; i++) {
        snprintf(file->temporary, size, "%.*s.%s.tmp-%ld-%d", (int)directory, path,
                 path + directory, (long)getpid(), i);
        do file->fd = open(file->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        while (file->fd < 0 && errno == EINTR);
        error = file->fd < 0 ? errno : 0;
    }
    if (error) {
        release(file);
        return ddpm_fail(create_status(error), "cannot create %s: %s%s", path, strerror(error),
                         ddpm_io__remedy(error));
    }
    return DDPM_OK;
}

ddpm_status ddpm_io__publish_write(ddpm_io__publish *file, const void *data, size_t bytes)
{
    const unsigned char *from = data;
    while (bytes > 0) {
        const ssize_t written = write(file->fd, from, bytes);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) {
            const int error = written < 0 ? errno : EIO;
            return ddpm_fail(DDPM_EIO, "cannot write %s: %s%s", file->path, strerror(error),
                             ddpm_io__remedy(error));
        }
        from += written;
        bytes -= (size_t)written;
    }
    return DDPM_OK;
}

/* A rename is on disk once its directory is. Some file systems have no fsync of directories and say
   EINVAL: there it is all that can be done. */
static int sync_directory(const char *path)
{
    const size_t length = directory_length(path);
    char *directory = length ? strndup(path, length) : strdup(".");
    if (!directory) return ENOMEM;
    int error = 0, fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        error = errno;
    else {
        int result;
        do result = fsync(fd);
        while (result < 0 && errno == EINTR);
        if (result < 0 && errno != EINVAL) error = errno;
        close(fd);
    }
    free(directory);
    return error;
}

ddpm_status ddpm_io__publish_commit(ddpm_io__publish *file)
{
    assert(file->fd >= 0);
    const char *doing = "write";
    int error = 0, result;
    do result = fsync(file->fd);
    while (result < 0 && errno == EINTR);
    if (result < 0) error = errno;
    /* After a successful fsync an EINTR of close loses nothing, and Linux has closed the file. */
    if (close(file->fd) < 0 && errno != EINTR && !error) error = errno;
    file->fd = -1;
    if (!error && rename(file->temporary, file->path) < 0) {
        error = errno;
        doing = "name";
    }
    ddpm_status status = DDPM_OK;
    if (error) {
        unlink(file->temporary);
        status = ddpm_fail(*doing == 'n' ? create_status(error) : DDPM_EIO, "cannot %s %s: %s%s",
                           doing, file->path, strerror(error), ddpm_io__remedy(error));
    } else if ((error = sync_directory(file->path)) != 0)
        status = ddpm_fail(DDPM_EIO, "%s is written, but its directory cannot be made durable: %s",
                           file->path, strerror(error));
    release(file);
    return status;
}

void ddpm_io__publish_abandon(ddpm_io__publish *file)
{
    if (file->fd >= 0) {
        close(file->fd);
        unlink(file->temporary);
    }
    if (file->path) release(file);
}

ddpm_status ddpm_publish_file(const char *path, const void *data, size_t bytes)
{
    ddpm_io__publish file;
    DDPM_TRY(ddpm_io__publish_begin(&file, path));
    const ddpm_status status = ddpm_io__publish_write(&file, data, bytes);
    if (status == DDPM_OK) return ddpm_io__publish_commit(&file);
    ddpm_io__publish_abandon(&file);
    return status;
}
