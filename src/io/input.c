#include "input.h"

#include "ddpm/io/sealed_file.h"
#include "publish.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

ddpm_status ddpm_io__input_open(int *fd, uint64_t *bytes, const char *path)
{
    /* Without O_NONBLOCK, opening a named pipe waits for a writer. */
    do *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    while (*fd < 0 && errno == EINTR);
    if (*fd < 0)
        return ddpm_fail(errno == EMFILE || errno == ENFILE ? DDPM_EOS : DDPM_ENOINPUT,
                         "cannot open %s: %s", path, strerror(errno));
    struct stat about;
    if (fstat(*fd, &about) == 0 && S_ISREG(about.st_mode)) {
        *bytes = (uint64_t)about.st_size;
        return DDPM_OK;
    }
    close(*fd);
    *fd = -1;
    return ddpm_fail(DDPM_ENOINPUT, "cannot read %s: it is %s, not a file", path,
                     S_ISDIR(about.st_mode) ? "a directory" : "a device or pipe");
}

ddpm_status ddpm_io__input_read(int fd, void *data, size_t bytes, const char *path)
{
    unsigned char *to = data;
    for (size_t done = 0; done < bytes;) {
        const ssize_t got = read(fd, to + done, bytes - done);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return ddpm_fail(DDPM_EIO, "cannot read %s: %s", path, strerror(errno));
        if (got == 0)
            return ddpm_fail(DDPM_EDATA, "%s ends %zu bytes early: it is truncated", path,
                             bytes - done);
        done += (size_t)got;
    }
    return DDPM_OK;
}

ddpm_status ddpm_read_file(char **text, size_t *bytes, const char *path, size_t limit_bytes)
{
    int fd;
    uint64_t size = 0;
    DDPM_TRY(ddpm_io__input_open(&fd, &size, path));
    char *buffer = size <= limit_bytes ? malloc((size_t)size + 1) : NULL;
    ddpm_status status;
    if (size > limit_bytes)
        status = ddpm_fail(DDPM_EDATA, "%s has %llu bytes, more than the %zu that are allowed here",
                           path, (unsigned long long)size, limit_bytes);
    else if (!buffer)
        status = ddpm_fail(DDPM_EOS, "%s: out of memory for %llu bytes", path,
                           (unsigned long long)size);
    else
        status = ddpm_io__input_read(fd, buffer, (size_t)size, path);
    close(fd);
    if (status != DDPM_OK || !buffer) {
        free(buffer);
        return status;
    }
    buffer[size] = '\0';
    *text = buffer;
    if (bytes) *bytes = (size_t)size;
    return DDPM_OK;
}

ddpm_status ddpm_make_directory(const char *path)
{
    char *part = strdup(path);
    if (!part) return ddpm_fail(DDPM_EOS, "%s: out of memory", path);
    ddpm_status status = DDPM_OK;
    for (char *end = part; status == DDPM_OK && end;) {
        end = strchr(end + (*end == '/'), '/');
        if (end) *end = '\0';
        struct stat about;
        if (*part != '\0' && mkdir(part, 0777) < 0) {
            int error = errno;
            /* A read-only parent may say EROFS or EACCES of what is there already. */
            if (stat(part, &about) == 0) error = S_ISDIR(about.st_mode) ? 0 : ENOTDIR;
            if (error)
                status = ddpm_fail(error == ENOSPC || error == EDQUOT ? DDPM_EIO : DDPM_ECREATE,
                                   "cannot create the directory %s: %s%s", part, strerror(error),
                                   ddpm_io__remedy(error));
        }
        if (end) *end = '/';
    }
    free(part);
    return status;
}
