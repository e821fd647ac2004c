#include "ddpm/eval/results.h"

#include "ddpm/base/log.h"
#include "ddpm/io/sealed_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH = 4096 };
static const size_t file_limit = (size_t)1 << 28;

ddpm_status ddpm_results_append(const char *directory, const json_t *result)
{
    char path[PATH];
    snprintf(path, sizeof path, "%s/results.jsonl", directory);
    char *line = json_dumps(result, JSON_COMPACT | JSON_REAL_PRECISION(15));
    if (!line) return ddpm_fail(DDPM_EOS, "%s: out of memory", path);
    const size_t length = strlen(line);
    line[length] = '\n'; /* in the place of the 0 */
    ddpm_status status = DDPM_OK;
    const int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (fd < 0)
        status = ddpm_fail(DDPM_ECREATE, "%s: %s", path, strerror(errno));
    else if (write(fd, line, length + 1) != (ssize_t)length + 1 || fsync(fd) != 0)
        status = ddpm_fail(DDPM_EIO, "%s: %s", path, strerror(errno));
    if (fd >= 0) close(fd);
    free(line);
    return status;
}

static void find(char path[PATH], const char *argument)
{
    static const char *const names[] = { "results.jsonl", "eval/results.jsonl" };
    struct stat about;
    snprintf(path, PATH, "%s", argument);
    for (size_t i = 0; i < 2 && stat(path, &about) == 0 && S_ISDIR(about.st_mode); i++) {
        snprintf(path, PATH, "%s/%s", argument, names[i]);
        if (access(path, F_OK) == 0) return;
        if (i == 0) snprintf(path, PATH, "%s", argument);
    }
}

/* Replaces the result of the same key, or comes last. */
static void add(json_t *array, json_t *result)
{
    const json_t *key = json_object_get(result, "key");
    for (size_t i = 0; key && i < json_array_size(array); i++)
        if (json_equal(json_object_get(json_array_get(array, i), "key"), key)) {
            json_array_set_new(array, i, result);
            return;
        }
    json_array_append_new(array, result);
}

ddpm_status ddpm_results_read(json_t **out, const char *argument)
{
    char path[PATH];
    char *text;
    size_t bytes;
    find(path, argument);
    DDPM_TRY(ddpm_read_file(&text, &bytes, path, file_limit));
    json_t *array = json_array();
    for (size_t at = 0, number = 1; at < bytes; number++) {
        const char *stop = memchr(text + at, '\n', bytes - at);
        const size_t length = stop ? (size_t)(stop - (text + at)) : bytes - at;
        json_t *result = json_loadb(text + at, length, 0, NULL);
        if (json_is_string(json_object_get(result, "metric")) &&
            json_is_number(json_object_get(result, "value")))
            add(array, result);
        else {
            ddpm_log_warning("%s:%zu is no result", path, number);
            json_decref(result);
        }
        at += length + 1;
    }
    free(text);
    if (!array) return ddpm_fail(DDPM_EOS, "%s: out of memory", path);
    *out = array;
    return DDPM_OK;
}
