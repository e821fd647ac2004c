#include "ddpm/base/log.h"
#include "ddpm/base/memory.h"
#include "ddpm/base/text.h"
#include "inspect.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef struct {
    const inspect_options *options;
    json_t *files;
    size_t bad;
    char error[1024];  /* of the first bad file */
    ddpm_status worst; /* DDPM_EDATA, or of the first failure where no file was damaged */
} verdict;

/* The seal, the description, and every tensor of every part against the table. */
static ddpm_status check_file(ddpm_checkpoint **out, const char *path)
{
    DDPM_TRY(ddpm_checkpoint_open(out, path));
    inspect_part parts[INSPECT_PARTS];
    const size_t count = inspect_parts(parts, *out);
    for (size_t i = 0; i < count; i++) {
        float *flat = NULL;
        DDPM_TRY(inspect_load(&flat, *out, &parts[i]));
        ddpm_memory_free(flat);
    }
    return DDPM_OK;
}

static void verify_file(verdict *to, const char *path)
{
    ddpm_checkpoint *checkpoint = NULL;
    const ddpm_status status = check_file(&checkpoint, path);
    if (status != DDPM_OK) {
        if (to->bad == 0) snprintf(to->error, sizeof to->error, "%s", ddpm_status_message());
        if (to->bad++ == 0 || status == DDPM_EDATA) to->worst = status;
        if (to->options->json)
            json_array_append_new(to->files, json_pack("{s:s, s:b, s:s}", "path", path, "valid", 0,
                                                       "error", ddpm_status_message()));
        else
            printf("BAD  %s\n", ddpm_status_message());
    } else {
        const uint64_t step = ddpm_checkpoint_progress(checkpoint)->step;
        const char *digest = ddpm_checkpoint_digest(checkpoint);
        char count[32];
        if (to->options->json)
            json_array_append_new(to->files,
                                  json_pack("{s:s, s:b, s:I, s:s}", "path", path, "valid", 1,
                                            "step", (json_int_t)step, "sha256", digest));
        else
            printf("ok   %s  step %s  sha256:%.16s...\n", path, ddpm_text_count(count, step),
                   digest);
    }
    ddpm_checkpoint_close(checkpoint);
}

/* Of a directory every checkpoint, newest first. */
static ddpm_status verify_directory(verdict *to, const char *directory)
{
    uint64_t *steps = NULL;
    size_t count = 0;
    DDPM_TRY(ddpm_checkpoint_list(&steps, &count, directory));
    for (size_t i = 0; i < count; i++) {
        char name[64], path[INSPECT_PATH];
        ddpm_checkpoint_file_name(name, sizeof name, steps[i]);
        snprintf(path, sizeof path, "%s/%s", directory, name);
        verify_file(to, path);
    }
    free(steps);
    if (count > 0) return DDPM_OK;
    return ddpm_fail(DDPM_ENOINPUT, "%s: no checkpoint (step-*.h5) there", directory);
}

static ddpm_status verify_argument(verdict *to, const char *argument)
{
    struct stat info;
    if (stat(argument, &info) != 0 || !S_ISDIR(info.st_mode)) {
        verify_file(to, argument);
        return DDPM_OK;
    }
    char inside[INSPECT_PATH];
    snprintf(inside, sizeof inside, "%s/checkpoints", argument);
    const bool is_run = stat(inside, &info) == 0 && S_ISDIR(info.st_mode);
    return verify_directory(to, is_run ? inside : argument);
}

int inspect_verify(const inspect_options *options)
{
    verdict all = { .options = options, .files = json_array(), .worst = DDPM_OK };
    for (size_t i = 0; i < options->path_count; i++) {
        const ddpm_status status = verify_argument(&all, options->paths[i]);
        if (status != DDPM_OK) {
            json_decref(all.files);
            return inspect_failed(options, status);
        }
    }
    int code = (int)all.worst;
    if (options->json) {
        json_t *json = json_pack("{s:b, s:o}", "valid", all.bad == 0, "files", all.files);
        if (all.bad > 0) json_object_set_new(json, "error", json_string(all.error));
        const int printed = inspect_print_json(json);
        if (printed != DDPM_OK) code = printed;
    } else
        json_decref(all.files);
    return code;
}
