/** @file dataset_private.h  What reading and writing a dataset file have in common
 *  (docs/formats.md). */
#ifndef DATASET_PRIVATE_H
#define DATASET_PRIVATE_H
#include "ddpm/base/hash.h"
#include "ddpm/data/dataset.h"

#define DDPM_DATA_FORMAT "ddpm-dataset"
enum {
    DDPM_DATA_MAJOR = 1,
    DDPM_DATA_MINOR = 0,
    DDPM_DATA_SIDE_MOST = 1 << 16,
    DDPM_DATA_CHANNELS_MOST = 1 << 12,
    DDPM_DATA_CLASSES_MOST = 1 << 20,
    DDPM_DATA_IMAGE_BYTES_MOST = 1 << 30,
    DDPM_DATA_CHUNK_BYTES = 1 << 16 /* some images are decoded to read one of them */
};

static inline size_t ddpm_data__image_values(const ddpm_dataset_info *info)
{
    return info->shape.h * info->shape.w * info->shape.c;
}
static inline size_t ddpm_data__image_bytes(const ddpm_dataset_info *info)
{
    return ddpm_data__image_values(info) * (info->is_float ? sizeof(float) : 1);
}

/** DDPM_EDATA unless height, width, channels and the size of an image are within our limits and
 *  the range is one; `path` for the message. */
DDPM_NODISCARD ddpm_status ddpm_data__check_info(const ddpm_dataset_info *info, const char *path);

/** SHA-256 of images and labels as they pass by; the content hash is that of a header, which says
 *  type, shape and range, and of both digests. So it needs no count before the end, and it does
 *  not depend on chunks, compression or attributes. */
typedef struct {
    ddpm_sha256 *images, *labels;
} ddpm_data__hash;
DDPM_NODISCARD ddpm_status ddpm_data__hash_begin(ddpm_data__hash *hash);
void ddpm_data__hash_images(ddpm_data__hash *hash, const void *images, size_t bytes);
void ddpm_data__hash_labels(ddpm_data__hash *hash, const int64_t *labels, size_t count);
/** "sha256:..." into info->content_hash, by the rest of info. */
void ddpm_data__hash_finish(ddpm_data__hash *hash, ddpm_dataset_info *info);
void ddpm_data__hash_free(ddpm_data__hash *hash);

/** How values of a set become values in [-1,1]. */
typedef struct {
    bool identity;
    double scale, offset; /**< x = scale * v + offset */
    float byte[256];      /**< of each uint8 */
} ddpm_data__scale;
ddpm_data__scale ddpm_data__scale_of(const ddpm_dataset_info *info);
static inline float ddpm_data__scaled(const ddpm_data__scale *scale, float value)
{
    return scale->identity ? value : (float)(scale->scale * (double)value + scale->offset);
}
#endif
