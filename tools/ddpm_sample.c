/* ddpm-sample: draws images from a checkpoint, alone or on all ranks of a job. */
#include "ddpm/base/clock.h"
#include "ddpm/base/log.h"
#include "ddpm/base/memory.h"
#include "ddpm/kernels/isa.h"
#include "ddpm/train/model.h"
#include "ddpm/train/threads.h"
#include "sample/choose.h"
#include "sample/describe.h"
#include "sample/input.h"
#include "sample/output.h"
#include "sample/strip.h"

#include <stdio.h>

bool sample_is_first(const sample_job *job)
{
    return ddpm_comm_rank(job->comm) == 0;
}

ddpm_shape sample_image_shape(const sample_job *job)
{
    return (ddpm_shape){ 1, job->unet.height, job->unet.width, job->unet.in_channels };
}

size_t sample_image_floats(const sample_job *job)
{
    return job->unet.height * job->unet.width * job->unet.in_channels;
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
    job->drawing.columns = arguments->count ? arguments->count : job->mode->count;
    if (!arguments->init_noise) return DDPM_OK;
    DDPM_TRY(sample_start_open(&job->start, arguments->init_noise, sample_image_shape(job)));
    const size_t first = arguments->first, there = job->start.shape.n;
    if (first >= there)
        return ddpm_fail(DDPM_ECONFIG, "--first %zu, but --init-noise %s has %zu images", first,
                         arguments->init_noise, there);
    if (!arguments->count) job->drawing.columns = there - first;
    if (job->drawing.columns > there - first)
        return ddpm_fail(DDPM_ECONFIG, "-n %zu --first %zu, but --init-noise %s has %zu images",
                         job->drawing.columns, first, arguments->init_noise, there);
    job->drawing.start = sample_start_read;
    job->drawing.start_context = &job->start;
    return DDPM_OK;
}

static ddpm_status open_model(sample_job *job)
{
    DDPM_TRY(ddpm_model_unet_config(&job->unet, &job->source.config));
    DDPM_TRY(ddpm_model_schedule(&job->schedule, &job->source.config));
    const size_t images = job->arguments->image_count;
    if (images == 0) return DDPM_OK;
    return ddpm_memory_alloc(&job->images, images, sample_image_floats(job) * sizeof(float),
                             DDPM_MEMORY_DATA);
}

/* Collective. */
static ddpm_status read_images(sample_job *job)
{
    const sample_arguments *arguments = job->arguments;
    char option[32];
    snprintf(option, sizeof option, "--%s", job->mode->name);
    for (size_t i = 0; i < arguments->image_count; i++)
        DDPM_TRY(sample_input_read(job->images + i * sample_image_floats(job), &job->labels[i],
                                   job->comm, option, arguments->images[i],
                                   sample_image_shape(job)));
    return DDPM_OK;
}

static ddpm_status open_sampling(sample_job *job)
{
    DDPM_TRY(sample_choose(job));
    DDPM_TRY(open_start(job));
    if (job->mode->draw) return DDPM_OK;
    job->options.progress = sample_progress_step;
    job->options.progress_context = &job->progress;
    return ddpm_sampling_create(&job->sampling, &job->unet, job->schedule, &job->options);
}

/* Collective. */
static ddpm_status build(sample_job *job)
{
    ddpm_status status = ddpm_comm_agree(job->comm, open_model(job));
    if (status != DDPM_OK) return status;
    DDPM_TRY(read_images(job));
    status = ddpm_comm_agree(job->comm, open_sampling(job));
    if (status != DDPM_OK) return status;
    status = job->mode->prepare(job);
    return ddpm_comm_agree(job->comm, status);
}

static ddpm_status draw_into(sample_job *job, ddpm_sample_sink *sink, void *context)
{
    if (job->mode->draw) return job->mode->draw(job, sink, context);
    return ddpm_sampling_draw(job->sampling, job->comm, job->weights, &job->drawing, sink, context);
}

static ddpm_status draw_dataset(sample_job *job)
{
    const size_t round = job->options.batch * (size_t)ddpm_comm_size(job->comm);
    const size_t most = job->mode->draw ? job->drawing.columns : round;
    sample_output output = { 0 };
    ddpm_status status = sample_is_first(job) ? sample_output_create(&output, job, most) : DDPM_OK;
    status = ddpm_comm_agree(job->comm, status);
    if (status == DDPM_OK) status = draw_into(job, sample_output_append, &output);
    if (status == DDPM_OK && sample_is_first(job)) status = sample_output_finish(&output);
    sample_output_free(&output);
    return ddpm_comm_agree(job->comm, status);
}

static ddpm_status draw_picture(sample_job *job)
{
    sample_strip strip = { 0 };
    ddpm_status status = sample_is_first(job) ? sample_strip_create(&strip, job) : DDPM_OK;
    status = ddpm_comm_agree(job->comm, status);
    if (status == DDPM_OK) status = draw_into(job, sample_strip_put, &strip);
    if (status == DDPM_OK && sample_is_first(job))
        status = sample_strip_write(&strip, job->arguments->output);
    sample_strip_free(&strip);
    return ddpm_comm_agree(job->comm, status);
}

static void announce(const sample_job *job, size_t images)
{
    const ddpm_shape s = sample_image_shape(job);
    const int ranks = ddpm_comm_size(job->comm);
    if (!job->sampling) return;
    ddpm_log_info("drawing %zu images of %zux%zux%zu from %s (step %llu, %s): %s, %zu steps, seed "
                  "%llu, %d rank%s, %d thread%s",
                  images, s.h, s.w, s.c, job->source.path, (unsigned long long)job->source.step,
                  job->source.weights, job->options.sampler, job->options.steps,
                  (unsigned long long)job->options.seed, ranks, ranks == 1 ? "" : "s", job->threads,
                  job->threads == 1 ? "" : "s");
}

static ddpm_status draw(sample_job *job)
{
    const char *output = job->arguments->output;
    const size_t images = sample_images_of(&job->drawing);
    sample_progress_begin(&job->progress, images);
    announce(job, images);
    const uint64_t start = ddpm_clock_ns();
    DDPM_TRY(sample_output_is_h5(job->arguments) ? draw_dataset(job) : draw_picture(job));
    job->seconds = ddpm_clock_seconds(start, ddpm_clock_ns());
    ddpm_log_info("wrote %s: %zu images in %.1f s, %.2f images/s", output, images, job->seconds,
                  (double)images / job->seconds);
    return DDPM_OK;
}

static ddpm_status run(sample_job *job)
{
    const sample_arguments *arguments = job->arguments;
    ddpm_status status = sample_is_first(job) ? sample_output_check(arguments->output) : DDPM_OK;
    status = ddpm_comm_agree(job->comm, status);
    if (status != DDPM_OK) return status;
    DDPM_TRY(prepare_kernels(job));
    DDPM_TRY(sample_source_open(&job->checkpoint, &job->source, job->comm, arguments->checkpoint,
                                arguments->best, arguments->weights));
    status = sample_is_first(job) ? sample_output_spare_inputs(job) : DDPM_OK;
    status = ddpm_comm_agree(job->comm, status);
    if (status != DDPM_OK) return status;
    DDPM_TRY(build(job));
    if (job->sampling)
        DDPM_TRY(sample_source_weights(&job->weights, job->checkpoint, &job->source, job->comm,
                                       ddpm_sampling_params(job->sampling)));
    ddpm_checkpoint_close(job->checkpoint);
    job->checkpoint = NULL;
    DDPM_TRY(draw(job));
    return arguments->json && sample_is_first(job) ? sample_print_json(job) : DDPM_OK;
}

static void close_job(sample_job *job)
{
    ddpm_checkpoint_close(job->checkpoint);
    ddpm_sampling_free(job->sampling);
    ddpm_schedule_free(job->schedule);
    sample_start_close(&job->start);
    ddpm_memory_free(job->weights);
    ddpm_memory_free(job->images);
    ddpm_memory_free(job->missing);
    ddpm_memory_free(job->holed);
}

int main(int argc, char **argv)
{
    sample_arguments arguments;
    sample_parse(&arguments, argc, argv);
    ddpm_log_init("ddpm-sample", arguments.quiet ? DDPM_LOG_WARNING : DDPM_LOG_INFO);
    sample_job job = { .arguments = &arguments, .mode = arguments.mode };
    ddpm_status status = ddpm_comm_start(&job.comm, &argc, &argv);
    if (status != DDPM_OK) return ddpm_log_failure(status);
    ddpm_log_set_rank(ddpm_comm_rank(job.comm), ddpm_comm_size(job.comm));

    status = run(&job);
    /* Every rank has the same failure; one tells. */
    const int code = status == DDPM_OK       ? 0
                     : sample_is_first(&job) ? ddpm_log_failure(status)
                                             : (int)status;
    close_job(&job);
    ddpm_comm_stop(job.comm);
    return code;
}
