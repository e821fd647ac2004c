#include "dataset_private.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
              "the content hash is defined over little-endian values");

ddpm_status ddpm_data__check_info(const ddpm_dataset_info *info, const char *path)
{
    const ddpm_shape s = info->shape;
    if (s.h == 0 || s.w == 0 || s.c == 0 || s.h > DDPM_DATA_SIDE_MOST ||
        s.w > DDPM_DATA_SIDE_MOST || s.c > DDPM_DATA_CHANNELS_MOST ||
        ddpm_data__image_bytes(info) > DDPM_DATA_IMAGE_BYTES_MOST)
        return ddpm_fail(
            DDPM_EDATA,
            "%s: images of %zu x %zu x %zu are not supported (sides up to %d, channels "
            "up to %d, 1 GiB an image)",
            path, s.h, s.w, s.c, DDPM_DATA_SIDE_MOST, DDPM_DATA_CHANNELS_MOST);
    if (!isfinite(info->range_min) || !isfinite(info->range_max) ||
        !(info->range_min < info->range_max))
        return ddpm_fail(DDPM_EDATA, "%s: %g to %g is no range of values", path,
                         (double)info->range_min, (double)info->range_max);
    /* Values of floats are looked at one by one, bytes become what this table says. */
    const ddpm_data__scale scale = ddpm_data__scale_of(info);
    if (!info->is_float && !(isfinite(scale.byte[0]) && isfinite(scale.byte[255])))
        return ddpm_fail(DDPM_EDATA, "%s: %g to %g is too narrow a range for bytes", path,
                         (double)info->range_min, (double)info->range_max);
    return DDPM_OK;
}

ddpm_status ddpm_data__hash_begin(ddpm_data__hash *hash)
{
    hash->images = ddpm_sha256_create();
    hash->labels = ddpm_sha256_create();
    if (hash->images && hash->labels) return DDPM_OK;
    ddpm_data__hash_free(hash);
    return ddpm_fail(DDPM_EOS, "out of memory for a hash");
}

void ddpm_data__hash_images(ddpm_data__hash *hash, const void *images, size_t bytes)
{
    ddpm_sha256_update(hash->images, images, bytes);
}

void ddpm_data__hash_labels(ddpm_data__hash *hash, const int64_t *labels, size_t count)
{
    ddpm_sha256_update(hash->labels, labels, count * sizeof *labels);
}

static uint32_t float_bits(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

void ddpm_data__hash_finish(ddpm_data__hash *hash, ddpm_dataset_info *info)
{
    /* The header's text, then the two digests. */
    unsigned char content[256 + 2 * DDPM_SHA256_BYTES], digest[DDPM_SHA256_BYTES];
    const int used = snprintf((char *)content, 256,
                              "ddpm-dataset content 1\nimages %s %zu %zu %zu %zu\n"
                              "range %08x %08x\nlabels %s\n",
                              info->is_float ? "float32" : "uint8", info->shape.n, info->shape.h,
                              info->shape.w, info->shape.c, float_bits(info->range_min),
                              float_bits(info->range_max), info->has_labels ? "int64" : "none");
    assert(used > 0 && used < 256);
    ddpm_sha256_finish(hash->images, content + used);
    ddpm_sha256_finish(hash->labels, content + used + DDPM_SHA256_BYTES);
    ddpm_sha256_of(digest, content, (size_t)used + 2 * DDPM_SHA256_BYTES);
    char hex[DDPM_SHA256_HEX];
    ddpm_hex(hex, digest, sizeof digest);
    snprintf(info->content_hash, sizeof info->content_hash, "sha256:%s", hex);
}

void ddpm_data__hash_free(ddpm_data__hash *hash)
{
    ddpm_sha256_free(hash->images);
    ddpm_sha256_free(hash->labels);
    *hash = (ddpm_data__hash){ 0 };
}

ddpm_data__scale ddpm_data__scale_of(const ddpm_dataset_info *info)
{
    const double min = (double)info->range_min, max = (double)info->range_max;
    ddpm_data__scale scale = {
        .identity = min == -1.0 && max == 1.0,
        .scale = 2.0 / (max - min),
        .offset = -1.0 - min * 2.0 / (max - min),
    };
    /* By division, so that 0..255 gives the doubles of v / 127.5 - 1. */
    for (int v = 0; v < 256; v++) scale.byte[v] = (float)((v - min) / ((max - min) / 2.0) - 1.0);
    return scale;
}
