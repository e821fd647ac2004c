#include "output.h"

#include "ddpm/base/memory.h"
#include "ddpm/base/text.h"
#include "ddpm/io/sealed_file.h"
#include "describe.h"
#include "input.h"

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

static bool is_same_file(const char *a, const char *b)
{
    struct stat one, other;
    return stat(a, &one) == 0 && stat(b, &other) == 0 && one.st_dev == other.st_dev &&
           one.st_ino == other.st_ino;
}

static ddpm_status spare(const char *output, const char *input, const char *what)
{
    if (!input || !is_same_file(output, input)) return DDPM_OK;
    return ddpm_fail(DDPM_ECREATE, "-o %s is %s: name another file", output, what);
}

ddpm_status sample_output_spare_inputs(const sample_job *job)
{
    const sample_arguments *arguments = job->arguments;
    const char *output = arguments->output;
    DDPM_TRY(spare(output, job->source.path, "the checkpoint that is drawn from"));
    DDPM_TRY(spare(output, arguments->init_noise, "what --init-noise reads"));
    DDPM_TRY(spare(output, arguments->mask, "what --mask reads"));
    for (size_t i = 0; i < arguments->image_count; i++) {
        char path[SAMPLE_PATH], what[64];
        DDPM_TRY(sample_input_path(path, arguments->images[i]));
        snprintf(what, sizeof what, "what --%s reads", job->mode->name);
        DDPM_TRY(spare(output, path, what));
    }
    if (!ddpm_sealed_is(output)) return DDPM_OK;
    return ddpm_fail(
        DDPM_ECREATE,
        "-o %s is a sealed file, such as a checkpoint, and would be lost: name another "
        "file",
        output);
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

/* The class of an image is told where it is known and had a say: of plain images that are all of
 * one. */
static bool knows_labels(const sample_job *job)
{
    const ddpm_sample_options *options = &job->options;
    if (job->mode != &sample_plain || job->unet.classes == 0 || options->guidance <= 0.0)
        return false;
    for (size_t i = 0; i < options->class_count; i++)
        if ((size_t)options->class_of_image[i] >= job->unet.classes) return false;
    return true;
}

static void describe_set(ddpm_dataset_info *info, const sample_output *output)
{
    const sample_job *job = output->job;
    const bool as_bytes = job->arguments->as_bytes;
    char source[SAMPLE_PATH + 32];
    *info = (ddpm_dataset_info){ .shape = sample_image_shape(job),
                                 .is_float = !as_bytes,
                                 .has_labels = output->labels != NULL,
                                 .range_min = as_bytes ? 0.0f : -1.0f,
                                 .range_max = as_bytes ? 255.0f : 1.0f };
    snprintf(info->name, sizeof info->name, "samples");
    snprintf(source, sizeof source, "ddpm-sample: %s", job->source.path);
    ddpm_text_utf8(info->source, sizeof info->source, source);
}

static ddpm_status allocate(sample_output *output)
{
    if (output->job->arguments->as_bytes)
        DDPM_TRY(ddpm_memory_alloc(&output->bytes, output->most, sample_image_floats(output->job),
                                   DDPM_MEMORY_DATA));
    if (!knows_labels(output->job)) return DDPM_OK;
    return ddpm_memory_alloc(&output->labels, output->most, sizeof *output->labels,
                             DDPM_MEMORY_DATA);
}

ddpm_status sample_output_create(sample_output *output, const sample_job *job, size_t most)
{
    const size_t item = job->drawing.frames ? job->drawing.frames : 1;
    ddpm_dataset_info info;
    json_t *origin = NULL;
    *output = (sample_output){ .job = job, .item = item, .most = most * item };
    DDPM_TRY(allocate(output));
    describe_set(&info, output);
    DDPM_TRY(ddpm_dataset_writer_create(&output->writer, job->arguments->output, &info));
    DDPM_TRY(sample_describe(&origin, job));
    const ddpm_status status = write_notes(output->writer, origin);
    json_decref(origin);
    return status;
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
    const sample_job *job = output->job;
    const size_t n = count * output->item;
    assert(n <= output->most);
    for (size_t i = 0; output->labels && i < n; i++)
        output->labels[i] = ddpm_sample_class_of(&job->options, job->unet.classes, first + i);
    for (size_t i = 0; output->bytes && i < n * sample_image_floats(job); i++)
        output->bytes[i] = byte_of(images[i]);
    return ddpm_dataset_writer_append(
        output->writer, output->bytes ? (const void *)output->bytes : images, output->labels, n);
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
    ddpm_memory_free(output->labels);
    *output = (sample_output){ 0 };
}
