#include "ddpm/base/log.h"
#include "ddpm/base/memory.h"
#include "ddpm/base/text.h"
#include "inspect.h"

#include <stdio.h>
#include <string.h>

size_t inspect_parts(inspect_part parts[INSPECT_PARTS], const ddpm_checkpoint *checkpoint)
{
    size_t count = 0;
    parts[count++] = (inspect_part){ DDPM_PART_MODEL, 0, "model" };
    for (size_t i = 0; i < ddpm_checkpoint_ema_count(checkpoint); i++) {
        char rate[32];
        inspect_part *part = &parts[count++];
        *part = (inspect_part){ DDPM_PART_EMA, i, "" };
        snprintf(part->label, sizeof part->label, "ema/%s",
                 ddpm_text_real(rate, ddpm_checkpoint_ema_decay(checkpoint, i)));
    }
    parts[count++] = (inspect_part){ DDPM_PART_M, 0, "optimizer/m" };
    parts[count++] = (inspect_part){ DDPM_PART_V, 0, "optimizer/v" };
    return count;
}

static ddpm_status no_such_part(const inspect_part *parts, size_t count, const char *wanted)
{
    char list[512] = "";
    for (size_t i = 0; i < count; i++)
        snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s", i ? ", " : "",
                 parts[i].label);
    return ddpm_fail(DDPM_EUSAGE, "the checkpoint has no part %s; it has %s", wanted, list);
}

ddpm_status inspect_find_part(inspect_part *out, const ddpm_checkpoint *checkpoint,
                              const char *part, const char *rate)
{
    static const struct {
        const char *name;
        ddpm_checkpoint_part part;
    } names[] = { { "model", DDPM_PART_MODEL },
                  { "ema", DDPM_PART_EMA },
                  { "m", DDPM_PART_M },
                  { "v", DDPM_PART_V } };
    if (!part) part = rate ? "ema" : "model";
    if (rate && strcmp(part, "ema") != 0)
        return ddpm_fail(DDPM_EUSAGE, "--rate is for --part ema, not for --part %s", part);
    double wanted_rate = 0.0;
    if (rate && !ddpm_text_double(&wanted_rate, rate, 0.0, 1.0))
        return ddpm_fail(DDPM_EUSAGE, "--rate %s is not a number from 0 to 1", rate);

    inspect_part parts[INSPECT_PARTS];
    const size_t count = inspect_parts(parts, checkpoint);
    for (size_t n = 0; n < sizeof names / sizeof *names; n++) {
        if (strcmp(names[n].name, part) != 0) continue;
        for (size_t i = 0; i < count; i++) {
            if (parts[i].part != names[n].part) continue;
            if (rate && ddpm_checkpoint_ema_decay(checkpoint, parts[i].ema_index) != wanted_rate)
                continue;
            *out = parts[i];
            return DDPM_OK;
        }
    }
    char wanted[64];
    snprintf(wanted, sizeof wanted, "%.24s%s%.24s", part, rate ? "/" : "", rate ? rate : "");
    return no_such_part(parts, count, wanted);
}

ddpm_status inspect_open(ddpm_checkpoint **out, char path[INSPECT_PATH], const char *argument)
{
    DDPM_TRY(ddpm_checkpoint_find(path, INSPECT_PATH, argument));
    return ddpm_checkpoint_open(out, path);
}

ddpm_status inspect_load(float **flat, ddpm_checkpoint *checkpoint, const inspect_part *part)
{
    const ddpm_params *params = ddpm_checkpoint_params(checkpoint);
    DDPM_TRY(ddpm_memory_alloc(flat, params->total, sizeof **flat, DDPM_MEMORY_CHECKPOINT));
    const ddpm_status status = ddpm_checkpoint_read(checkpoint, *flat, params, part->part,
                                                    part->ema_index);
    if (status == DDPM_OK) return DDPM_OK;
    ddpm_memory_free(*flat);
    *flat = NULL;
    return status;
}

int inspect_failed(const inspect_options *options, ddpm_status status)
{
    if (options->json) {
        json_t *json = json_object();
        if (status != DDPM_EUSAGE) json_object_set_new(json, "valid", json_false());
        json_object_set_new(json, "error", json_string(ddpm_status_message()));
        inspect_print_json(json);
    }
    return ddpm_log_failure(status);
}

const char *inspect_shape(char text[96], const ddpm_param *param)
{
    size_t used = 0;
    for (size_t i = 0; i < param->rank; i++)
        used += (size_t)snprintf(text + used, 96 - used, "%s%zu", i ? "x" : "", param->shape[i]);
    return text;
}
