/* Where it is kept what is done of an evaluation. Another program version, instruction set or BLAS
 * comes to other last bits: what it did has a file of its own, and is not mixed in. */
#include "bpd.h"

#include "ddpm/base/log.h"
#include "ddpm/base/path.h"
#include "ddpm/io/sealed_file.h"

#include <dirent.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char suffix[] = ".parts.jsonl", by[] = "\nkernels ";

/* eval/ in the directory of the run that the checkpoint belongs to, or beside it. */
static ddpm_status default_directory(char directory[EVAL_PATH], const char *checkpoint)
{
    char path[EVAL_PATH], name[EVAL_PATH];
    DDPM_TRY(ddpm_path_print(path, sizeof path, "%s", checkpoint));
    const char *parent = dirname(path);
    snprintf(name, sizeof name, "%s", parent);
    if (strcmp(basename(name), "checkpoints") == 0) parent = dirname(path);
    return ddpm_path_print(directory, EVAL_PATH, "%s/eval", parent);
}

/* What made the parts in a file, by the identity in its first line. */
static void tell_of(const char *path)
{
    char line[4096];
    FILE *file = fopen(path, "r");
    const bool some = file && fgets(line, sizeof line, file);
    if (file) fclose(file);
    json_t *json = some ? json_loads(line, 0, NULL) : NULL;
    const char *identity = json_string_value(json_object_get(json, "identity"));
    const char *kernels = identity ? strstr(identity, by) : NULL;
    ddpm_log_info("%s is by '%s' and not used: this is '%s', whose last bits may differ", path,
                  kernels ? kernels + strlen(by) : "an earlier version", eval_kernels());
    json_decref(json);
}

/* Files with parts of the same evaluation, where there is none of ours yet. */
static void tell_of_others(const bpd_job *job)
{
    char prefix[8 + EVAL_KEY], path[EVAL_PATH + 300];
    DIR *directory = opendir(job->directory);
    if (!directory) return;
    snprintf(prefix, sizeof prefix, "bpd-%s", job->key);
    for (const struct dirent *entry; (entry = readdir(directory));) {
        const size_t length = strlen(entry->d_name), tail = strlen(suffix);
        if (length < tail || strncmp(entry->d_name, prefix, strlen(prefix)) != 0 ||
            strcmp(entry->d_name + length - tail, suffix) != 0)
            continue;
        snprintf(path, sizeof path, "%s/%s", job->directory, entry->d_name);
        tell_of(path);
    }
    closedir(directory);
}

ddpm_status bpd_open_parts(bpd_job *job)
{
    char path[EVAL_PATH + 64], key[EVAL_KEY], identity[sizeof job->identity + 300];
    if (job->arguments->common.directory)
        DDPM_TRY(ddpm_path_print(job->directory, sizeof job->directory, "%s",
                                 job->arguments->common.directory));
    else
        DDPM_TRY(default_directory(job->directory, job->source.path));
    DDPM_TRY(ddpm_make_directory(job->directory));
    eval_key(key, eval_kernels());
    snprintf(path, sizeof path, "%s/bpd-%s-%.8s%s", job->directory, job->key, key, suffix);
    snprintf(identity, sizeof identity, "%s%s%s", job->identity, by, eval_kernels());
    if (access(path, F_OK) != 0) tell_of_others(job);
    return ddpm_eval_parts_open(&job->parts, path, identity, job->units,
                                ddpm_bpd_unit_values(&job->options));
}
