/* IDX, as of http://yann.lecun.com/exdb/mnist: big-endian; two zero bytes, a type, a rank, then one
   32-bit size a dimension, then the values, the last dimension fastest. */
#include "import_private.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TYPE_UINT8 = 0x08, IMAGE_BYTES_MOST = 1 << 26 };

typedef struct {
    ddpm_data__stream stream;
    size_t rank, size[4];
} idx;

/* Opens a file and reads its header; rank 1 for labels, 3 or 4 for images. */
static ddpm_status open_idx(idx *file, const char *path, size_t least_rank, size_t most_rank)
{
    *file = (idx){ 0 };
    DDPM_TRY(ddpm_data__stream_open(&file->stream, path));
    unsigned char magic[4], size[4];
    ddpm_status status = ddpm_data__stream_take(&file->stream, magic, 4, "its header");
    if (status != DDPM_OK) goto done;
    if (magic[0] != 0 || magic[1] != 0) {
        status = ddpm_fail(DDPM_EDATA, "%s is not an IDX file: it begins with %02x %02x, not 00 00",
                           path, magic[0], magic[1]);
        goto done;
    }
    if (magic[2] != TYPE_UINT8) {
        status = ddpm_fail(DDPM_EDATA,
                           "%s holds IDX type 0x%02x; only bytes (0x08) are read, bring others as "
                           "HDF5",
                           path, magic[2]);
        goto done;
    }
    file->rank = magic[3];
    if (file->rank < least_rank || file->rank > most_rank) {
        status = ddpm_fail(DDPM_EDATA, "%s has %zu dimensions: %s", path, file->rank,
                           least_rank == 1 ? "labels have 1" : "images have 3 or 4");
        goto done;
    }
    for (size_t i = 0; i < file->rank && status == DDPM_OK; i++) {
        status = ddpm_data__stream_take(&file->stream, size, 4, "its header");
        file->size[i] = (size_t)size[0] << 24 | (size_t)size[1] << 16 | (size_t)size[2] << 8 |
                        (size_t)size[3];
    }
done:
    if (status != DDPM_OK) ddpm_data__stream_close(&file->stream);
    return status;
}

static ddpm_status open_images(idx *images, ddpm_shape *shape, const char *path)
{
    DDPM_TRY(open_idx(images, path, 3, 4));
    const size_t channels = images->rank == 4 ? images->size[3] : 1;
    *shape = (ddpm_shape){ images->size[0], images->size[1], images->size[2], channels };
    size_t bytes = shape->h;
    if (shape->n > 0 && bytes > 0 && !__builtin_mul_overflow(bytes, shape->w, &bytes) &&
        !__builtin_mul_overflow(bytes, channels, &bytes) && bytes > 0 &&
        bytes <= IMAGE_BYTES_MOST && bytes <= ddpm_data__stream_most(&images->stream))
        return DDPM_OK;
    ddpm_data__stream_close(&images->stream);
    return ddpm_fail(DDPM_EDATA, "%s says it has %zu images of %zu x %zu x %zu: that cannot be",
                     path, shape->n, shape->h, shape->w, channels);
}

/* One file of images, and its labels where labels_path is not NULL. */
static ddpm_status copy(ddpm_data__sink *sink, idx *images, ddpm_shape shape,
                        const char *labels_path)
{
    const size_t image_bytes = shape.h * shape.w * shape.c;
    const size_t block = ddpm_data__block_images(image_bytes);
    assert(image_bytes > 0);
    idx labels = { 0 };
    if (labels_path) DDPM_TRY(open_idx(&labels, labels_path, 1, 1));
    unsigned char *pixels = malloc(block * image_bytes), *small = malloc(block);
    int64_t *wide = malloc(block * sizeof *wide);
    ddpm_status status = DDPM_OK;
    if (!pixels || !small || !wide) {
        status = ddpm_fail(DDPM_EOS, "%s: out of memory", images->stream.path);
        goto done;
    }
    if (labels_path && labels.size[0] != shape.n)
        status = ddpm_fail(DDPM_EDATA, "%s has %zu labels, %s has %zu images", labels_path,
                           labels.size[0], images->stream.path, shape.n);
    for (size_t i = 0; i < shape.n && status == DDPM_OK; i += block) {
        const size_t n = shape.n - i < block ? shape.n - i : block;
        char what[64];
        snprintf(what, sizeof what, "its images %zu to %zu of %zu", i, i + n - 1, shape.n);
        status = ddpm_data__stream_take(&images->stream, pixels, n * image_bytes, what);
        if (status == DDPM_OK && labels_path)
            status = ddpm_data__stream_take(&labels.stream, small, n, "its labels");
        for (size_t k = 0; k < n && status == DDPM_OK && labels_path; k++) wide[k] = small[k];
        if (status == DDPM_OK)
            status = ddpm_data__sink_put(sink, pixels, labels_path ? wide : NULL, n);
    }
    if (status == DDPM_OK) status = ddpm_data__stream_end(&images->stream);
    if (status == DDPM_OK && labels_path) status = ddpm_data__stream_end(&labels.stream);
done:
    free(wide);
    free(small);
    free(pixels);
    ddpm_data__stream_close(&labels.stream);
    return status;
}

ddpm_status ddpm_data__import_idx(const ddpm_import_options *options)
{
    if (options->label_count > 0 && options->label_count != options->input_count)
        return ddpm_fail(DDPM_EUSAGE,
                         "%zu files of labels for %zu files of images: give --labels "
                         "once for each",
                         options->label_count, options->input_count);
    ddpm_data__sink sink = { 0 };
    ddpm_dataset_info info = { .has_labels = options->label_count > 0, .range_max = 255.0f };
    ddpm_data__describe(&info, options, "idx");
    ddpm_status status = DDPM_OK;
    for (size_t i = 0; i < options->input_count && status == DDPM_OK; i++) {
        const char *path = options->inputs[i];
        idx images;
        ddpm_shape shape;
        status = open_images(&images, &shape, path);
        if (status != DDPM_OK) break;
        if (i == 0) {
            info.shape = (ddpm_shape){ 0, shape.h, shape.w, shape.c };
            status = ddpm_data__sink_open(&sink, options->output, &info, options->pad,
                                          options->input_count == 1 ? shape.n : 0, options->stop);
        } else if (shape.h != info.shape.h || shape.w != info.shape.w || shape.c != info.shape.c)
            status = ddpm_fail(DDPM_EDATA,
                               "%s has images of %zu x %zu x %zu, %s of %zu x %zu x %zu", path,
                               shape.h, shape.w, shape.c, options->inputs[0], info.shape.h,
                               info.shape.w, info.shape.c);
        if (status == DDPM_OK)
            status = copy(&sink, &images, shape, info.has_labels ? options->labels[i] : NULL);
        ddpm_data__stream_close(&images.stream);
    }
    return ddpm_data__sink_close(&sink, status);
}
