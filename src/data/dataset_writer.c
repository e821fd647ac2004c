#include "dataset_private.h"

#include "ddpm/base/clock.h"
#include "ddpm/io/h5.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { DEFLATE = 4, LABELS_A_CHUNK = 8192 };

struct ddpm_dataset_writer {
    ddpm_h5 *file;
    ddpm_dataset_info info;
    ddpm_data__hash hash;
    ddpm_data__scale scale;
    /* [C]: of the scaled values so far; squares are of the distance to the mean. */
    double *mean, *squares, *part_sum, *part_squares;
};

static ddpm_status begin_file(ddpm_dataset_writer *writer)
{
    const ddpm_dataset_info *info = &writer->info;
    const size_t row[3] = { info->shape.h, info->shape.w, info->shape.c };
    const size_t fit = DDPM_DATA_CHUNK_BYTES / ddpm_data__image_bytes(info);
    DDPM_TRY(ddpm_h5_create_rows(writer->file, "/images", info->is_float ? DDPM_H5_F32 : DDPM_H5_U8,
                                 4, row, fit > 0 ? fit : 1, DEFLATE));
    if (info->has_labels)
        DDPM_TRY(ddpm_h5_create_rows(writer->file, "/labels", DDPM_H5_I64, 1, NULL, LABELS_A_CHUNK,
                                     DEFLATE));
    return DDPM_OK;
}

ddpm_status ddpm_dataset_writer_create(ddpm_dataset_writer **out, const char *path,
                                       const ddpm_dataset_info *info)
{
    DDPM_TRY(ddpm_data__check_info(info, path));
    ddpm_dataset_writer *writer = calloc(1, sizeof *writer);
    if (!writer) return ddpm_fail(DDPM_EOS, "%s: out of memory", path);
    writer->info = *info;
    writer->info.shape.n = 0;
    writer->info.classes = 0;
    writer->scale = ddpm_data__scale_of(info);
    ddpm_status status = ddpm_data__hash_begin(&writer->hash);
    if (status != DDPM_OK) goto done;
    writer->mean = calloc(4 * info->shape.c, sizeof *writer->mean);
    if (!writer->mean) {
        status = ddpm_fail(DDPM_EOS, "%s: out of memory", path);
        goto done;
    }
    writer->squares = writer->mean + info->shape.c;
    writer->part_sum = writer->squares + info->shape.c;
    writer->part_squares = writer->part_sum + info->shape.c;
    status = ddpm_h5_create(&writer->file, path);
    if (status == DDPM_OK) status = begin_file(writer);
done:
    if (status == DDPM_OK)
        *out = writer;
    else
        ddpm_dataset_writer_free(writer);
    return status;
}

/* Joins the moments of an image to those of all before (Chan, Golub, LeVeque 1983). */
static void join_moments(ddpm_dataset_writer *writer, size_t images_before)
{
    const size_t pixels = writer->info.shape.h * writer->info.shape.w;
    const double before = (double)images_before * (double)pixels, more = (double)pixels;
    for (size_t c = 0; c < writer->info.shape.c; c++) {
        const double mean = writer->part_sum[c] / more, difference = mean - writer->mean[c];
        const double squares = writer->part_squares[c] - more * mean * mean;
        writer->squares[c] += squares + difference * difference * before * more / (before + more);
        writer->mean[c] += difference * more / (before + more);
        writer->part_sum[c] = writer->part_squares[c] = 0.0;
    }
}

/* False where a value is not finite. */
static bool measure(ddpm_dataset_writer *writer, const void *images, size_t n)
{
    const size_t values = ddpm_data__image_values(&writer->info), channels = writer->info.shape.c;
    const uint8_t *bytes = images;
    const float *floats = images;
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < values; k += channels)
            for (size_t c = 0; c < channels; c++) {
                const size_t at = i * values + k + c;
                const double x = (double)(writer->info.is_float
                                              ? ddpm_data__scaled(&writer->scale, floats[at])
                                              : writer->scale.byte[bytes[at]]);
                writer->part_sum[c] += x;
                writer->part_squares[c] += x * x;
            }
        for (size_t c = 0; c < channels; c++)
            if (!isfinite(writer->part_squares[c])) return false;
        join_moments(writer, writer->info.shape.n + i);
    }
    return true;
}

ddpm_status ddpm_dataset_writer_append(ddpm_dataset_writer *writer, const void *images,
                                       const int64_t *labels, size_t n)
{
    ddpm_dataset_info *info = &writer->info;
    assert((labels != NULL) == info->has_labels);
    const char *path = ddpm_h5_name(writer->file);
    for (size_t i = 0; labels && i < n; i++) {
        if (labels[i] < 0 || labels[i] >= DDPM_DATA_CLASSES_MOST)
            return ddpm_fail(DDPM_EDATA, "%s: image %zu has the label %lld; labels are 0 to %d",
                             path, info->shape.n + i, (long long)labels[i],
                             DDPM_DATA_CLASSES_MOST - 1);
        if ((size_t)labels[i] >= info->classes) info->classes = (size_t)labels[i] + 1;
    }
    if (!measure(writer, images, n))
        return ddpm_fail(DDPM_EDATA,
                         "%s: one of the images %zu to %zu has a value that is infinite or not a "
                         "number",
                         path, info->shape.n, info->shape.n + n - 1);
    ddpm_data__hash_images(&writer->hash, images, n * ddpm_data__image_bytes(info));
    DDPM_TRY(ddpm_h5_append_rows(writer->file, "/images", info->is_float ? DDPM_H5_F32 : DDPM_H5_U8,
                                 images, n));
    if (labels) {
        ddpm_data__hash_labels(&writer->hash, labels, n);
        DDPM_TRY(ddpm_h5_append_rows(writer->file, "/labels", DDPM_H5_I64, labels, n));
    }
    info->shape.n += n;
    return DDPM_OK;
}

ddpm_status ddpm_dataset_writer_set_number(ddpm_dataset_writer *writer, const char *name,
                                           double value)
{
    return ddpm_h5_set_attribute(writer->file, "/", name, DDPM_H5_F64, &value, 1);
}

ddpm_status ddpm_dataset_writer_set_text(ddpm_dataset_writer *writer, const char *name,
                                         const char *text)
{
    return ddpm_h5_set_attribute_text(writer->file, "/", name, text);
}

static ddpm_status write_attributes(ddpm_dataset_writer *writer)
{
    ddpm_h5 *file = writer->file;
    ddpm_dataset_info *info = &writer->info;
    const size_t channels = info->shape.c;
    const int64_t version[2] = { DDPM_DATA_MAJOR, DDPM_DATA_MINOR };
    const float range[2] = { info->range_min, info->range_max };
    for (size_t c = 0; c < channels; c++) {
        const double count = (double)(info->shape.n * info->shape.h * info->shape.w);
        writer->squares[c] = sqrt(fmax(writer->squares[c], 0.0) / count);
    }
    ddpm_clock_utc(info->created, sizeof info->created);
    ddpm_data__hash_finish(&writer->hash, info);
    DDPM_TRY(ddpm_h5_set_attribute_text(file, "/", "format", DDPM_DATA_FORMAT));
    DDPM_TRY(ddpm_h5_set_attribute(file, "/", "format_version", DDPM_H5_I64, version, 2));
    DDPM_TRY(ddpm_h5_set_attribute_text(file, "/", "name", info->name));
    DDPM_TRY(ddpm_h5_set_attribute_text(file, "/", "source", info->source));
    DDPM_TRY(ddpm_h5_set_attribute_text(file, "/", "created", info->created));
    DDPM_TRY(ddpm_h5_set_attribute_text(file, "/", "content_hash", info->content_hash));
    DDPM_TRY(ddpm_h5_set_attribute_text(file, "/images", "layout", "NHWC"));
    DDPM_TRY(ddpm_h5_set_attribute(file, "/images", "range", DDPM_H5_F32, range, 2));
    DDPM_TRY(ddpm_h5_set_attribute(file, "/images", "mean", DDPM_H5_F64, writer->mean, channels));
    return ddpm_h5_set_attribute(file, "/images", "std", DDPM_H5_F64, writer->squares, channels);
}

ddpm_status ddpm_dataset_writer_finish(ddpm_dataset_writer *writer)
{
    ddpm_status status = writer->info.shape.n > 0 ? write_attributes(writer)
                                                  : ddpm_fail(DDPM_EDATA, "%s: there are no images",
                                                              ddpm_h5_name(writer->file));
    if (status == DDPM_OK) {
        status = ddpm_h5_publish(writer->file);
        writer->file = NULL;
    }
    ddpm_dataset_writer_free(writer);
    return status;
}

void ddpm_dataset_writer_free(ddpm_dataset_writer *writer)
{
    if (!writer) return;
    ddpm_h5_close(writer->file);
    ddpm_data__hash_free(&writer->hash);
    free(writer->mean);
    free(writer);
}
