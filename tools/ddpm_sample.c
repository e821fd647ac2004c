/* ddpm-sample: draws images from a checkpoint, alone or on all ranks of a job. */
#include "ddpm/base/clock.h"
#include "ddpm/base/log.h"
#include "ddpm/base/memory.h"
#include "ddpm/kernels/isa.h"
#include "ddpm/train/model.h"
#include "ddpm/train/threads.h"
#include "sample/arguments.h"
#include "sample/output.h"
#include "sample/progress.h"
#include "sample/source.h"
#include "sample/start.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* All that is open while images are drawn. */
typedef struct {
    const sample_arguments *arguments;
    ddpm_comm *comm;
    ddpm_checkpoint *checkpoint; /* rank 0 */
    sample_source source;
    ddpm_unet_config unet;
    ddpm_schedule *schedule;
    sample_start start;
    ddpm_sample_options options;
    ddpm_sampling *sampling;
    float *weights;
    sample_progress progress;
    size_t count;
    int threads;
    double seconds;
} sample_job;

static bool is_first(const sample_job *job)
{
    return ddpm_comm_rank(job->comm) == 0;
}

static ddpm_shape image_shape(const sample_job *job)
{
    return (ddpm_shape){ 1, job->unet.height, job->unet.width, job->unet.in_channels };
}

/* The same kernels on every rank, or an image would depend on who drew it. */
static ddpm_status prepare_kernels(sample_job *job)
{
    char kernels[256];
    ddpm_status status = ddpm_kernels_init();
    status = ddpm_comm_agree(job->comm, status);
    if (status != DDPM_OK) return status;
    DDPM_TRY(ddpm_threads_set(&job->threads, job->comm, job->arguments->threads));
    snprintf(kernels, sizeof kernels, "%s, %s, %s", DDPM_VERSION, ddpm_isa_name(),
             ddpm_blas_name());
    return ddpm_comm_require_same(job->comm, "the program and its kernels", kernels);
}

/* --init-noise and -n say how many images there are. */
static ddpm_status open_start(sample_job *job)
{
    const sample_arguments *arguments = job->arguments;
    job->count = arguments->count ? arguments->count : 64;
    if (!arguments->init_noise) return DDPM_OK;
    DDPM_TRY(sample_start_open(&job->start, arguments->init_noise, image_shape(job)));
    const size_t first = arguments->draw.first, there = job->start.shape.n;
    if (first >= there)
        return ddpm_fail(DDPM_ECONFIG, "--first %zu, but --init-noise %s has %zu images", first,
                         arguments->init_noise, there);
    if (!arguments->count) job->count = there - first;
    if (job->count > there - first)
        return ddpm_fail(DDPM_ECONFIG, "-n %zu --first %zu, but --init-noise %s has %zu images",
                         job->count, first, arguments->init_noise, there);
    job->options.start = sample_start_read;
    job->options.start_context = &job->start;
    return DDPM_OK;
}

static size_t default_steps(const sample_job *job)
{
    const size_t all = job->schedule->steps;
    const bool few = ddpm_sampler_find(job->options.sampler)->takes_eta && all > SAMPLE_DDIM_STEPS;
    return few ? SAMPLE_DDIM_STEPS : all;
}

static ddpm_status build(sample_job *job)
{
    const sample_arguments *arguments = job->arguments;
    DDPM_TRY(ddpm_model_unet_config(&job->unet, &job->source.config));
    DDPM_TRY(ddpm_model_schedule(&job->schedule, &job->source.config));
    job->options = arguments->draw;
    job->options.steps = arguments->steps ? arguments->steps : default_steps(job);
    if (job->options.steps > job->schedule->steps)
        return ddpm_fail(DDPM_ECONFIG, "--steps %zu, but %s was trained with diffusion.steps = %zu",
                         job->options.steps, job->source.path, job->schedule->steps);
    DDPM_TRY(open_start(job));
    job->options.progress = sample_progress_step;
    job->options.progress_context = &job->progress;
    return ddpm_sampling_create(&job->sampling, &job->unet, job->schedule, &job->options);
}

/* How the images come about: the notes of an HDF5 file, and the start of --json. */
static json_t *describe(const sample_job *job)
{
    const ddpm_sample_options *draw = &job->options;
    const ddpm_sampler_info *info = ddpm_sampler_find(draw->sampler);
    json_t *json = json_pack(
        "{s:s,s:s,s:I,s:s,s:I,s:I,s:I,s:s,s:I,s:s,s:s}", "checkpoint", job->source.path,
        "checkpoint_digest", job->source.digest, "step", (json_int_t)job->source.step, "weights",
        job->source.weights, "seed", (json_int_t)draw->seed, "first", (json_int_t)draw->first,
        "batch", (json_int_t)draw->batch, "sampler", draw->sampler, "steps",
        (json_int_t)draw->steps, "spacing", draw->spacing, "clip", sample_clip_name(draw->clip));
    if (info->takes_eta) json_object_set_new(json, "eta", json_real(draw->eta));
    if (info->takes_variance)
        json_object_set_new(json, "variance", json_string(sample_variance_name(draw->variance)));
    if (job->arguments->init_noise)
        json_object_set_new(json, "init_noise", json_string(job->arguments->init_noise));
    return json;
}

static ddpm_status draw_dataset(sample_job *job)
{
    const sample_arguments *arguments = job->arguments;
    const size_t round = job->options.batch * (size_t)ddpm_comm_size(job->comm);
    sample_output output = { 0 };
    ddpm_status status = DDPM_OK;
    if (is_first(job)) {
        json_t *origin = describe(job);
        status = origin ? sample_output_create(&output, arguments->output, image_shape(job),
                                               arguments->as_bytes, round, origin)
                        : ddpm_fail(DDPM_EOS, "out of memory");
        json_decref(origin);
    }
    status = ddpm_comm_agree(job->comm, status);
    if (status == DDPM_OK)
        status = ddpm_sampling_run(job->sampling, job->comm, job->weights, job->count,
                                   sample_output_append, &output);
    if (status == DDPM_OK && is_first(job)) status = sample_output_finish(&output);
    sample_output_free(&output);
    return ddpm_comm_agree(job->comm, status);
}

static ddpm_status draw(sample_job *job)
{
    const char *output = job->arguments->output;
    sample_progress_begin(&job->progress, job->count);
    ddpm_log_info("drawing %zu images of %zux%zux%zu from %s (step %llu, %s): %s, %zu steps, seed "
                  "%llu, %d rank%s, %d thread%s",
                  job->count, job->unet.height, job->unet.width, job->unet.in_channels,
                  job->source.path, (unsigned long long)job->source.step, job->source.weights,
                  job->options.sampler, job->options.steps, (unsigned long long)job->options.seed,
                  ddpm_comm_size(job->comm), ddpm_comm_size(job->comm) == 1 ? "" : "s",
                  job->threads, job->threads == 1 ? "" : "s");
    const uint64_t start = ddpm_clock_ns();
    if (sample_output_is_h5(job->arguments))
        DDPM_TRY(draw_dataset(job));
    else
        DDPM_TRY(
            ddpm_sampling_write_grid(job->sampling, job->comm, job->weights, job->count, output));
    job->seconds = ddpm_clock_seconds(start, ddpm_clock_ns());
    ddpm_log_info("wrote %s: %zu images in %.1f s, %.2f images/s", output, job->count, job->seconds,
                  (double)job->count / job->seconds);
    return DDPM_OK;
}

static ddpm_status print_json(const sample_job *job)
{
    const size_t batch = job->options.batch, first = job->options.first;
    const size_t batches = (first + job->count + batch - 1) / batch - first / batch;
    const size_t evaluations = batches * batch * ddpm_sampling_steps(job->sampling);
    json_t *json = describe(job);
    json_t *done = json_pack("{s:s,s:I,s:f,s:f,s:I,s:i,s:i}", "output", job->arguments->output,
                             "images", (json_int_t)job->count, "seconds", job->seconds,
                             "images_per_second", (double)job->count / job->seconds,
                             "network_evaluations", (json_int_t)evaluations, "ranks",
                             ddpm_comm_size(job->comm), "threads", job->threads);
    const bool printed = json && done && json_object_update(json, done) == 0 &&
                         json_dumpf(json, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(15)) == 0 &&
                         putchar('\n') != EOF && fflush(stdout) == 0;
    json_decref(done);
    json_decref(json);
    if (printed) return DDPM_OK;
    return ddpm_fail(DDPM_EIO, "cannot write to standard output: %s", strerror(errno));
}

static ddpm_status run(sample_job *job)
{
    const sample_arguments *arguments = job->arguments;
    ddpm_status status = is_first(job) ? sample_output_check(arguments->output) : DDPM_OK;
    status = ddpm_comm_agree(job->comm, status);
    if (status != DDPM_OK) return status;
    DDPM_TRY(prepare_kernels(job));
    DDPM_TRY(sample_source_open(&job->checkpoint, &job->source, job->comm, arguments->checkpoint,
                                arguments->weights));
    status = ddpm_comm_agree(job->comm, build(job));
    if (status != DDPM_OK) return status;
    DDPM_TRY(sample_source_weights(&job->weights, job->checkpoint, &job->source, job->comm,
                                   ddpm_sampling_params(job->sampling)));
    ddpm_checkpoint_close(job->checkpoint);
    job->checkpoint = NULL;
    DDPM_TRY(draw(job));
    return arguments->json && is_first(job) ? print_json(job) : DDPM_OK;
}

static void close_job(sample_job *job)
{
    ddpm_checkpoint_close(job->checkpoint);
    ddpm_sampling_free(job->sampling);
    ddpm_schedule_free(job->schedule);
    sample_start_close(&job->start);
    ddpm_memory_free(job->weights);
}

int main(int argc, char **argv)
{
    sample_arguments arguments;
    sample_parse(&arguments, argc, argv);
    ddpm_log_init("ddpm-sample", arguments.quiet ? DDPM_LOG_WARNING : DDPM_LOG_INFO);
    sample_job job = { .arguments = &arguments };
    ddpm_status status = ddpm_comm_start(&job.comm, &argc, &argv);
    if (status != DDPM_OK) return ddpm_log_failure(status);
    ddpm_log_set_rank(ddpm_comm_rank(job.comm), ddpm_comm_size(job.comm));

    status = run(&job);
    /* Every rank has the same failure; one tells. */
    const int code = status == DDPM_OK ? 0
                     : is_first(&job)  ? ddpm_log_failure(status)
                                       : (int)status;
    close_job(&job);
    ddpm_comm_stop(job.comm);
    return code;
}
