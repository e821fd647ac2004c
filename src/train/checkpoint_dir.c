#include "checkpoint_format.h"
#include "ddpm/base/log.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { NAME_SIZE = 48 };

void ddpm_checkpoint_file_name(char *name, size_t size, uint64_t step)
{
    snprintf(name, size, "step-%09" PRIu64 ".h5", step);
}

/* Only what ddpm_checkpoint_file_name writes is a checkpoint's name: no temporary files, no copies
 * under another name. */
static bool step_of_name(uint64_t *step, const char *name)
{
    static const char prefix[] = "step-";
    char canonical[NAME_SIZE];
    if (strncmp(name, prefix, sizeof prefix - 1) != 0) return false;
    *step = strtoull(name + sizeof prefix - 1, NULL, 10);
    ddpm_checkpoint_file_name(canonical, sizeof canonical, *step);
    return strcmp(name, canonical) == 0;
}

static int newest_first(const void *a, const void *b)
{
    const uint64_t p = *(const uint64_t *)a, q = *(const uint64_t *)b;
    return (p < q) - (p > q);
}

ddpm_status ddpm_checkpoint_list(uint64_t **steps, size_t *count, const char *directory)
{
    DIR *dir = opendir(directory);
    if (!dir) return ddpm_fail(DDPM_ENOINPUT, "%s: %s", directory, strerror(errno));
    uint64_t *list = NULL, step;
    size_t used = 0, capacity = 0;
    ddpm_status status = DDPM_OK;
    const struct dirent *entry;
    while ((entry = readdir(dir))) {
        if (!step_of_name(&step, entry->d_name)) continue;
        if (used == capacity) {
            capacity = capacity ? 2 * capacity : 16;
            uint64_t *grown = realloc(list, capacity * sizeof *grown);
            if (!grown) {
                status = ddpm_fail(DDPM_EOS, "out of memory for %zu checkpoints", capacity);
                break;
            }
            list = grown;
        }
        list[used++] = step;
    }
    closedir(dir);
    if (status != DDPM_OK) {
        free(list);
        return status;
    }
    if (used > 1) qsort(list, used, sizeof *list, newest_first);
    *steps = list;
    *count = used;
    return DDPM_OK;
}

ddpm_status ddpm_train__checkpoint_path(char *path, size_t size, const char *directory,
                                        uint64_t step)
{
    char name[NAME_SIZE];
    ddpm_checkpoint_file_name(name, sizeof name, step);
    const int length = snprintf(path, size, "%s/%s", directory, name);
    if (length > 0 && (size_t)length < size) return DDPM_OK;
    return ddpm_fail(DDPM_EUSAGE, "%s: the path is longer than %zu characters", directory, size);
}

static ddpm_status check_usable(const char *path, const char *run_id)
{
    ddpm_checkpoint *checkpoint = NULL;
    DDPM_TRY(ddpm_checkpoint_open(&checkpoint, path));
    const ddpm_progress *progress = ddpm_checkpoint_progress(checkpoint);
    ddpm_status status = DDPM_OK;
    if (run_id[0] != '\0' && strcmp(run_id, progress->run_id) != 0)
        status = ddpm_fail(DDPM_EDATA, "%s: belongs to run %s, not to run %s", path,
                           progress->run_id, run_id);
    ddpm_checkpoint_close(checkpoint);
    return status;
}

ddpm_status ddpm_checkpoint_newest(char *path, size_t size, const char *directory,
                                   const char *run_id)
{
    uint64_t *steps = NULL;
    size_t count = 0;
    DDPM_TRY(ddpm_checkpoint_list(&steps, &count, directory));
    ddpm_status status = ddpm_fail(DDPM_ENOINPUT, "%s: no checkpoint (step-*.h5) there", directory);
    for (size_t i = 0; i < count; i++) {
        status = ddpm_train__checkpoint_path(path, size, directory, steps[i]);
        if (status != DDPM_OK) break;
        status = check_usable(path, run_id);
        /* Too little memory says nothing about the file: an older one is no answer. */
        if (status == DDPM_OK || status == DDPM_EOS) break;
        ddpm_log_warning("skipping a checkpoint: %s", ddpm_status_message());
    }
    free(steps);
    if (status == DDPM_OK || status == DDPM_EOS || status == DDPM_EUSAGE || count == 0)
        return status;
    return ddpm_fail(DDPM_EDATA, "%s: none of its %zu checkpoints can be used: %s", directory,
                     count, ddpm_status_message());
}

static bool is_directory(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

ddpm_status ddpm_checkpoint_find(char *path, size_t size, const char *argument)
{
    const char *const inside[] = { "/checkpoints", "" };
    for (size_t i = 0; i < sizeof inside / sizeof *inside; i++) {
        const int length = snprintf(path, size, "%s%s", argument, inside[i]);
        if (length < 0 || (size_t)length >= size)
            return ddpm_fail(DDPM_EUSAGE, "the path of a checkpoint is longer than %zu characters",
                             size);
        if (!is_directory(path)) continue;
        char *directory = strdup(path);
        if (!directory) return ddpm_fail(DDPM_EOS, "out of memory");
        const ddpm_status status = ddpm_checkpoint_newest(path, size, directory, "");
        free(directory);
        return status;
    }
    return DDPM_OK;
}

ddpm_status ddpm_checkpoint_find_best(char *path, size_t size, const char *argument)
{
    ddpm_checkpoint *checkpoint = NULL;
    DDPM_TRY(ddpm_checkpoint_find(path, size, argument));
    DDPM_TRY(ddpm_checkpoint_open(&checkpoint, path));
    const uint64_t step = ddpm_checkpoint_progress(checkpoint)->best.step;
    ddpm_checkpoint_close(checkpoint);
    if (step == 0)
        return ddpm_fail(DDPM_ENOINPUT,
                         "%s knows of no best checkpoint: a run keeps one where eval.every is not "
                         "0 and eval.metric not none, from its first evaluation on",
                         path);
    char *slash = strrchr(path, '/'),
         *directory = slash ? strndup(path, (size_t)(slash - path)) : strdup(".");
    if (!directory) return ddpm_fail(DDPM_EOS, "out of memory");
    ddpm_status status = ddpm_train__checkpoint_path(path, size, directory, step);
    free(directory);
    struct stat info;
    if (status == DDPM_OK && stat(path, &info) != 0)
        status = ddpm_fail(DDPM_ENOINPUT, "%s, the best checkpoint: %s", path, strerror(errno));
    return status;
}
