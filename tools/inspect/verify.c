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
    ddpm_status worst; /* DDPM_EDATA, or of the first failure where no file was damaged */
} tally;

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

static void verify_file(tally *tally, const char *path)
{
    ddpm_checkpoint *checkpoint = NULL;
    const ddpm_status status = check_file(&checkpoint, path);
    if (status != DDPM_OK) {
        if (tally->bad++ == 0 || status == DDPM_EDATA) tally->worst = status;
        if (tally->options->json)
            json_array_append_new(tally->files,
                                  json_pack("{s:s, s:b, s:s}", "path", path, "valid", 0, "error",
                                            ddpm_status_message()));
        else
            printf("BAD  %s\n", ddpm_status_message());
    } else {
        const uint64_t step = ddpm_checkpoint_progress(checkpoint)->step;
        const char *digest = ddpm_checkpoint_digest(checkpoint);
        char count[32];
        if (tally->options->json)
            json_array_append_new(tally->files,
                                  json_pack("{s:s, s:b, s:I, s:s}", "path", path, "valid", 1,
                                            "step", (json_int_t)step, "sha256", digest));
        else
            printf("ok   %s  step %s  sha256:%.16s...\n", path, ddpm_text_count(count, step),
                   digest);
    }
    ddpm_checkpoint_close(checkpoint);
}

/* Of a directory every checkpoint, newest first. */
static ddpm_status verify_directory(tally *tally, const char *directory)
{
    uint64_t *steps = NULL;
    size_t count = 0;
    DDPM_TRY(ddpm_checkpoint_list(&steps, &count, directory));
    for (size_t i = 0; i < count; i++) {
        char name[64], path[INSPECT_PATH];
        ddpm_checkpoint_file_name(name, sizeof name, steps[i]);
        snprintf(path, sizeof path, "%s/%s", directory, name);
        verify_file(tally, path);
    }
    free(steps);
    if (count > 0) return DDPM_OK;
    return ddpm_fail(DDPM_ENOINPUT, "%s: no checkpoint (step-*.h5) there", directory);
}

static ddpm_status verify_argument(tally *tally, const char *argument)
{
    struct stat info;
    if (stat(argument, &info) != 0 || !S_ISDIR(info.st_mode)) {
        verify_file(tally, argument);
        return DDPM_OK;
    }
    char inside[INSPECT_PATH];
    snprintf(inside, sizeof inside, "%s/checkpoints", argument);
    const bool is_run = stat(inside, &info) == 0 && S_ISDIR(info.st_mode);
    return verify_directory(tally, is_run ? inside : argument);
}

int inspect_verify(const inspect_options *options)
{
    tally tally = { .options = options, .files = json_array(), .worst = DDPM_OK };
    for (size_t i = 0; i < options->path_count; i++) {
        const ddpm_status status = verify_argument(&tally, options->paths[i]);
        if (status != DDPM_OK) {
            json_decref(tally.files);
            return inspect_failed(options, status);
        }
    }
    int code = (int)tally.worst;
    if (options->json) {
        const int printed = inspect_print_json(
            json_pack("{s:b, s:o}", "valid", tally.bad == 0, "files", tally.files));
        if (printed != DDPM_OK) code = printed;
    } else
        json_decref(tally.files);
    return code;
}
