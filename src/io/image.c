#include "image_codec.h"

#include "ddpm/io/sealed_file.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void ddpm_image_free(ddpm_image *image)
{
    if (!image) return;
    free(image->pixels);
    *image = (ddpm_image){ 0 };
}

ddpm_status ddpm_io__image_alloc(ddpm_image *image, size_t height, size_t width, size_t channels,
                                 const char *path, size_t pixel_limit)
{
    if (height == 0 || width == 0 || height > pixel_limit / width)
        return ddpm_fail(DDPM_EDATA,
                         "%s says it is %zu x %zu pixels, and at most %zu pixels are allowed", path,
                         width, height, pixel_limit);
    image->pixels = calloc(height * width, channels);
    if (!image->pixels)
        return ddpm_fail(DDPM_EOS, "%s: out of memory for %zu x %zu pixels", path, width, height);
    image->height = height;
    image->width = width;
    image->channels = channels;
    return DDPM_OK;
}

/* c a / 255, rounded. */
static uint8_t over_black(uint8_t c, uint8_t a)
{
    return (uint8_t)((c * a + 127) / 255);
}

/* Luma of ITU-R BT.601, as JPEG defines grey; weights in 1/65536, whose sum is 65536. */
static uint8_t luma(const uint8_t rgb[3])
{
    return (uint8_t)((19595U * rgb[0] + 38470U * rgb[1] + 7471U * rgb[2] + 32768U) >> 16);
}

/* In place where the pixels shrink; image->pixels is reallocated where they grow. */
static ddpm_status convert(ddpm_image *image, size_t channels, const char *path)
{
    const size_t from = image->channels, colors = from <= 2 ? 1 : 3;
    const bool alpha = from == 2 || from == 4;
    const size_t to = channels == 0 ? colors : channels;
    const size_t count = image->height * image->width;
    if (to == from) return DDPM_OK;
    uint8_t *out = malloc(count * to);
    if (!out) return ddpm_fail(DDPM_EOS, "%s: out of memory", path);
    for (size_t i = 0; i < count; i++) {
        uint8_t pixel[3];
        const uint8_t *in = image->pixels + i * from;
        for (size_t c = 0; c < 3; c++) {
            pixel[c] = in[colors == 1 ? 0 : c];
            if (alpha) pixel[c] = over_black(pixel[c], in[from - 1]);
        }
        if (to == 1)
            out[i] = colors == 1 ? pixel[0] : luma(pixel);
        else
            memcpy(out + 3 * i, pixel, 3);
    }
    free(image->pixels);
    image->pixels = out;
    image->channels = to;
    return DDPM_OK;
}

ddpm_status ddpm_image_read(ddpm_image *image, const char *path, size_t channels,
                            size_t pixel_limit)
{
    static const unsigned char png[8] = { 0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n' };
    static const unsigned char jpeg[3] = { 0xff, 0xd8, 0xff };
    assert(channels == 0 || channels == 1 || channels == 3);
    *image = (ddpm_image){ 0 };
    char *data;
    size_t bytes;
    /* At most 8 bytes a pixel (RGBA of 16 bits), and what comes beside the pixels. */
    const size_t limit = pixel_limit < SIZE_MAX / 16 ? 8 * pixel_limit + (1 << 24) : SIZE_MAX / 2;
    DDPM_TRY(ddpm_read_file(&data, &bytes, path, limit));
    ddpm_status status;
    const unsigned char *content = (const unsigned char *)data;
    if (bytes >= sizeof png && memcmp(content, png, sizeof png) == 0)
        status = ddpm_io__png_decode(image, content, bytes, path, pixel_limit);
    else if (bytes >= sizeof jpeg && memcmp(content, jpeg, sizeof jpeg) == 0)
        status = ddpm_io__jpeg_decode(image, content, bytes, path, pixel_limit);
    else
        status = ddpm_fail(DDPM_EDATA, "%s is neither PNG nor JPEG", path);
    free(data);
    if (status == DDPM_OK) status = convert(image, channels, path);
    if (status != DDPM_OK) ddpm_image_free(image);
    return status;
}
