#include "image_codec.h"

#include <assert.h>
#include <stdlib.h>

/* Area resampling in integers: on a line of `in` * `out` units, input pixel j covers
   [j out, (j+1) out) and output pixel i covers [i in, (i+1) in); the weight of j in i is their
   overlap, and the weights of one i add up to `in`. So a constant stays what it is, the mean is
   kept to rounding, and the result is the same on every machine. */
static size_t overlap(size_t j, size_t i, size_t in, size_t out)
{
    const size_t from = j * out > i * in ? j * out : i * in;
    const size_t to = (j + 1) * out < (i + 1) * in ? (j + 1) * out : (i + 1) * in;
    return to > from ? to - from : 0;
}

/* sum [width * channels] = a row of `in_width` pixels, each output pixel times in_width. */
static void resize_row(uint32_t *sum, const uint8_t *row, size_t in_width, size_t width,
                       size_t channels)
{
    for (size_t i = 0; i < width; i++)
        for (size_t c = 0; c < channels; c++) {
            uint32_t total = 0;
            for (size_t j = i * in_width / width; j < in_width; j++) {
                const size_t weight = overlap(j, i, in_width, width);
                if (weight == 0) break;
                total += (uint32_t)weight * row[j * channels + c];
            }
            sum[i * channels + c] = total;
        }
}

typedef struct {
    size_t top, left, height, width;
} window;

/* The largest centred part of the aspect height : width. */
static window centre_crop(const ddpm_image *in, size_t height, size_t width)
{
    window crop = { 0, 0, in->height, in->width };
    if (in->width * height > in->height * width) {
        crop.width = (in->height * width + height / 2) / height;
        if (crop.width == 0) crop.width = 1;
    } else {
        crop.height = (in->width * height + width / 2) / width;
        if (crop.height == 0) crop.height = 1;
    }
    crop.top = (in->height - crop.height) / 2;
    crop.left = (in->width - crop.width) / 2;
    return crop;
}

ddpm_status ddpm_image_crop_resize(ddpm_image *out, const ddpm_image *in, size_t height,
                                   size_t width)
{
    assert(height > 0 && width > 0 && in->height > 0 && in->width > 0);
    assert(in->width < 1 << 24 && in->height < 1 << 24 && width < 1 << 24 && height < 1 << 24);
    *out = (ddpm_image){ 0 };
    const window crop = centre_crop(in, height, width);
    const size_t count = width * in->channels;
    ddpm_image result = { height, width, in->channels, malloc(height * count) };
    uint32_t *row_sum = calloc(count, sizeof *row_sum);
    uint64_t *total = malloc(count * sizeof *total);
    ddpm_status status = DDPM_OK;
    if (!result.pixels || !row_sum || !total) {
        status = ddpm_fail(DDPM_EOS, "out of memory for an image of %zu x %zu", width, height);
        goto done;
    }
    const uint64_t whole = (uint64_t)crop.width * crop.height;
    size_t row_in_sum = SIZE_MAX; /* rows of two outputs overlap: the last is at hand */
    for (size_t i = 0; i < height; i++) {
        for (size_t k = 0; k < count; k++) total[k] = whole / 2;
        for (size_t j = i * crop.height / height; j < crop.height; j++) {
            const size_t weight = overlap(j, i, crop.height, height);
            if (weight == 0) break;
            if (j != row_in_sum)
                resize_row(row_sum,
                           in->pixels + ((crop.top + j) * in->width + crop.left) * in->channels,
                           crop.width, width, in->channels);
            row_in_sum = j;
            for (size_t k = 0; k < count; k++) total[k] += (uint64_t)weight * row_sum[k];
        }
        for (size_t k = 0; k < count; k++)
            result.pixels[i * count + k] = (uint8_t)(total[k] / whole);
    }
done:
    free(total);
    free(row_sum);
    if (status == DDPM_OK)
        *out = result;
    else
        free(result.pixels);
    return status;
}
