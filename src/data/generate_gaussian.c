#include "ddpm/base/philox.h"
#include "generate_private.h"
#include "import_private.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* A stationary autoregression of first order along `count` values, `stride` apart: from independent
   standard normals z, x[0] = z[0], x[i] = rho x[i-1] + sqrt(1 - rho^2) z[i] has unit variance and
   cov(x[i], x[j]) = rho^|i-j|. */
static void correlate(float *x, size_t count, size_t stride, double rho)
{
    const double fresh = sqrt(1.0 - rho * rho);
    for (size_t i = 1; i < count; i++)
        x[i * stride] = (float)(rho * (double)x[(i - 1) * stride] + fresh * (double)x[i * stride]);
}

/* Along rows, then along columns: the covariance of the one is kept by the other, so together it is
   the Kronecker product of both. */
void ddpm_generate_gaussian(float *image, const ddpm_generate_options *options, uint64_t index)
{
    const size_t side = options->size, channels = options->channels;
    const size_t values = side * side * channels;
    const ddpm_random random = { .seed = options->seed,
                                 .index = index,
                                 .purpose = DDPM_RANDOM_DATA };
    ddpm_random_normal(image, values, &random);
    for (size_t line = 0; line < side; line++)
        for (size_t c = 0; c < channels; c++)
            correlate(image + line * side * channels + c, side, channels, options->correlation);
    for (size_t k = 0; k < side * channels; k++)
        correlate(image + k, side, side * channels, options->correlation);
    for (size_t k = 0; k < values; k++)
        image[k] = (float)(options->mean + options->std * (double)image[k]);
}

static ddpm_status note_parameters(ddpm_dataset_writer *writer,
                                   const ddpm_generate_options *options)
{
    DDPM_TRY(ddpm_dataset_writer_set_number(writer, "gaussian_mean", options->mean));
    DDPM_TRY(ddpm_dataset_writer_set_number(writer, "gaussian_std", options->std));
    DDPM_TRY(ddpm_dataset_writer_set_number(writer, "gaussian_correlation", options->correlation));
    return ddpm_dataset_writer_set_number(writer, "seed", (double)options->seed);
}

ddpm_status ddpm_data__generate_gaussian(const ddpm_generate_options *options)
{
    if (!isfinite(options->mean) || !isfinite(options->std) || options->std <= 0.0)
        return ddpm_fail(DDPM_EUSAGE, "a mean of %g and a deviation of %g make no distribution",
                         options->mean, options->std);
    if (!(options->correlation >= 0.0 && options->correlation < 1.0))
        return ddpm_fail(DDPM_EUSAGE, "a correlation of %g is not in [0, 1)", options->correlation);
    ddpm_dataset_info info = {
        .shape = { 0, options->size, options->size, options->channels },
        .is_float = true,
        .range_min = -1.0f,
        .range_max = 1.0f,
    };
    snprintf(info.name, sizeof info.name, "%s", options->name ? options->name : "gaussian");
    snprintf(info.source, sizeof info.source, "%s",
             options->source ? options->source : "generated gaussian");
    ddpm_data__sink sink;
    DDPM_TRY(ddpm_data__sink_open(&sink, options->output, &info, 0, options->n, options->stop));
    const size_t values = options->size * options->size * options->channels;
    float *image = malloc(values * sizeof *image);
    ddpm_status status = DDPM_OK;
    if (!image) status = ddpm_fail(DDPM_EOS, "%s: out of memory", options->output);
    for (size_t i = 0; i < options->n && status == DDPM_OK; i++) {
        ddpm_generate_gaussian(image, options, i);
        status = ddpm_data__sink_put(&sink, image, NULL, 1);
    }
    if (status == DDPM_OK) status = note_parameters(sink.writer, options);
    free(image);
    return ddpm_data__sink_close(&sink, status);
}
