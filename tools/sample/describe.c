#include "describe.h"

#include "choose.h"
#include "ddpm/train/model.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

size_t sample_images_of(const ddpm_drawing *drawing)
{
    const size_t rows = drawing->rows ? drawing->row_count : 1;
    return rows * drawing->columns * (drawing->frames ? drawing->frames : 1);
}

/* What the network had to do with it. */
static void describe_network(sample_notes *notes, const sample_job *job)
{
    const ddpm_sample_options *draw = &job->options;
    const ddpm_sampler_info *info = ddpm_sampler_find(draw->sampler);
    char objective[512];
    sample_note_text(notes, "weights", job->source.weights);
    sample_note_count(notes, "batch", draw->batch);
    sample_note_text(notes, "sampler", draw->sampler);
    sample_note_count(notes, "steps", draw->steps);
    sample_note_text(notes, "spacing", job->schedule->is_flow ? "equal" : draw->spacing);
    sample_note_text(notes, "prediction", ddpm_prediction_names[draw->prediction]);
    sample_note_text(notes, "objective",
                     ddpm_model_objective_text(objective, sizeof objective, &job->source.config));
    sample_note_text(notes, "clip", ddpm_clip_names[draw->clip]);
    if (info->takes_eta) sample_note_real(notes, "eta", draw->eta);
    if (info->takes_variance)
        sample_note_text(notes, "variance", ddpm_variance_names[draw->variance]);
    if (job->unet.classes > 0) {
        sample_note_text(notes, "class", sample_class_text(job));
        sample_note_real(notes, "guidance", draw->guidance);
    }
    if (job->arguments->init_noise)
        sample_note_text(notes, "init_noise", job->arguments->init_noise);
    sample_note_count(notes, "network_evaluations",
                      ddpm_drawing_evaluations(job->sampling, &job->drawing));
}

/* "image" and, of a mode that takes two, "image_b"; of one that repeats "image_2" and on. */
static void describe_images(sample_notes *notes, const sample_job *job)
{
    const sample_arguments *arguments = job->arguments;
    for (size_t i = 0; i < arguments->image_count; i++) {
        char name[32] = "image";
        if (i > 0 && job->mode->repeats)
            snprintf(name, sizeof name, "image_%zu", i + 1);
        else if (i > 0)
            snprintf(name, sizeof name, "image_b");
        sample_note_text(notes, name, arguments->images[i]);
    }
}

ddpm_status sample_describe(json_t **out, const sample_job *job)
{
    sample_notes notes = { .json = json_object() };
    sample_note_text(&notes, "checkpoint", job->source.path);
    sample_note_text(&notes, "checkpoint_digest", job->source.digest);
    sample_note_count(&notes, "step", job->source.step);
    sample_note_text(&notes, "mode", job->mode->name);
    sample_note_count(&notes, "seed", job->options.seed);
    sample_note_count(&notes, "first", job->options.first);
    if (job->sampling) describe_network(&notes, job);
    describe_images(&notes, job);
    if (job->drawing.rows) {
        sample_note_count(&notes, "rows", job->drawing.row_count);
        sample_note_count(&notes, "columns", job->drawing.columns);
    }
    if (job->mode->describe) job->mode->describe(&notes, job);
    if (!notes.failed) {
        *out = notes.json;
        return DDPM_OK;
    }
    json_decref(notes.json);
    return ddpm_fail(DDPM_EOS, "out of memory for the notes of a drawing");
}

static ddpm_status describe_work(json_t *json, const sample_job *job)
{
    const size_t images = sample_images_of(&job->drawing);
    sample_notes notes = { .json = json };
    sample_note_text(&notes, "output", job->arguments->output);
    sample_note_count(&notes, "images", images);
    sample_note_real(&notes, "seconds", job->seconds);
    sample_note_real(&notes, "images_per_second", (double)images / job->seconds);
    sample_note_count(&notes, "ranks", (uint64_t)ddpm_comm_size(job->comm));
    sample_note_count(&notes, "threads", (uint64_t)job->threads);
    return notes.failed ? ddpm_fail(DDPM_EOS, "out of memory for --json") : DDPM_OK;
}

static ddpm_status print(const json_t *json)
{
    char *text = json_dumps(json, JSON_INDENT(2) | JSON_REAL_PRECISION(15));
    if (!text) return ddpm_fail(DDPM_EOS, "out of memory for --json");
    const bool printed = puts(text) != EOF && fflush(stdout) == 0;
    const int reason = errno;
    free(text);
    if (printed) return DDPM_OK;
    return ddpm_fail(DDPM_EIO, "cannot write to standard output: %s", strerror(reason));
}

ddpm_status sample_print_json(const sample_job *job)
{
    json_t *json = NULL;
    DDPM_TRY(sample_describe(&json, job));
    ddpm_status status = describe_work(json, job);
    if (status == DDPM_OK) status = print(json);
    json_decref(json);
    return status;
}
