/* From calls of the network to what is kept of a batch in a segment of the strata. */
#include "bpd_unit.h"

#include "ddpm/base/philox.h"

#include <assert.h>
#include <string.h>

size_t ddpm_bpd_segments(const ddpm_bpd_options *options)
{
    const size_t most = bpd_segment_most(options);
    return (options->strata_count + most - 1) / most;
}

size_t ddpm_bpd_segment(size_t stratum, const ddpm_bpd_options *options)
{
    return stratum / bpd_segment_most(options);
}

bool ddpm_bpd_ends_segment(size_t stratum, const ddpm_bpd_options *options)
{
    const size_t next = stratum + 1;
    return next == options->strata_count || next % bpd_segment_most(options) == 0;
}

size_t ddpm_bpd_unit_values(const ddpm_bpd_options *options)
{
    return bpd_images_at(options) + BPD_IMAGE_VALUES * options->batch;
}

size_t ddpm_diffusion__bpd_timestep(uint64_t image, size_t k, const ddpm_bpd_options *options)
{
    const ddpm_bpd_stratum stratum = options->strata[k];
    if (stratum.count == 1) return stratum.first;
    const ddpm_random random = { .seed = options->seed,
                                 .index = image,
                                 .purpose = DDPM_RANDOM_EVAL_TIMESTEP,
                                 .stream = (uint32_t)k };
    return stratum.first + (size_t)ddpm_random_below(stratum.count, &random);
}

static void begin(double *values, size_t count, const ddpm_bpd_options *options)
{
    memset(values, 0, ddpm_bpd_unit_values(options) * sizeof *values);
    values[BPD_COUNT] = (double)count;
}

void ddpm_bpd_add(double *values, const double *call, uint64_t first, size_t count, size_t stratum,
                  const ddpm_bpd_options *options)
{
    assert(count <= options->batch && stratum < options->strata_count);
    const size_t place = stratum % bpd_segment_most(options), steps = options->schedule->steps;
    if (place == 0) begin(values, count, options);
    double *sums = values + BPD_STRATA + place * BPD_STRATUM_VALUES;
    double *images = values + bpd_images_at(options);
    for (size_t i = 0; i < count; i++) {
        const double *said = call + i * BPD_CALL_VALUES, bits = said[BPD_CALL_BITS];
        double *image = images + i * BPD_IMAGE_VALUES;
        sums[BPD_BITS] += bits;
        sums[BPD_SQUARES] += bits * bits;
        sums[BPD_MSE] += said[BPD_CALL_MSE];
        image[BPD_IMAGE_BITS] += bits;
        if (stratum == 0) {
            image[BPD_IMAGE_DECODER] = bits;
            image[BPD_IMAGE_PRIOR] = said[BPD_CALL_PRIOR];
        } else {
            const size_t t = ddpm_diffusion__bpd_timestep(first + i, stratum, options);
            values[BPD_QUARTERS + t * DDPM_QUARTILES / steps] += bits;
        }
    }
}
