#include "checkpoint_format.h"
#include "ddpm/base/clock.h"
#include "ddpm/diffusion/timesteps.h"
#include "ddpm/io/sealed_file.h"

#include <math.h>
#include <stdlib.h>

static ddpm_status write_field(ddpm_h5 *file, const ddpm_progress_field *field,
                               const ddpm_progress *progress)
{
    const void *value = (const char *)progress + field->offset;
    if (field->type == DDPM_FIELD_TEXT)
        return ddpm_h5_set_attribute_text(file, "/", field->name, value);

    int64_t whole;
    ddpm_h5_type type = field->type == DDPM_FIELD_F64 ? DDPM_H5_F64 : DDPM_H5_U64;
    if (field->type == DDPM_FIELD_INT) {
        whole = *(const int *)value;
        type = DDPM_H5_I64;
        value = &whole;
    }
    if (field->dataset) {
        char path[DDPM_CHECKPOINT_PATH];
        ddpm_train__tensor_path(path, "/progress", field->name);
        DDPM_TRY(ddpm_h5_write(file, path, type, value, 0, NULL));
    }
    return field->attribute ? ddpm_h5_set_attribute(file, "/", field->name, type, value, 1)
                            : DDPM_OK;
}

static ddpm_status write_number(ddpm_h5 *file, const char *name, uint64_t value)
{
    return ddpm_h5_set_attribute(file, "/", name, DDPM_H5_U64, &value, 1);
}

static ddpm_status write_description(ddpm_h5 *file, const ddpm_params *params,
                                     const ddpm_state *state, const ddpm_progress *progress)
{
    DDPM_TRY(ddpm_h5_set_attribute_text(file, "/", "format", DDPM_CHECKPOINT_FORMAT));
    DDPM_TRY(write_number(file, "format_major", DDPM_CHECKPOINT_MAJOR));
    DDPM_TRY(write_number(file, "format_minor", DDPM_CHECKPOINT_MINOR));
    DDPM_TRY(ddpm_h5_set_attribute_text(file, "/", "program", "ddpm-dist " DDPM_VERSION));
    DDPM_TRY(write_number(file, "parameters", params->parameters));
    DDPM_TRY(write_number(file, "tensors", params->count));
    DDPM_TRY(write_number(file, "flat_length", params->total));
    DDPM_TRY(write_number(file, "ema_count", state->ema_count));
    if (state->ema_count > 0)
        DDPM_TRY(ddpm_h5_set_attribute(file, "/", "ema_rates", DDPM_H5_F64, state->ema_decay,
                                       state->ema_count));
    for (size_t i = 0; i < ddpm_train__progress_field_count; i++)
        DDPM_TRY(write_field(file, &ddpm_train__progress_fields[i], progress));
    return DDPM_OK;
}

static ddpm_status write_config(ddpm_h5 *file, const ddpm_config *config)
{
    char *text = ddpm_config_text(config);
    if (!text) return ddpm_fail(DDPM_EOS, "out of memory for the text of the configuration");
    const ddpm_status status = ddpm_h5_write_text(file, "/config", text);
    free(text);
    return status;
}

/* A checkpoint is what a run falls back to, so nothing gets in that could not be trained from. */
static ddpm_status check_finite(const float *x, const ddpm_param *param, const char *group)
{
    for (size_t i = 0; i < param->count; i++)
        if (!isfinite(x[i]))
            return ddpm_fail(DDPM_EDATA, "%s of tensor %s is %g at element %zu: not saved",
                             group + 1, param->name, (double)x[i], i);
    return DDPM_OK;
}

static ddpm_status write_part(ddpm_h5 *file, const ddpm_params *params, const float *flat,
                              ddpm_checkpoint_part part, double decay)
{
    char group[DDPM_CHECKPOINT_GROUP], path[DDPM_CHECKPOINT_PATH];
    ddpm_train__part_group(group, part, decay);
    for (size_t i = 0; i < params->count; i++) {
        const ddpm_param *param = &params->param[i];
        DDPM_TRY(check_finite(flat + param->offset, param, group));
        ddpm_train__tensor_path(path, group, param->name);
        DDPM_TRY(ddpm_h5_write(file, path, DDPM_H5_F32, flat + param->offset, param->rank,
                               param->shape));
        DDPM_TRY(ddpm_h5_set_attribute_text(file, path, "layout", ddpm_layout_name(param->layout)));
        if (part != DDPM_PART_MODEL) continue;
        const uint64_t offset = param->offset, is_conv1x1 = param->is_conv1x1;
        DDPM_TRY(ddpm_h5_set_attribute(file, path, "offset", DDPM_H5_U64, &offset, 1));
        DDPM_TRY(ddpm_h5_set_attribute(file, path, "conv1x1", DDPM_H5_U64, &is_conv1x1, 1));
    }
    return DDPM_OK;
}

ddpm_status ddpm_train__checkpoint_fill(ddpm_h5 *file, const ddpm_config *config,
                                        const ddpm_params *params, const ddpm_state *state,
                                        const ddpm_progress *progress)
{
    DDPM_TRY(write_description(file, params, state, progress));
    DDPM_TRY(write_config(file, config));
    DDPM_TRY(write_part(file, params, state->weights, DDPM_PART_MODEL, 0.0));
    for (size_t i = 0; i < state->ema_count; i++)
        DDPM_TRY(write_part(file, params, state->ema[i], DDPM_PART_EMA, state->ema_decay[i]));
    if (state->importance_floats > 0) { /* NaN stands for what was not yet drawn */
        const size_t shape[2] = { state->importance_floats / DDPM_IMPORTANCE_HISTORY,
                                  DDPM_IMPORTANCE_HISTORY };
        DDPM_TRY(ddpm_h5_write(file, DDPM_CHECKPOINT_IMPORTANCE, DDPM_H5_F32, state->importance, 2,
                               shape));
    }
    DDPM_TRY(write_part(file, params, state->m, DDPM_PART_M, 0.0));
    return write_part(file, params, state->v, DDPM_PART_V, 0.0);
}

ddpm_status ddpm_checkpoint_write(const char *path, const ddpm_config *config,
                                  const ddpm_params *params, const ddpm_state *state,
                                  const ddpm_progress *progress)
{
    ddpm_progress dated = *progress;
    if (dated.created[0] == '\0') ddpm_clock_utc(dated.created, sizeof dated.created);
    ddpm_h5 *file = NULL;
    void *image = NULL;
    size_t bytes = 0;
    DDPM_TRY(ddpm_h5_create_image(&file, path));
    ddpm_status status = ddpm_train__checkpoint_fill(file, config, params, state, &dated);
    if (status == DDPM_OK) status = ddpm_h5_image(file, &image, &bytes);
    ddpm_h5_close(file);
    if (status == DDPM_OK) status = ddpm_sealed_write(path, image, bytes);
    free(image);
    return status;
}

uint64_t ddpm_checkpoint_bytes(const ddpm_params *params, size_t ema_count)
{
    /* Measured: what HDF5 spends on a tensor's header and attributes, and on the file. */
    const uint64_t per_tensor_bytes = 384, per_file_bytes = 16384;
    const uint64_t parts = 3 + ema_count;
    return per_file_bytes +
           parts * (params->parameters * sizeof(float) + params->count * per_tensor_bytes);
}
