/* One more line of results.jsonl. A line that a power cut or a full disk tore must not take the
 * next one with it: see is_torn. */
#include "ddpm/eval/results.h"

#include "ddpm/base/path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

enum { PATH = 4096 };

/* False: errno says why. */
static bool write_all(int fd, const char *text, size_t bytes)
{
    while (bytes > 0) {
        const ssize_t done = write(fd, text, bytes);
        if (done < 0 && errno == EINTR) continue;
        if (done < 0) return false;
        text += done;
        bytes -= (size_t)done;
    }
    return fsync(fd) == 0;
}

/* Whether the last line has no end. */
static bool is_torn(int fd, off_t size)
{
    char last = '\n';
    return size > 0 && pread(fd, &last, 1, size - 1) == 1 && last != '\n';
}

/* text: a newline, and the whole line. On failure the file is as it was, as far as the disk lets
 * us. */
static ddpm_status append(int fd, const char *path, const char *text, size_t bytes)
{
    while (flock(fd, LOCK_EX) != 0 && errno == EINTR) {} /* a file system may have no locks */
    const off_t size = lseek(fd, 0, SEEK_END);
    if (size < 0) return ddpm_fail(DDPM_EIO, "%s: %s", path, strerror(errno));
    const size_t skip = is_torn(fd, size) ? 0 : 1;
    if (write_all(fd, text + skip, bytes - skip)) return DDPM_OK;
    const int why = errno;
    const bool undone = ftruncate(fd, size) == 0;
    return ddpm_fail(DDPM_EIO, "%s: %s%s", path, strerror(why),
                     undone ? "" : "; its last line is torn");
}

/* The result's line after a newline, malloc'ed; NULL: out of memory. */
static char *text_of(size_t *bytes, const json_t *result)
{
    char *line = json_dumps(result, JSON_COMPACT | JSON_REAL_PRECISION(15));
    const size_t length = line ? strlen(line) : 0;
    char *text = line ? malloc(length + 3) : NULL;
    if (text) snprintf(text, length + 3, "\n%s\n", line);
    free(line);
    *bytes = length + 2;
    return text;
}

ddpm_status ddpm_results_append(const char *directory, const json_t *result)
{
    char path[PATH];
    size_t bytes;
    DDPM_TRY(ddpm_path_print(path, sizeof path, "%s/results.jsonl", directory));
    char *text = text_of(&bytes, result);
    if (!text) return ddpm_fail(DDPM_EOS, "%s: out of memory", path);
    const int fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    const ddpm_status status = fd < 0 ? ddpm_fail(DDPM_ECREATE, "%s: %s", path, strerror(errno))
                                      : append(fd, path, text, bytes);
    if (fd >= 0) close(fd);
    free(text);
    return status;
}
