#include "describe.h"

#include "choose.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

size_t sample_images_of(const ddpm_drawing *drawing)
{
    const size_t rows = drawing->rows ? drawing->row_count : 1;
    return rows * drawing->columns * (drawing->frames ? drawing->frames : 1);
}

static void set_text(json_t *json, const char *name, const char *value)
{
    json_object_set_new(json, name, json_string(value));
}

static void set_count(json_t *json, const char *name, uint64_t value)
{
    json_object_set_new(json, name, json_integer((json_int_t)value));
}

/* What the network had to do with it. */
static void describe_network(json_t *json, const sample_job *job)
{
    const ddpm_sample_options *draw = &job->options;
    const ddpm_sampler_info *info = ddpm_sampler_find(draw->sampler);
    set_text(json, "weights", job->source.weights);
    set_count(json, "batch", draw->batch);
    set_text(json, "sampler", draw->sampler);
    set_count(json, "steps", draw->steps);
    set_text(json, "spacing", job->schedule->is_flow ? "equal" : draw->spacing);
    set_text(json, "prediction", ddpm_prediction_names[draw->prediction]);
    set_text(json, "clip", sample_clip_name(draw->clip));
    if (info->takes_eta) json_object_set_new(json, "eta", json_real(draw->eta));
    if (info->takes_variance) set_text(json, "variance", ddpm_variance_names[draw->variance]);
    if (job->unet.classes > 0) {
        set_text(json, "class", sample_class_text(job));
        json_object_set_new(json, "guidance", json_real(draw->guidance));
    }
    if (job->arguments->init_noise) set_text(json, "init_noise", job->arguments->init_noise);
    set_count(json, "network_evaluations", ddpm_drawing_evaluations(job->sampling, &job->drawing));
}

json_t *sample_describe(const sample_job *job)
{
    const sample_arguments *arguments = job->arguments;
    json_t *json = json_object();
    if (!json) return NULL;
    set_text(json, "checkpoint", job->source.path);
    set_text(json, "checkpoint_digest", job->source.digest);
    set_count(json, "step", job->source.step);
    set_text(json, "mode", job->mode->name);
    set_count(json, "seed", job->options.seed);
    set_count(json, "first", job->options.first);
    if (job->sampling) describe_network(json, job);
    if (job->mode->images > 0) set_text(json, "image", arguments->images[0]);
    if (job->mode->images > 1) set_text(json, "image_b", arguments->images[1]);
    if (job->drawing.rows) {
        set_count(json, "rows", job->drawing.row_count);
        set_count(json, "columns", job->drawing.columns);
    }
    if (job->mode->describe) job->mode->describe(json, job);
    return json;
}

ddpm_status sample_print_json(const sample_job *job)
{
    const size_t images = sample_images_of(&job->drawing);
    json_t *json = sample_describe(job);
    json_t *done = json_pack("{s:s,s:I,s:f,s:f,s:i,s:i}", "output", job->arguments->output,
                             "images", (json_int_t)images, "seconds", job->seconds,
                             "images_per_second", (double)images / job->seconds, "ranks",
                             ddpm_comm_size(job->comm), "threads", job->threads);
    const bool printed = json && done && json_object_update(json, done) == 0 &&
                         json_dumpf(json, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(15)) == 0 &&
                         putchar('\n') != EOF && fflush(stdout) == 0;
    json_decref(done);
    json_decref(json);
    if (printed) return DDPM_OK;
    return ddpm_fail(DDPM_EIO, "cannot write to standard output: %s", strerror(errno));
}
