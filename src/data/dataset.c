#include "dataset_private.h"

#include "ddpm/base/memory.h"
#include "ddpm/io/h5.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { BLOCK_BYTES = 1 << 24 };

struct ddpm_dataset {
    ddpm_h5 *file;
    ddpm_dataset_info info;
    ddpm_data__scale scale;
    int64_t *labels;
    bool in_memory; /* is, or at the first read will be */
    void *content;  /* all images, or room for one */
    bool loaded;
};

static ddpm_h5_type type_of(const ddpm_dataset *set)
{
    return set->info.is_float ? DDPM_H5_F32 : DDPM_H5_U8;
}

static ddpm_status read_text(char *text, size_t size, ddpm_dataset *set, const char *name)
{
    char *found;
    DDPM_TRY(ddpm_h5_attribute_text(set->file, "/", name, &found));
    snprintf(text, size, "%s", found);
    free(found);
    return DDPM_OK;
}

static ddpm_status check_format(ddpm_dataset *set)
{
    const char *path = ddpm_h5_name(set->file);
    char format[32];
    int64_t version[2];
    if (!ddpm_h5_has_attribute(set->file, "/", "format") ||
        read_text(format, sizeof format, set, "format") != DDPM_OK ||
        strcmp(format, DDPM_DATA_FORMAT) != 0)
        return ddpm_fail(DDPM_EDATA,
                         "%s is an HDF5 file, but not a dataset of ddpm-data; make one of it by "
                         "\"ddpm-data import hdf5\"",
                         path);
    DDPM_TRY(ddpm_h5_attribute(set->file, "/", "format_version", DDPM_H5_I64, version, 2));
    if (version[0] == DDPM_DATA_MAJOR) return DDPM_OK;
    return ddpm_fail(
        DDPM_EDATA,
        "%s has version %lld of the dataset format, this program reads version %d; use "
        "a newer release",
        path, (long long)version[0], DDPM_DATA_MAJOR);
}

static ddpm_status read_images_info(ddpm_dataset *set)
{
    const char *path = ddpm_h5_name(set->file);
    ddpm_dataset_info *info = &set->info;
    ddpm_h5_info images;
    DDPM_TRY(ddpm_h5_info_of(&images, set->file, "/images"));
    if (images.rank != 4 || (images.type != DDPM_H5_U8 && images.type != DDPM_H5_F32))
        return ddpm_fail(DDPM_EDATA, "%s: /images is not [N,H,W,C] of uint8 or float32", path);
    if (images.size[0] == 0) return ddpm_fail(DDPM_EDATA, "%s: there are no images", path);
    info->shape = (ddpm_shape){ images.size[0], images.size[1], images.size[2], images.size[3] };
    info->is_float = images.type == DDPM_H5_F32;
    info->chunk_images = images.chunk_rows;
    float range[2];
    DDPM_TRY(ddpm_h5_attribute(set->file, "/images", "range", DDPM_H5_F32, range, 2));
    info->range_min = range[0];
    info->range_max = range[1];
    return ddpm_data__check_info(info, path);
}

static ddpm_status read_labels(ddpm_dataset *set)
{
    const char *path = ddpm_h5_name(set->file);
    ddpm_dataset_info *info = &set->info;
    ddpm_h5_info labels;
    info->has_labels = ddpm_h5_exists(set->file, "/labels");
    if (!info->has_labels) return DDPM_OK;
    DDPM_TRY(ddpm_h5_info_of(&labels, set->file, "/labels"));
    if (labels.rank != 1 || labels.count != info->shape.n)
        return ddpm_fail(DDPM_EDATA, "%s: there are %zu labels for %zu images", path, labels.count,
                         info->shape.n);
    DDPM_TRY(ddpm_memory_alloc(&set->labels, labels.count, sizeof *set->labels, DDPM_MEMORY_DATA));
    DDPM_TRY(ddpm_h5_read(set->file, "/labels", DDPM_H5_I64, set->labels, labels.count));
    for (size_t i = 0; i < labels.count; i++) {
        if (set->labels[i] < 0 || set->labels[i] >= DDPM_DATA_CLASSES_MOST)
            return ddpm_fail(DDPM_EDATA, "%s: image %zu has the label %lld", path, i,
                             (long long)set->labels[i]);
        if ((size_t)set->labels[i] >= info->classes) info->classes = (size_t)set->labels[i] + 1;
    }
    return DDPM_OK;
}

static uint64_t content_bytes(const ddpm_dataset *set)
{
    return (uint64_t)set->info.shape.n * ddpm_data__image_bytes(&set->info);
}

ddpm_status ddpm_dataset_open(ddpm_dataset **out, const char *path)
{
    ddpm_dataset *set = calloc(1, sizeof *set);
    if (!set) return ddpm_fail(DDPM_EOS, "%s: out of memory", path);
    ddpm_dataset_info *info = &set->info;
    struct stat about;
    ddpm_status status = ddpm_h5_open(&set->file, path);
    if (status == DDPM_OK) status = check_format(set);
    if (status == DDPM_OK) status = read_images_info(set);
    if (status == DDPM_OK) status = read_labels(set);
    if (status == DDPM_OK) status = read_text(info->name, sizeof info->name, set, "name");
    if (status == DDPM_OK) status = read_text(info->source, sizeof info->source, set, "source");
    if (status == DDPM_OK) status = read_text(info->created, sizeof info->created, set, "created");
    if (status == DDPM_OK)
        status = read_text(info->content_hash, sizeof info->content_hash, set, "content_hash");
    if (status == DDPM_OK) {
        info->file_bytes = stat(path, &about) == 0 ? (uint64_t)about.st_size : 0;
        set->scale = ddpm_data__scale_of(info);
        const uint64_t share = ddpm_memory_limit_bytes() / 8;
        ddpm_dataset_hold_below(set, share < DDPM_DATASET_MEMORY_BYTES ? share
                                                                       : DDPM_DATASET_MEMORY_BYTES);
        *out = set;
    } else
        ddpm_dataset_close(set);
    return status;
}

void ddpm_dataset_hold_below(ddpm_dataset *set, uint64_t bytes)
{
    assert(!set->loaded);
    set->in_memory = content_bytes(set) <= bytes;
}

void ddpm_dataset_close(ddpm_dataset *set)
{
    if (!set) return;
    ddpm_h5_close(set->file);
    ddpm_memory_free(set->labels);
    ddpm_memory_free(set->content);
    free(set);
}

const ddpm_dataset_info *ddpm_dataset_get_info(const ddpm_dataset *set)
{
    return &set->info;
}

const int64_t *ddpm_dataset_labels(const ddpm_dataset *set)
{
    return set->labels;
}

ddpm_status ddpm_dataset_moments(ddpm_dataset *set, double *mean, double *std)
{
    const size_t channels = set->info.shape.c;
    DDPM_TRY(ddpm_h5_attribute(set->file, "/images", "mean", DDPM_H5_F64, mean, channels));
    return ddpm_h5_attribute(set->file, "/images", "std", DDPM_H5_F64, std, channels);
}

bool ddpm_dataset_number(double *value, ddpm_dataset *set, const char *name)
{
    return ddpm_h5_has_attribute(set->file, "/", name) &&
           ddpm_h5_attribute(set->file, "/", name, DDPM_H5_F64, value, 1) == DDPM_OK;
}

char *ddpm_dataset_text(ddpm_dataset *set, const char *name)
{
    char *text = NULL;
    if (!ddpm_h5_has_attribute(set->file, "/", name) ||
        ddpm_h5_attribute_text(set->file, "/", name, &text) != DDPM_OK)
        return NULL;
    return text;
}

uint64_t ddpm_dataset_memory_bytes(const ddpm_dataset *set)
{
    const uint64_t labels = set->labels ? set->info.shape.n * sizeof *set->labels : 0;
    const uint64_t images = set->in_memory
                                ? content_bytes(set)
                                : DDPM_H5_ROW_CACHE_BYTES + ddpm_data__image_bytes(&set->info);
    return labels + images;
}

/* Reads everything in blocks: each into its place of `whole`, or all into `block`; then holds the
   content hash against the file's. */
static ddpm_status stream(ddpm_dataset *set, unsigned char *whole, unsigned char *block,
                          size_t block_images)
{
    const size_t image_bytes = ddpm_data__image_bytes(&set->info);
    ddpm_data__hash hash;
    DDPM_TRY(ddpm_data__hash_begin(&hash));
    ddpm_status status = DDPM_OK;
    for (size_t i = 0; i < set->info.shape.n && status == DDPM_OK; i += block_images) {
        const size_t left = set->info.shape.n - i, n = left < block_images ? left : block_images;
        unsigned char *to = whole ? whole + i * image_bytes : block;
        status = ddpm_h5_read_rows(set->file, "/images", type_of(set), to, i, n);
        if (status == DDPM_OK) ddpm_data__hash_images(&hash, to, n * image_bytes);
    }
    if (status == DDPM_OK) {
        ddpm_dataset_info found = set->info;
        if (set->labels) ddpm_data__hash_labels(&hash, set->labels, set->info.shape.n);
        ddpm_data__hash_finish(&hash, &found);
        if (strcmp(found.content_hash, set->info.content_hash) != 0)
            status = ddpm_fail(DDPM_EDATA,
                               "%s is damaged: its content hash is %s, and it says %s; import it "
                               "again",
                               ddpm_h5_name(set->file), found.content_hash, set->info.content_hash);
    }
    ddpm_data__hash_free(&hash);
    return status;
}

/* Whole chunks, as many as a block holds. */
static size_t block_images(const ddpm_dataset *set)
{
    const size_t chunk = set->info.chunk_images > 0 ? set->info.chunk_images : 1;
    const size_t fit = BLOCK_BYTES / ddpm_data__image_bytes(&set->info) / chunk * chunk;
    const size_t images = fit > 0 ? fit : 1;
    return images < set->info.shape.n ? images : set->info.shape.n;
}

static ddpm_status load(ddpm_dataset *set)
{
    const size_t image_bytes = ddpm_data__image_bytes(&set->info);
    if (!set->content)
        DDPM_TRY(ddpm_memory_alloc(&set->content, set->in_memory ? set->info.shape.n : 1,
                                   image_bytes, DDPM_MEMORY_DATA));
    if (set->in_memory) DDPM_TRY(stream(set, set->content, NULL, block_images(set)));
    set->loaded = true;
    return DDPM_OK;
}

ddpm_status ddpm_dataset_verify(ddpm_dataset *set)
{
    unsigned char *block;
    const size_t images = block_images(set);
    DDPM_TRY(
        ddpm_memory_alloc(&block, images, ddpm_data__image_bytes(&set->info), DDPM_MEMORY_DATA));
    const ddpm_status status = stream(set, NULL, block, images);
    ddpm_memory_free(block);
    return status;
}

/* x [H,W,C] of one image; false where a value is not finite. */
static bool scale_image(float *x, const ddpm_dataset *set, const void *image, bool flip)
{
    const ddpm_shape s = set->info.shape;
    const uint8_t *bytes = image;
    const float *floats = image;
    bool finite = true;
    for (size_t h = 0; h < s.h; h++)
        for (size_t w = 0; w < s.w; w++) {
            float *to = x + (h * s.w + w) * s.c;
            const size_t from = (h * s.w + (flip ? s.w - 1 - w : w)) * s.c;
            if (!set->info.is_float)
                for (size_t c = 0; c < s.c; c++) to[c] = set->scale.byte[bytes[from + c]];
            else
                for (size_t c = 0; c < s.c; c++) {
                    to[c] = ddpm_data__scaled(&set->scale, floats[from + c]);
                    finite = finite && isfinite(to[c]);
                }
        }
    return finite;
}

ddpm_status ddpm_dataset_read(ddpm_dataset *set, float *x, int64_t *labels, const uint64_t *index,
                              const bool *flip, size_t n)
{
    const size_t image_bytes = ddpm_data__image_bytes(&set->info);
    const size_t values = ddpm_data__image_values(&set->info);
    assert(!labels || set->labels);
    if (!set->loaded) DDPM_TRY(load(set));
    for (size_t i = 0; i < n; i++) {
        assert(index[i] < set->info.shape.n);
        const unsigned char *image = set->content;
        if (set->in_memory)
            image += index[i] * image_bytes;
        else
            DDPM_TRY(ddpm_h5_read_rows(set->file, "/images", type_of(set), set->content,
                                       (size_t)index[i], 1));
        if (!scale_image(x + i * values, set, image, flip && flip[i]))
            return ddpm_fail(DDPM_EDATA,
                             "%s: image %llu has a value that is infinite or not a number",
                             ddpm_h5_name(set->file), (unsigned long long)index[i]);
        if (labels) labels[i] = set->labels[index[i]];
    }
    return DDPM_OK;
}

ddpm_status ddpm_dataset_read_batch(ddpm_dataset *set, float *x, int64_t *labels, uint64_t first,
                                    size_t n)
{
    uint64_t index[DDPM_DATASET_BATCH_MOST];
    const uint64_t last = set->info.shape.n - 1;
    assert(n <= DDPM_DATASET_BATCH_MOST);
    for (size_t i = 0; i < n; i++) index[i] = first + i < last ? first + i : last;
    return ddpm_dataset_read(set, x, labels, index, NULL, n);
}
