#include "ddpm/train/sample.h"

#include "ddpm/base/memory.h"
#include "ddpm/io/image.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct ddpm_sampling {
    ddpm_sample_options options;
    ddpm_unet *unet;
    const ddpm_schedule *full;
    ddpm_schedule *respaced; /* NULL where all steps are taken */
    size_t height, width, channels, image_floats;
    float *x, *scratch, *t; /* of one batch; t [batch] */

    const float *weights; /* during a run */
    size_t calls, calls_in_all;
    bool stopped;
};

void ddpm_sample_options_init(ddpm_sample_options *options, const char *sampler)
{
    const ddpm_sampler_info *info = ddpm_sampler_find(sampler);
    *options = (ddpm_sample_options){ .sampler = sampler,
                                      .spacing = info ? info->default_spacing : "",
                                      .variance = DDPM_VARIANCE_FIXEDLARGE,
                                      .clip = info ? info->default_clip : DDPM_CLIP_NONE,
                                      .batch = DDPM_SAMPLE_BATCH };
}

static const ddpm_schedule *schedule_of(const ddpm_sampling *sampling)
{
    return sampling->respaced ? sampling->respaced : sampling->full;
}

static ddpm_status respace(ddpm_sampling *sampling)
{
    const size_t all = sampling->full->steps, steps = sampling->options.steps;
    size_t *timesteps = malloc((all + 1) * sizeof *timesteps);
    if (!timesteps) return ddpm_fail(DDPM_EOS, "no memory for %zu timesteps", all);
    ddpm_status status = ddpm_spacing(timesteps, steps ? steps : all, sampling->options.spacing,
                                      all);
    /* With all steps the tables stay as they are: rebuilding them would round. */
    if (status == DDPM_OK && steps && steps < all)
        status = ddpm_schedule_respace(&sampling->respaced, sampling->full, timesteps, steps);
    free(timesteps);
    return status;
}

static ddpm_status allocate(ddpm_sampling *sampling)
{
    const size_t batch = sampling->options.batch, d = sampling->image_floats;
    const size_t scratch = ddpm_sampler_scratch_floats(batch, d);
    DDPM_TRY(ddpm_memory_alloc(&sampling->x, batch, d * sizeof(float), DDPM_MEMORY_SCRATCH));
    DDPM_TRY(ddpm_memory_alloc(&sampling->t, batch, sizeof(float), DDPM_MEMORY_SCRATCH));
    return ddpm_memory_alloc(&sampling->scratch, scratch, sizeof(float), DDPM_MEMORY_SCRATCH);
}

ddpm_status ddpm_sampling_create(ddpm_sampling **out, const ddpm_unet_config *unet,
                                 const ddpm_schedule *schedule, const ddpm_sample_options *options)
{
    const ddpm_sampler_options sampler = { .name = options->sampler, .eta = options->eta };
    DDPM_TRY(ddpm_sampler_check(&sampler));
    if (options->batch == 0) return ddpm_fail(DDPM_ECONFIG, "a batch of 0 images; at least 1");
    ddpm_sampling *sampling = calloc(1, sizeof *sampling);
    if (!sampling) return ddpm_fail(DDPM_EOS, "no memory to draw images");
    *sampling = (ddpm_sampling){ .options = *options,
                                 .full = schedule,
                                 .height = unet->height,
                                 .width = unet->width,
                                 .channels = unet->in_channels,
                                 .image_floats = unet->height * unet->width * unet->in_channels };
    ddpm_status status = respace(sampling);
    if (status != DDPM_OK) goto done;
    status = ddpm_unet_create(&sampling->unet, unet, options->batch, DDPM_UNET_INFERENCE);
    if (status != DDPM_OK) goto done;
    status = allocate(sampling);
done:
    if (status == DDPM_OK)
        *out = sampling;
    else
        ddpm_sampling_free(sampling);
    return status;
}

void ddpm_sampling_free(ddpm_sampling *sampling)
{
    if (!sampling) return;
    ddpm_unet_free(sampling->unet);
    ddpm_schedule_free(sampling->respaced);
    ddpm_memory_free(sampling->x);
    ddpm_memory_free(sampling->t);
    ddpm_memory_free(sampling->scratch);
    free(sampling);
}

const ddpm_params *ddpm_sampling_params(const ddpm_sampling *sampling)
{
    return ddpm_unet_params(sampling->unet);
}

size_t ddpm_sampling_steps(const ddpm_sampling *sampling)
{
    return schedule_of(sampling)->steps;
}

static void denoise(float *eps, const float *x, double t, size_t n, size_t d, void *context)
{
    ddpm_sampling *sampling = context;
    (void)d;
    for (size_t i = 0; i < n; i++) sampling->t[i] = (float)t;
    ddpm_unet_forward(sampling->unet, eps, x, sampling->t, sampling->weights, NULL);
}

static bool count_step(size_t step, size_t index, const float *x, const float *x0, size_t n,
                       size_t d, void *context)
{
    (void)step, (void)index, (void)x, (void)x0, (void)n, (void)d;
    ddpm_sampling *sampling = context;
    const ddpm_sample_options *options = &sampling->options;
    sampling->calls++;
    if (!options->progress) return true;
    sampling->stopped = !options->progress(sampling->calls, sampling->calls_in_all,
                                           options->progress_context);
    return !sampling->stopped;
}

static ddpm_status check_finite(const float *images, size_t first, size_t count, size_t d)
{
    for (size_t i = 0; i < count * d; i++)
        if (!isfinite(images[i]))
            return ddpm_fail(DDPM_EDATA,
                             "image %zu came out with values that are not finite: these weights "
                             "give no images",
                             first + i / d);
    return DDPM_OK;
}

/* Images first .. first + batch - 1, of which `count` are looked at. */
static ddpm_status draw_batch(ddpm_sampling *sampling, size_t first, size_t count)
{
    const ddpm_sample_options *options = &sampling->options;
    const size_t d = sampling->image_floats;
    ddpm_image_init(sampling->x, options->seed, first, options->batch, d);
    if (options->start) DDPM_TRY(options->start(sampling->x, first, count, options->start_context));

    ddpm_image_noise noise = { .seed = options->seed,
                               .first_image = first,
                               .schedule = schedule_of(sampling) };
    const ddpm_sampler_options sampler = { .name = options->sampler,
                                           .variance = options->variance,
                                           .clip = options->clip,
                                           .eta = options->eta,
                                           .denoise = denoise,
                                           .denoise_context = sampling,
                                           .noise = ddpm_image_step_noise,
                                           .noise_context = &noise,
                                           .observe = count_step,
                                           .observe_context = sampling };
    ddpm_sampler_run(sampling->x, sampling->scratch, options->batch, d, schedule_of(sampling),
                     &sampler);
    if (sampling->stopped) return ddpm_fail(DDPM_EAGAIN, "drawing images was stopped");
    return check_finite(sampling->x, first, count, d);
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

ddpm_status ddpm_sampling_run(ddpm_sampling *sampling, ddpm_comm *comm, const float *weights,
                              size_t count, ddpm_sample_sink *sink, void *context)
{
    const size_t batch = sampling->options.batch, d = sampling->image_floats;
    const size_t ranks = (size_t)ddpm_comm_size(comm), rank = (size_t)ddpm_comm_rank(comm);
    const size_t begin = sampling->options.first, end = begin + count, a_round = ranks * batch;
    const size_t base = begin / batch * batch; /* of the first batch, of which only a part may do */
    float *all = NULL;
    size_t *all_bytes = NULL;
    sampling->weights = weights;
    sampling->stopped = false;
    sampling->calls = 0;
    sampling->calls_in_all = 0;
    for (size_t first = base + rank * batch; first < end; first += a_round)
        sampling->calls_in_all += ddpm_sampling_steps(sampling);

    ddpm_status status = ddpm_unet_freeze(sampling->unet, weights);
    if (status == DDPM_OK && rank == 0)
        status = ddpm_memory_alloc(&all, a_round, d * sizeof(float), DDPM_MEMORY_SCRATCH);
    if (status == DDPM_OK)
        status = ddpm_memory_alloc(&all_bytes, ranks, sizeof *all_bytes, DDPM_MEMORY_SCRATCH);

    for (size_t round = base; round < end; round += a_round) {
        const size_t first = round + rank * batch;
        const size_t drawn = first < end ? smaller(batch, end - first) : 0;
        const size_t cut = smaller(larger(first, begin) - first, drawn);
        if (status == DDPM_OK && drawn > 0) status = draw_batch(sampling, first, drawn);
        status = ddpm_comm_agree(comm, status);
        if (status != DDPM_OK) break;
        status = ddpm_comm_gather(comm, all, sampling->x + cut * d,
                                  (drawn - cut) * d * sizeof(float), all_bytes);
        const size_t from = larger(round, begin);
        if (status == DDPM_OK && rank == 0)
            status = sink(all, from, smaller(round + a_round, end) - from, context);
    }
    status = ddpm_comm_agree(comm, status);
    sampling->weights = NULL;
    ddpm_memory_free(all);
    ddpm_memory_free(all_bytes);
    return status;
}

typedef struct {
    float *images;
    size_t image_floats, first;
} collection;

static ddpm_status collect(const float *images, size_t first, size_t count, void *context)
{
    const collection *into = context;
    assert(images && into->images);
    memcpy(into->images + (first - into->first) * into->image_floats, images,
           count * into->image_floats * sizeof(float));
    return DDPM_OK;
}

ddpm_status ddpm_sampling_write_grid(ddpm_sampling *sampling, ddpm_comm *comm, const float *weights,
                                     size_t count, const char *path)
{
    const bool writer = ddpm_comm_rank(comm) == 0;
    collection grid = { .image_floats = sampling->image_floats, .first = sampling->options.first };
    ddpm_status status = DDPM_OK;
    if (writer)
        status = ddpm_memory_alloc(&grid.images, count, grid.image_floats * sizeof(float),
                                   DDPM_MEMORY_DATA);
    status = ddpm_comm_agree(comm, status);
    if (status == DDPM_OK)
        status = ddpm_sampling_run(sampling, comm, weights, count, collect, &grid);
    if (status == DDPM_OK && writer)
        status = ddpm_image_write_grid(path, grid.images, count, sampling->height, sampling->width,
                                       sampling->channels, 0);
    status = ddpm_comm_agree(comm, status);
    ddpm_memory_free(grid.images);
    return status;
}
