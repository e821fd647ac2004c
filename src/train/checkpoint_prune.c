#include "checkpoint_format.h"
#include "ddpm/base/log.h"
#include "ddpm/io/sealed_file.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { PATH_SIZE = 4096 };

typedef struct {
    uint64_t step;
    bool keep;
} candidate;

static ddpm_status remove_others(const char *directory, const candidate *list, size_t count)
{
    char path[PATH_SIZE];
    for (size_t i = 0; i < count; i++) {
        if (list[i].keep) continue;
        DDPM_TRY(ddpm_train__checkpoint_path(path, sizeof path, directory, list[i].step));
        if (unlink(path) != 0 && errno != ENOENT)
            return ddpm_fail(DDPM_EIO, "cannot remove the old checkpoint %s: %s", path,
                             strerror(errno));
    }
    return DDPM_OK;
}

/* What a save leaves behind that was killed midway: hundreds of megabytes each time. One that is
 * still being written is younger than this. */
enum { LEFTOVER_SECONDS = 3600 };

static bool is_leftover(const char *path, const char *name)
{
    struct stat info;
    return strncmp(name, ".step-", strlen(".step-")) == 0 && strstr(name, ".h5.tmp-") != NULL &&
           stat(path, &info) == 0 && time(NULL) - info.st_mtime > LEFTOVER_SECONDS;
}

static void remove_leftovers(const char *directory)
{
    DIR *dir = opendir(directory);
    if (!dir) return;
    const struct dirent *entry;
    while ((entry = readdir(dir))) {
        char path[PATH_SIZE];
        const int length = snprintf(path, sizeof path, "%s/%s", directory, entry->d_name);
        if (length >= PATH_SIZE || !is_leftover(path, entry->d_name)) continue;
        if (unlink(path) == 0) ddpm_log_info("removed %s, left by a save that was killed", path);
    }
    closedir(dir);
}

static bool is_among(uint64_t step, const uint64_t *steps, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (steps[i] == step) return true;
    return false;
}

ddpm_status ddpm_checkpoint_prune(const char *directory, int64_t keep, int64_t keep_every,
                                  const uint64_t *also, size_t also_count)
{
    enum { VERIFIED_LEAST = 2 };
    assert(keep >= 0 && keep_every >= 0);
    uint64_t *steps = NULL;
    size_t count = 0;
    DDPM_TRY(ddpm_checkpoint_list(&steps, &count, directory));
    candidate *list = calloc(count + 1, sizeof *list);
    ddpm_status status = DDPM_OK;
    if (!list) {
        status = ddpm_fail(DDPM_EOS, "out of memory for %zu checkpoints", count);
        goto done;
    }
    size_t verified = 0;
    for (size_t i = 0; i < count; i++) {
        char path[PATH_SIZE];
        status = ddpm_train__checkpoint_path(path, sizeof path, directory, steps[i]);
        if (status != DDPM_OK) goto done;
        list[i].step = steps[i];
        list[i].keep = i < (size_t)keep || is_among(steps[i], also, also_count) ||
                       (keep_every > 0 && steps[i] % (uint64_t)keep_every == 0);
        /* From the newest down, as many are read as it takes to be sure of two. */
        if (verified < VERIFIED_LEAST && ddpm_sealed_verify(path, NULL) == DDPM_OK) {
            verified++;
            list[i].keep = true;
        }
    }
    if (verified >= VERIFIED_LEAST) status = remove_others(directory, list, count);
    remove_leftovers(directory);
done:
    free(list);
    free(steps);
    return status;
}
