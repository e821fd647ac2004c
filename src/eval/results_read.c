#include "ddpm/eval/results.h"

#include "ddpm/base/log.h"
#include "ddpm/base/path.h"
#include "ddpm/io/sealed_file.h"
#include "training_results.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH = 4096 };
static const size_t file_limit = (size_t)1 << 30;
static const char training_name[] = "metrics.jsonl";

static const char *created(const json_t *result)
{
    const char *time = json_string_value(json_object_get(result, "created"));
    return time ? time : "";
}

/* Comes last, or in the place of an older one of the same key. */
static void add(json_t *array, json_t *result)
{
    const json_t *key = json_object_get(result, "key");
    for (size_t i = 0; key && i < json_array_size(array); i++) {
        const json_t *other = json_array_get(array, i);
        if (!json_equal(json_object_get(other, "key"), key)) continue;
        if (strcmp(created(result), created(other)) >= 0)
            json_array_set_new(array, i, result);
        else
            json_decref(result);
        return;
    }
    json_array_append_new(array, result);
}

static bool is_result(const json_t *line)
{
    return json_is_string(json_object_get(line, "metric")) &&
           json_is_number(json_object_get(line, "value"));
}

static void add_lines(json_t *array, const char *text, size_t bytes, const char *path)
{
    for (size_t at = 0, number = 1; at < bytes; number++) {
        const char *stop = memchr(text + at, '\n', bytes - at);
        const size_t length = stop ? (size_t)(stop - (text + at)) : bytes - at;
        json_t *line = json_loadb(text + at, length, 0, NULL);
        if (is_result(line))
            add(array, line);
        else {
            ddpm_log_warning("%s:%zu is no result", path, number);
            json_decref(line);
        }
        at += length + 1;
    }
}

static ddpm_status read_file(json_t *array, const char *path)
{
    char *text;
    size_t bytes;
    const char *slash = strrchr(path, '/');
    DDPM_TRY(ddpm_read_file(&text, &bytes, path, file_limit));
    if (strcmp(slash ? slash + 1 : path, training_name) == 0)
        training_results(array, text, bytes);
    else
        add_lines(array, text, bytes, path);
    free(text);
    return DDPM_OK;
}

static ddpm_status read_directory(json_t *array, const char *directory)
{
    static const char *const names[] = { "results.jsonl", "eval/results.jsonl", training_name };
    size_t found = 0;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[PATH];
        DDPM_TRY(ddpm_path_print(path, sizeof path, "%s/%s", directory, names[i]));
        if (access(path, F_OK) != 0) continue;
        DDPM_TRY(read_file(array, path));
        found++;
    }
    if (found > 0) return DDPM_OK;
    return ddpm_fail(DDPM_ENOINPUT, "%s has neither results.jsonl nor eval/results.jsonl nor %s",
                     directory, training_name);
}

ddpm_status ddpm_results_read(json_t **out, const char *argument)
{
    struct stat about;
    json_t *array = json_array();
    if (!array) return ddpm_fail(DDPM_EOS, "%s: out of memory", argument);
    const bool is_directory = stat(argument, &about) == 0 && S_ISDIR(about.st_mode);
    const ddpm_status status = is_directory ? read_directory(array, argument)
                                            : read_file(array, argument);
    if (status == DDPM_OK)
        *out = array;
    else
        json_decref(array);
    return status;
}
