#include "checkpoint_format.h"
#include "checkpoint_table.h"
#include "ddpm/base/memory.h"
#include "ddpm/io/sealed_file.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct ddpm_checkpoint {
    void *image; /* of the file: what is parsed is what was verified */
    ddpm_h5 *file;
    ddpm_config config;
    ddpm_progress progress;
    ddpm_params params;
    size_t ema_count;
    double ema_decay[DDPM_EMA_MOST];
    char digest[DDPM_SHA256_HEX];
    char program[128];
};

static ddpm_status check_version(uint64_t *major, uint64_t *minor, ddpm_h5 *file)
{
    DDPM_TRY(ddpm_h5_attribute(file, "/", "format_major", DDPM_H5_U64, major, 1));
    DDPM_TRY(ddpm_h5_attribute(file, "/", "format_minor", DDPM_H5_U64, minor, 1));
    if (*major >= 1 && *major <= DDPM_CHECKPOINT_MAJOR) return DDPM_OK;
    return ddpm_fail(DDPM_EDATA,
                     "%s: checkpoint format %llu.%llu; this program reads up to %d.x: read it with "
                     "the version of ddpm-dist that wrote it, or a newer one",
                     ddpm_h5_name(file), (unsigned long long)*major, (unsigned long long)*minor,
                     DDPM_CHECKPOINT_MAJOR);
}

static ddpm_status check_format(char *program, size_t size, ddpm_h5 *file)
{
    const char *name = ddpm_h5_name(file);
    if (!ddpm_h5_has_attribute(file, "/", "format"))
        return ddpm_fail(DDPM_EDATA, "%s: intact, but not a checkpoint of ddpm-dist", name);
    char *format = NULL;
    DDPM_TRY(ddpm_h5_attribute_text(file, "/", "format", &format));
    const bool ours = strcmp(format, DDPM_CHECKPOINT_FORMAT) == 0;
    ddpm_status status = DDPM_OK;
    if (!ours)
        status = ddpm_fail(DDPM_EDATA, "%s: intact, but its format is \"%.64s\", not \"%s\"", name,
                           format, DDPM_CHECKPOINT_FORMAT);
    free(format);
    DDPM_TRY(status);

    uint64_t major, minor;
    DDPM_TRY(check_version(&major, &minor, file));
    char *by = NULL;
    DDPM_TRY(ddpm_h5_attribute_text(file, "/", "program", &by));
    snprintf(program, size, "%s (format %llu.%llu)", by, (unsigned long long)major,
             (unsigned long long)minor);
    free(by);
    return DDPM_OK;
}

static ddpm_status read_text(char *into, size_t size, ddpm_h5 *file, const char *name)
{
    char *text = NULL;
    DDPM_TRY(ddpm_h5_attribute_text(file, "/", name, &text));
    const size_t length = strlen(text);
    ddpm_status status = DDPM_OK;
    if (length < size)
        memcpy(into, text, length + 1);
    else
        status = ddpm_fail(DDPM_EDATA,
                           "%s: attribute %s has %zu characters; at most %zu are allowed",
                           ddpm_h5_name(file), name, length, size - 1);
    free(text);
    return status;
}

static ddpm_status read_field(ddpm_progress *progress, const ddpm_progress_field *field,
                              ddpm_h5 *file)
{
    void *value = (char *)progress + field->offset;
    if (field->optional && !ddpm_h5_has_attribute(file, "/", field->name)) return DDPM_OK;
    if (field->type == DDPM_FIELD_TEXT) return read_text(value, field->size, file, field->name);
    if (field->dataset) {
        char path[DDPM_CHECKPOINT_PATH];
        ddpm_train__tensor_path(path, "/progress", field->name);
        return ddpm_h5_read(file, path, field->type == DDPM_FIELD_F64 ? DDPM_H5_F64 : DDPM_H5_U64,
                            value, 1);
    }
    if (field->type != DDPM_FIELD_INT)
        return ddpm_h5_attribute(file, "/", field->name,
                                 field->type == DDPM_FIELD_F64 ? DDPM_H5_F64 : DDPM_H5_U64, value,
                                 1);
    int64_t whole;
    DDPM_TRY(ddpm_h5_attribute(file, "/", field->name, DDPM_H5_I64, &whole, 1));
    if (whole < 0 || whole > INT32_MAX)
        return ddpm_fail(DDPM_EDATA, "%s: attribute %s is %lld", ddpm_h5_name(file), field->name,
                         (long long)whole);
    *(int *)value = (int)whole;
    return DDPM_OK;
}

/* What a configuration of format 1.0 does not say, where that is not today's default. */
static void set_old_defaults(ddpm_config *config)
{
    strcpy(config->objective.timesteps, "uniform");
}

static ddpm_status read_config(ddpm_config *config, ddpm_h5 *file)
{
    char *text = NULL, name[DDPM_CONFIG_PATH];
    DDPM_TRY(ddpm_h5_read_text(file, "/config", &text));
    snprintf(name, sizeof name, "%s:/config", ddpm_h5_name(file));
    ddpm_config_init(config);
    set_old_defaults(config);
    const ddpm_status status = ddpm_config_parse(config, text, name);
    free(text);
    if (status != DDPM_ECONFIG) return status;
    /* It was a configuration when it was written, so a bad one is bad data. */
    return ddpm_fail(DDPM_EDATA, "%s", ddpm_status_message());
}

static ddpm_status read_rates(ddpm_checkpoint *checkpoint)
{
    uint64_t count;
    DDPM_TRY(ddpm_h5_attribute(checkpoint->file, "/", "ema_count", DDPM_H5_U64, &count, 1));
    if (count > DDPM_EMA_MOST)
        return ddpm_fail(DDPM_EDATA, "%s: says ema_count = %llu; at most %d are possible",
                         ddpm_h5_name(checkpoint->file), (unsigned long long)count, DDPM_EMA_MOST);
    checkpoint->ema_count = count;
    if (count == 0) return DDPM_OK;
    return ddpm_h5_attribute(checkpoint->file, "/", "ema_rates", DDPM_H5_F64, checkpoint->ema_decay,
                             count);
}

static ddpm_status read_image(ddpm_checkpoint *checkpoint, const char *path)
{
    void *image = NULL;
    size_t bytes = 0;
    unsigned char digest[DDPM_SHA256_BYTES];
    DDPM_TRY(ddpm_sealed_read(&image, &bytes, path, ddpm_memory_limit_bytes()));
    ddpm_sealed_digest(digest, image);
    ddpm_hex(checkpoint->digest, digest, sizeof digest);
    checkpoint->image = image;
    return ddpm_h5_open_image(&checkpoint->file, image, bytes, path);
}

ddpm_status ddpm_checkpoint_open(ddpm_checkpoint **out, const char *path)
{
    ddpm_checkpoint *checkpoint = calloc(1, sizeof *checkpoint);
    if (!checkpoint) return ddpm_fail(DDPM_EOS, "out of memory for a checkpoint");
    ddpm_status status = read_image(checkpoint, path);
    if (status != DDPM_OK) goto done;
    status = check_format(checkpoint->program, sizeof checkpoint->program, checkpoint->file);
    if (status != DDPM_OK) goto done;
    for (size_t i = 0; i < ddpm_train__progress_field_count; i++) {
        status = read_field(&checkpoint->progress, &ddpm_train__progress_fields[i],
                            checkpoint->file);
        if (status != DDPM_OK) goto done;
    }
    status = read_config(&checkpoint->config, checkpoint->file);
    if (status != DDPM_OK) goto done;
    status = read_rates(checkpoint);
    if (status != DDPM_OK) goto done;
    status = ddpm_train__table_read(&checkpoint->params, checkpoint->file);
done:
    if (status == DDPM_OK)
        *out = checkpoint;
    else
        ddpm_checkpoint_close(checkpoint);
    return status;
}

void ddpm_checkpoint_close(ddpm_checkpoint *checkpoint)
{
    if (!checkpoint) return;
    ddpm_h5_close(checkpoint->file);
    free(checkpoint->image);
    free(checkpoint->params.param);
    free(checkpoint);
}

const ddpm_config *ddpm_checkpoint_config(const ddpm_checkpoint *checkpoint)
{
    return &checkpoint->config;
}

const ddpm_progress *ddpm_checkpoint_progress(const ddpm_checkpoint *checkpoint)
{
    return &checkpoint->progress;
}

const ddpm_params *ddpm_checkpoint_params(const ddpm_checkpoint *checkpoint)
{
    return &checkpoint->params;
}

const char *ddpm_checkpoint_digest(const ddpm_checkpoint *checkpoint)
{
    return checkpoint->digest;
}

const char *ddpm_checkpoint_program(const ddpm_checkpoint *checkpoint)
{
    return checkpoint->program;
}

size_t ddpm_checkpoint_ema_count(const ddpm_checkpoint *checkpoint)
{
    return checkpoint->ema_count;
}

double ddpm_checkpoint_ema_decay(const ddpm_checkpoint *checkpoint, size_t i)
{
    assert(i < checkpoint->ema_count);
    return checkpoint->ema_decay[i];
}

ddpm_h5 *ddpm_train__checkpoint_file(ddpm_checkpoint *checkpoint)
{
    return checkpoint->file;
}
