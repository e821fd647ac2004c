#include "sample_internal.h"

#include "ddpm/base/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

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

int64_t ddpm_sample_class_of(const ddpm_sample_options *options, size_t classes, size_t k)
{
    return options->class_count ? options->class_of_image[k % options->class_count]
                                : (int64_t)(k % classes);
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

static void evaluate(float *said, float *variance, const float *x, size_t n,
                     ddpm_sampling *sampling, const int64_t *class)
{
    const size_t channels = sampling->channels;
    float *output = sampling->output ? sampling->output : said;
    if (class) ddpm_unet_set_classes(sampling->unet, class);
    ddpm_unet_forward(sampling->unet, output, x, sampling->t, sampling->weights, NULL);
    if (sampling->output)
        ddpm_variance_split(said, variance, sampling->output, n * sampling->image_floats / channels,
                            channels);
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

const ddpm_schedule *ddpm_sampling_schedule(const ddpm_sampling *sampling)
{
    return sampling->respaced ? sampling->respaced : sampling->full;
}

ddpm_sampler_options ddpm_train__sampler_options(ddpm_sampling *sampling)
{
    const ddpm_sample_options *options = &sampling->options;
    return (ddpm_sampler_options){ .name = options->sampler,
                                   .prediction = options->prediction,
                                   .variance = options->variance,
                                   .trained = sampling->full,
                                   .clip = options->clip,
                                   .eta = options->eta,
                                   .denoise = denoise,
                                   .denoise_context = sampling };
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
    const ddpm_sampler_options sampler = ddpm_train__sampler_options(sampling);
    status = ddpm_sampler_check(&sampler, ddpm_sampling_schedule(sampling));
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
