/* One more line of results.jsonl. A line that a power cut or a full disk tore must not take the
 * next one with it: see is_torn. */
#include "ddpm/eval/results.h"

#include "append_file.h"
#include "ddpm/base/path.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATH = 4096 };

/* Whether the last line has no end. */
static bool is_torn(int fd, off_t size)
{
    char last = '\n';
    return size > 0 && pread(fd, &last, 1, size - 1) == 1 && last != '\n';
}

/* text: a newline, and the whole line. On failure the file is as it was, as far as the disk lets
 * us. */
static ddpm_status append(const append_file *file, const char *text, size_t bytes)
{
    const off_t size = lseek(file->fd, 0, SEEK_END);
    if (size < 0) return ddpm_fail(DDPM_EIO, "%s: %s", file->path, strerror(errno));
    const size_t skip = is_torn(file->fd, size) ? 0 : 1;
    const ddpm_status status = append_file_write(file, text + skip, bytes - skip);
    if (status == DDPM_OK || ftruncate(file->fd, size) == 0) return status;
    return ddpm_fail_within(status, "the last line is torn");
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
    append_file file;
    ddpm_status status = append_file_open(&file, path, true);
    if (status == DDPM_OK) status = append(&file, text, bytes);
    append_file_close(&file);
    free(text);
    return status;
}
