#include "run_dir.h"

#include "ddpm/base/clock.h"
#include "ddpm/base/log.h"
#include "ddpm/io/sealed_file.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const char run_id_line[] = "# run ";

static void join(char out[DDPM_RUN_PATH], const char *directory, const char *name)
{
    snprintf(out, DDPM_RUN_PATH, "%s/%s", directory, name);
}

static bool exists(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0;
}

static void new_run_id(char id[40])
{
    unsigned char bytes[16];
    if (getrandom(bytes, sizeof bytes, 0) != sizeof bytes) {
        const uint64_t parts[2] = { ddpm_clock_ns(), (uint64_t)getpid() };
        memcpy(bytes, parts, sizeof bytes);
    }
    ddpm_hex(id, bytes, sizeof bytes);
}

/* The identity in the first line of config.ini; "" where there is none: any checkpoint is right. */
static void read_run_id(char id[40], const char *config)
{
    id[0] = 0;
    FILE *file = fopen(config, "r");
    if (!file) return;
    char line[128] = "";
    if (fgets(line, sizeof line, file) && strncmp(line, run_id_line, sizeof run_id_line - 1) == 0) {
        const char *text = line + sizeof run_id_line - 1;
        snprintf(id, 40, "%.*s", (int)strspn(text, "0123456789abcdef"), text);
    }
    fclose(file);
}

static ddpm_status make(ddpm_run_dir *dir)
{
    DDPM_TRY(ddpm_make_directory(dir->path));
    DDPM_TRY(ddpm_train__lock(&dir->lock, dir->path));
    DDPM_TRY(ddpm_make_directory(dir->checkpoints));
    return ddpm_make_directory(dir->samples);
}

/* An old run is never written over: it goes aside under its own name and the time. Its lock is held
 * meanwhile, so that no job works in it. */
static ddpm_status set_aside(const ddpm_run_dir *dir)
{
    char old[DDPM_RUN_PATH], stamp[32];
    const time_t now = time(NULL);
    struct tm utc;
    gmtime_r(&now, &utc);
    strftime(stamp, sizeof stamp, "%Y%m%dT%H%M%SZ", &utc);
    snprintf(old, sizeof old, "%s.old-%s", dir->path, stamp);
    for (int i = 2; exists(old) && i < 100; i++) /* two within a second */
        snprintf(old, sizeof old, "%s.old-%s-%d", dir->path, stamp, i);
    ddpm_run_lock *lock;
    DDPM_TRY(ddpm_train__lock(&lock, dir->path));
    ddpm_status status = DDPM_OK;
    if (exists(old))
        status = ddpm_fail(DDPM_ECREATE, "%s exists already", old);
    else if (rename(dir->path, old) != 0)
        status = ddpm_fail(DDPM_ECREATE, "cannot rename the old run %s to %s: %s", dir->path, old,
                           strerror(errno));
    else
        ddpm_log_info("the run that was in %s is now %s", dir->path, old);
    ddpm_train__unlock(lock);
    return status;
}

static ddpm_status find_checkpoint(ddpm_run_dir *dir, char *checkpoint, size_t size,
                                   ddpm_start start)
{
    read_run_id(dir->run_id, dir->config);
    ddpm_status status = ddpm_checkpoint_newest(checkpoint, size, dir->checkpoints, dir->run_id);
    if (status == DDPM_OK) return DDPM_OK;
    checkpoint[0] = 0;
    if (status == DDPM_ENOINPUT && start == DDPM_START_RESUME)
        return ddpm_fail(DDPM_ENOINPUT,
                         "%s has no checkpoint to resume from: leave out --resume to begin",
                         dir->path);
    if (status == DDPM_EDATA)
        return ddpm_fail_within(status, "cannot resume (--fresh sets this run aside and begins "
                                        "anew)");
    return status == DDPM_ENOINPUT ? DDPM_OK : status;
}

ddpm_status ddpm_train__run_dir_open(ddpm_run_dir *dir, char *checkpoint, size_t size,
                                     const char *path, ddpm_start start)
{
    *dir = (ddpm_run_dir){ .lock = NULL };
    checkpoint[0] = 0;
    if (strlen(path) >= sizeof dir->path)
        return ddpm_fail(DDPM_EUSAGE, "the path of the run directory is longer than %zu characters",
                         sizeof dir->path - 1);
    snprintf(dir->path, sizeof dir->path, "%s", path);
    for (size_t end = strlen(dir->path); end > 1 && dir->path[end - 1] == '/'; end--)
        dir->path[end - 1] = 0;
    join(dir->checkpoints, dir->path, "checkpoints");
    join(dir->samples, dir->path, "samples");
    join(dir->config, dir->path, "config.ini");
    join(dir->metrics, dir->path, "metrics.jsonl");
    join(dir->done, dir->path, "done");
    if (start == DDPM_START_RESUME && !exists(dir->checkpoints))
        return ddpm_fail(DDPM_ENOINPUT, "%s is no run directory: there is nothing to resume",
                         dir->path);
    if (start == DDPM_START_FRESH && (exists(dir->config) || exists(dir->checkpoints)))
        DDPM_TRY(set_aside(dir));
    ddpm_status status = make(dir);
    if (status == DDPM_OK) status = find_checkpoint(dir, checkpoint, size, start);
    if (status == DDPM_OK && !*checkpoint) new_run_id(dir->run_id);
    if (status != DDPM_OK) ddpm_train__run_dir_close(dir);
    return status;
}

void ddpm_train__run_dir_close(ddpm_run_dir *dir)
{
    ddpm_train__unlock(dir->lock);
    dir->lock = NULL;
}

ddpm_status ddpm_train__run_dir_write_config(const ddpm_run_dir *dir, const ddpm_config *config)
{
    char *text = ddpm_config_text(config), *whole = NULL;
    int length = -1;
    if (text)
        length = asprintf(&whole, "%s%s\n# The configuration of this run, complete.\n%s",
                          run_id_line, dir->run_id, text);
    free(text);
    if (length < 0) return ddpm_fail(DDPM_EOS, "no memory for the text of the configuration");
    const ddpm_status status = ddpm_publish_file(dir->config, whole, (size_t)length);
    free(whole);
    return status;
}

ddpm_status ddpm_train__run_dir_write_done(const ddpm_run_dir *dir, const ddpm_progress *progress,
                                           const char *reason, const char *checkpoint)
{
    char time[32];
    ddpm_clock_utc(time, sizeof time);
    json_t *json = json_pack("{s:s, s:I, s:I, s:I, s:f, s:s, s:s, s:s}", "reason", reason, "step",
                             (json_int_t)progress->step, "images_seen",
                             (json_int_t)progress->images_seen, "skipped_steps",
                             (json_int_t)progress->skipped_steps, "train_seconds",
                             progress->train_seconds, "run_id", progress->run_id, "checkpoint",
                             checkpoint, "time", time);
    if (json && isfinite(progress->loss))
        json_object_set_new(json, "loss", json_real(progress->loss));
    if (json && progress->best.step > 0)
        json_object_set_new(json, "best",
                            json_pack("{s:I, s:f, s:s}", "step", (json_int_t)progress->best.step,
                                      "value", progress->best.value, "by", progress->best.by));
    char *text = json ? json_dumps(json, JSON_INDENT(2)) : NULL;
    json_decref(json);
    if (!text) return ddpm_fail(DDPM_EOS, "no memory for %s", dir->done);
    const ddpm_status status = ddpm_publish_file(dir->done, text, strlen(text));
    free(text);
    return status;
}

void ddpm_train__run_dir_remove_done(const ddpm_run_dir *dir)
{
    if (unlink(dir->done) != 0 && errno != ENOENT)
        ddpm_log_warning("cannot remove %s: %s", dir->done, strerror(errno));
}
