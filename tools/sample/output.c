#include "output.h"

#include "ddpm/base/memory.h"

#include <assert.h>
#include <errno.h>
#include <libgen.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

ddpm_status sample_output_check(const char *path)
{
    char *copy = strdup(path);
    if (!copy) return ddpm_fail(DDPM_EOS, "out of memory");
    const char *directory = dirname(copy);
    struct stat info;
    ddpm_status status = DDPM_OK;
    if (stat(directory, &info) != 0)
        status = ddpm_fail(DDPM_ECREATE, "-o %s: %s: %s; make the directory first", path, directory,
                           strerror(errno));
    else if (!S_ISDIR(info.st_mode))
        status = ddpm_fail(DDPM_ECREATE, "-o %s: %s is not a directory", path, directory);
    else if (access(directory, W_OK | X_OK) != 0)
        status = ddpm_fail(DDPM_ECREATE, "-o %s: cannot write in %s: %s", path, directory,
                           strerror(errno));
    else if (stat(path, &info) == 0 && S_ISDIR(info.st_mode))
        status = ddpm_fail(DDPM_ECREATE, "-o %s is a directory", path);
    free(copy);
    return status;
}

static ddpm_status write_notes(ddpm_dataset_writer *writer, json_t *origin)
{
    const char *name;
    json_t *value;
    json_object_foreach(origin, name, value)
    {
        if (json_is_string(value))
            DDPM_TRY(ddpm_dataset_writer_set_text(writer, name, json_string_value(value)));
        else
            DDPM_TRY(ddpm_dataset_writer_set_number(writer, name, json_number_value(value)));
    }
    return DDPM_OK;
}

ddpm_status sample_output_create(sample_output *output, const char *path, ddpm_shape shape,
                                 bool as_bytes, size_t item, size_t most, json_t *origin)
{
    *output = (sample_output){ .as_bytes = as_bytes,
                               .image_values = shape.h * shape.w * shape.c,
                               .item = item,
                               .most = most * item };
    ddpm_dataset_info info = { .shape = shape,
                               .is_float = !as_bytes,
                               .range_min = as_bytes ? 0.0f : -1.0f,
                               .range_max = as_bytes ? 255.0f : 1.0f };
    snprintf(info.name, sizeof info.name, "samples");
    snprintf(info.source, sizeof info.source, "ddpm-sample: %s",
             json_string_value(json_object_get(origin, "checkpoint")));
    if (as_bytes)
        DDPM_TRY(ddpm_memory_alloc(&output->bytes, output->most, output->image_values,
                                   DDPM_MEMORY_DATA));
    DDPM_TRY(ddpm_dataset_writer_create(&output->writer, path, &info));
    return write_notes(output->writer, origin);
}

/* The inverse of x = v / 127.5 - 1, to the nearest. */
static uint8_t byte_of(float x)
{
    const double v = ((double)x + 1.0) * 127.5;
    return (uint8_t)lround(fmin(fmax(v, 0.0), 255.0));
}

ddpm_status sample_output_append(const float *images, size_t first, size_t count, void *context)
{
    sample_output *output = context;
    (void)first;
    count *= output->item;
    assert(count <= output->most);
    if (!output->as_bytes) return ddpm_dataset_writer_append(output->writer, images, NULL, count);
    for (size_t i = 0; i < count * output->image_values; i++) output->bytes[i] = byte_of(images[i]);
    return ddpm_dataset_writer_append(output->writer, output->bytes, NULL, count);
}

ddpm_status sample_output_finish(sample_output *output)
{
    ddpm_dataset_writer *writer = output->writer;
    output->writer = NULL;
    return ddpm_dataset_writer_finish(writer);
}

void sample_output_free(sample_output *output)
{
    ddpm_dataset_writer_free(output->writer);
    ddpm_memory_free(output->bytes);
    *output = (sample_output){ 0 };
}
