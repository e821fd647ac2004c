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
    float *output;          /* of a network that also speaks of the variance; else NULL */
    float *unguided;        /* what it says of no class; NULL where nobody asks */
    size_t classes;
    int64_t *class, *none; /* [batch]; NULL where there are no classes */

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
                                      .batch = DDPM_SAMPLE_BATCH,
                                      .guidance = 1.0 };
}

static const ddpm_schedule *schedule_of(const ddpm_sampling *sampling)
{
    return sampling->respaced ? sampling->respaced : sampling->full;
}

static ddpm_status allocate(ddpm_sampling *sampling)
{
    const size_t batch = sampling->options.batch, d = sampling->image_floats;
    const size_t scratch = ddpm_sampler_scratch_floats(batch, d);
    DDPM_TRY(ddpm_memory_alloc(&sampling->x, batch, d * sizeof(float), DDPM_MEMORY_SCRATCH));
    DDPM_TRY(ddpm_memory_alloc(&sampling->t, batch, sizeof(float), DDPM_MEMORY_SCRATCH));
    if (ddpm_unet_get_config(sampling->unet)->out_channels > sampling->channels)
        DDPM_TRY(ddpm_memory_alloc(&sampling->output, 2 * batch, d * sizeof(float),
                                   DDPM_MEMORY_SCRATCH));
    if (sampling->options.guidance != 1.0)
        DDPM_TRY(
            ddpm_memory_alloc(&sampling->unguided, batch, d * sizeof(float), DDPM_MEMORY_SCRATCH));
    if (sampling->classes > 0) {
        DDPM_TRY(ddpm_memory_alloc(&sampling->class, batch, sizeof(int64_t), DDPM_MEMORY_SCRATCH));
        DDPM_TRY(ddpm_memory_alloc(&sampling->none, batch, sizeof(int64_t), DDPM_MEMORY_SCRATCH));
        for (size_t i = 0; i < batch; i++) sampling->none[i] = (int64_t)sampling->classes;
    }
    return ddpm_memory_alloc(&sampling->scratch, scratch, sizeof(float), DDPM_MEMORY_SCRATCH);
}

static ddpm_status check_classes(const ddpm_unet_config *unet, const ddpm_sample_options *options)
{
    if (unet->classes == 0 && (options->class_count > 0 || options->guidance != 1.0))
        return ddpm_fail(DDPM_ECONFIG,
                         "a class or guidance is asked for, but this network was trained without "
                         "classes (model.classes = 0)");
    for (size_t i = 0; i < options->class_count; i++)
        if (options->class_of_image[i] < 0 || (size_t)options->class_of_image[i] > unet->classes)
            return ddpm_fail(DDPM_ECONFIG, "class %lld: this network knows 0 to %zu",
                             (long long)options->class_of_image[i], unet->classes - 1);
    if (!isfinite(options->guidance))
        return ddpm_fail(DDPM_ECONFIG, "guidance is %g; it is a finite number", options->guidance);
    return DDPM_OK;
}

static ddpm_sampler_options sampler_options(const ddpm_sampling *sampling)
{
    const ddpm_sample_options *options = &sampling->options;
    return (ddpm_sampler_options){ .name = options->sampler,
                                   .prediction = options->prediction,
                                   .variance = options->variance,
                                   .trained = sampling->full,
                                   .clip = options->clip,
                                   .eta = options->eta };
}

ddpm_status ddpm_sampling_create(ddpm_sampling **out, const ddpm_unet_config *unet,
                                 const ddpm_schedule *schedule, const ddpm_sample_options *options)
{
    DDPM_TRY(check_classes(unet, options));
    if (options->batch == 0) return ddpm_fail(DDPM_ECONFIG, "a batch of 0 images; at least 1");
    ddpm_sampling *sampling = calloc(1, sizeof *sampling);
    if (!sampling) return ddpm_fail(DDPM_EOS, "no memory to draw images");
    *sampling = (ddpm_sampling){ .options = *options,
                                 .full = schedule,
                                 .height = unet->height,
                                 .width = unet->width,
                                 .channels = unet->in_channels,
                                 .classes = unet->classes,
                                 .image_floats = unet->height * unet->width * unet->in_channels };
    ddpm_status status = ddpm_schedule_space(&sampling->respaced, schedule, options->spacing,
                                             options->steps);
    if (status != DDPM_OK) goto done;
    const ddpm_sampler_options sampler = sampler_options(sampling);
    status = ddpm_sampler_check(&sampler, schedule_of(sampling));
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
    ddpm_memory_free(sampling->output);
    ddpm_memory_free(sampling->unguided);
    ddpm_memory_free(sampling->class);
    ddpm_memory_free(sampling->none);
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

size_t ddpm_sampling_evaluations(const ddpm_sampling *sampling)
{
    const size_t once = ddpm_sampler_evaluations(sampling->options.sampler,
                                                 ddpm_sampling_steps(sampling));
    return sampling->unguided ? 2 * once : once;
}

/* What a network says of the variance lies beside what it predicts, pixel by pixel. */
static void split_output(const ddpm_sampling *sampling, float *said, float *variance, size_t n)
{
    const size_t channels = sampling->channels;
    for (size_t p = 0; p < n * sampling->image_floats / channels; p++) {
        const float *both = sampling->output + 2 * p * channels;
        memcpy(said + p * channels, both, channels * sizeof *both);
        if (variance) memcpy(variance + p * channels, both + channels, channels * sizeof *both);
    }
}

static void evaluate(float *said, float *variance, const float *x, size_t n,
                     ddpm_sampling *sampling, const int64_t *class)
{
    float *output = sampling->output ? sampling->output : said;
    if (class) ddpm_unet_set_classes(sampling->unet, class);
    ddpm_unet_forward(sampling->unet, output, x, sampling->t, sampling->weights, NULL);
    if (sampling->output) split_output(sampling, said, variance, n);
}

static void denoise(float *said, float *variance, const float *x, double t, size_t n, size_t d,
                    void *context)
{
    ddpm_sampling *sampling = context;
    const float *without = sampling->unguided;
    const double guidance = sampling->options.guidance;
    for (size_t i = 0; i < n; i++) sampling->t[i] = (float)t;
    if (without) evaluate(sampling->unguided, NULL, x, n, sampling, sampling->none);
    evaluate(said, variance, x, n, sampling, sampling->class);
    for (size_t i = 0; without && i < n * d; i++)
        said[i] = (float)((double)without[i] + guidance * ((double)said[i] - (double)without[i]));
}

/* Images first .. first + batch - 1. */
static void set_classes(ddpm_sampling *sampling, size_t first)
{
    const ddpm_sample_options *options = &sampling->options;
    for (size_t i = 0; sampling->class && i < options->batch; i++)
        sampling->class[i] = options->class_count
                                 ? options->class_of_image[(first + i) % options->class_count]
                                 : (int64_t)((first + i) % sampling->classes);
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
    set_classes(sampling, first);
    if (options->start) DDPM_TRY(options->start(sampling->x, first, count, options->start_context));

    ddpm_image_noise noise = { .seed = options->seed,
                               .first_image = first,
                               .schedule = schedule_of(sampling) };
    ddpm_sampler_options sampler = sampler_options(sampling);
    sampler.denoise = denoise;
    sampler.noise = ddpm_image_step_noise;
    sampler.noise_context = &noise;
    sampler.observe = count_step;
    sampler.denoise_context = sampler.observe_context = sampling;
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
