#include "dataset_private.h"
#include "ddpm/base/log.h"
#include "ddpm/io/h5.h"
#include "import_private.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PLANES_MOST = 4 /* of a dimension that is taken for channels */ };

/* One input: its array, and how that is laid out. */
typedef struct {
    ddpm_h5 *file;
    char object[256];
    ddpm_shape shape;
    bool planes;    /* [N,C,H,W] */
    bool is_float;  /* else uint8 */
    size_t outside; /* values beyond the stated range */
} source;

/* Arrays that may be images, for a file that has just one. */
typedef struct {
    char object[256];
    size_t count;
} candidates;

static ddpm_status count_candidate(const char *object, const ddpm_h5_info *info, void *context)
{
    candidates *all = context;
    if (info->rank != 3 && info->rank != 4) return DDPM_OK;
    if (all->count++ == 0) snprintf(all->object, sizeof all->object, "%s", object);
    return DDPM_OK;
}

static ddpm_status choose_object(source *in, const ddpm_import_options *options)
{
    const char *path = ddpm_h5_name(in->file);
    candidates all = { .count = 0 };
    if (options->object) {
        snprintf(in->object, sizeof in->object, "%s%s", options->object[0] == '/' ? "" : "/",
                 options->object);
        return DDPM_OK;
    }
    DDPM_TRY(ddpm_h5_each(in->file, "/", count_candidate, &all));
    if (all.count == 0) return ddpm_fail(DDPM_EDATA, "%s has no array of 3 or 4 dimensions", path);
    if (all.count > 1)
        return ddpm_fail(DDPM_EUSAGE,
                         "%s has %zu arrays of 3 or 4 dimensions (%s is one): say which by "
                         "--object",
                         path, all.count, all.object);
    snprintf(in->object, sizeof in->object, "%s", all.object);
    return DDPM_OK;
}

/* The layout that was stated, or the only one where just the channels are few. */
static ddpm_status choose_layout(source *in, const ddpm_h5_info *array, const char *layout)
{
    const char *path = ddpm_h5_name(in->file);
    const size_t *s = array->size;
    const bool first_is_few = s[1] <= PLANES_MOST, last_is_few = s[3] <= PLANES_MOST;
    if (array->rank != 3 && array->rank != 4)
        return ddpm_fail(DDPM_EDATA, "%s: %s has %zu dimensions; images have 3 or 4", path,
                         in->object, array->rank);
    if (layout && strlen(layout) != array->rank)
        return ddpm_fail(DDPM_EUSAGE, "%s: %s has %zu dimensions, so its layout is not %s", path,
                         in->object, array->rank, layout);
    if (array->rank == 3) {
        in->shape = (ddpm_shape){ s[0], s[1], s[2], 1 };
        return DDPM_OK;
    }
    if (!layout && first_is_few == last_is_few)
        return ddpm_fail(
            DDPM_EUSAGE,
            "%s: %s is [%zu,%zu,%zu,%zu]: say by --layout whether that is nhwc or nchw", path,
            in->object, s[0], s[1], s[2], s[3]);
    in->planes = layout ? strcmp(layout, "nchw") == 0 : first_is_few;
    in->shape = in->planes ? (ddpm_shape){ s[0], s[2], s[3], s[1] }
                           : (ddpm_shape){ s[0], s[1], s[2], s[3] };
    return DDPM_OK;
}

static ddpm_status open_source(source *in, const char *path, const ddpm_import_options *options)
{
    *in = (source){ 0 };
    DDPM_TRY(ddpm_h5_open(&in->file, path));
    ddpm_h5_info array = { 0 };
    DDPM_TRY(choose_object(in, options));
    DDPM_TRY(ddpm_h5_info_of(&array, in->file, in->object));
    DDPM_TRY(choose_layout(in, &array, options->layout));
    if (array.count == 0) return ddpm_fail(DDPM_EDATA, "%s: %s is empty", path, in->object);
    in->is_float = array.type != DDPM_H5_U8;
    const ddpm_dataset_info claim = { .shape = in->shape,
                                      .is_float = in->is_float,
                                      .range_max = 1.0f };
    DDPM_TRY(ddpm_data__check_info(&claim, path));
    if (!in->is_float && options->has_range)
        return ddpm_fail(DDPM_EUSAGE,
                         "%s: %s holds bytes, whose range is 0 to 255; --range is for other types",
                         path, in->object);
    return DDPM_OK;
}

static size_t image_values(const source *in)
{
    return in->shape.h * in->shape.w * in->shape.c;
}

static ddpm_status read_block(source *in, void *data, size_t first, size_t n)
{
    return ddpm_h5_read_rows(in->file, in->object, in->is_float ? DDPM_H5_F32 : DDPM_H5_U8, data,
                             first, n);
}

/* Least and greatest value over an array, into *range. */
static ddpm_status measure(float range[2], source *in, float *buffer, size_t block)
{
    for (size_t i = 0; i < in->shape.n; i += block) {
        const size_t n = in->shape.n - i < block ? in->shape.n - i : block;
        DDPM_TRY(read_block(in, buffer, i, n));
        for (size_t k = 0; k < n * image_values(in); k++) {
            if (!isfinite(buffer[k]))
                return ddpm_fail(DDPM_EDATA,
                                 "%s: %s has a value that is infinite or not a number "
                                 "in image %zu",
                                 ddpm_h5_name(in->file), in->object, i + k / image_values(in));
            if (buffer[k] < range[0]) range[0] = buffer[k];
            if (buffer[k] > range[1]) range[1] = buffer[k];
        }
    }
    return DDPM_OK;
}

/* [C,H,W] to [H,W,C], values of `bytes` bytes. */
static void interleave(unsigned char *to, const unsigned char *from, ddpm_shape s, size_t bytes)
{
    const size_t pixels = s.h * s.w;
    for (size_t c = 0; c < s.c; c++)
        for (size_t p = 0; p < pixels; p++)
            memcpy(to + (p * s.c + c) * bytes, from + (c * pixels + p) * bytes, bytes);
}

/* Labels first .. first + n - 1, integers of any width. */
static ddpm_status read_labels(int64_t *labels, source *in, const char *object, size_t first,
                               size_t n)
{
    ddpm_h5_info info;
    DDPM_TRY(ddpm_h5_info_of(&info, in->file, object));
    if (info.rank != 1 || info.count != in->shape.n)
        return ddpm_fail(DDPM_EDATA, "%s: %s has %zu elements in %zu dimensions, for %zu images",
                         ddpm_h5_name(in->file), object, info.count, info.rank, in->shape.n);
    if (info.type != DDPM_H5_U64)
        return ddpm_h5_read_rows(in->file, object, DDPM_H5_I64, labels, first, n);
    /* The same bits: a label beyond int64 becomes negative, which the writer refuses. */
    return ddpm_h5_read_rows(in->file, object, DDPM_H5_U64, labels, first, n);
}

static ddpm_status copy(ddpm_data__sink *sink, source *in, const ddpm_import_options *options)
{
    const size_t value_bytes = in->is_float ? sizeof(float) : 1, values = image_values(in);
    const size_t image_bytes = values * value_bytes, block = ddpm_data__block_images(image_bytes);
    const char *label_object = options->label_count ? options->labels[0] : NULL;
    unsigned char *raw = malloc(block * image_bytes), *images = malloc(block * image_bytes);
    int64_t *labels = malloc(block * sizeof *labels);
    ddpm_status status = DDPM_OK;
    if (!raw || !images || !labels)
        status = ddpm_fail(DDPM_EOS, "%s: out of memory", ddpm_h5_name(in->file));
    for (size_t i = 0; i < in->shape.n && status == DDPM_OK; i += block) {
        const size_t n = in->shape.n - i < block ? in->shape.n - i : block;
        if (label_object) status = read_labels(labels, in, label_object, i, n);
        if (status == DDPM_OK) status = read_block(in, raw, i, n);
        if (status != DDPM_OK) break;
        if (in->is_float && options->has_range)
            for (size_t k = 0; k < n * values; k++) {
                const double v = (double)((const float *)(const void *)raw)[k];
                in->outside += v < options->range_min || v > options->range_max;
            }
        for (size_t k = 0; k < n && in->planes; k++)
            interleave(images + k * image_bytes, raw + k * image_bytes, in->shape, value_bytes);
        status = ddpm_data__sink_put(sink, in->planes ? images : raw, label_object ? labels : NULL,
                                     n);
    }
    free(labels);
    free(images);
    free(raw);
    return status;
}

/* Opens every input and holds it against the first; finds the range. Adds up the images. */
static ddpm_status survey(ddpm_dataset_info *info, const ddpm_import_options *options)
{
    float range[2] = { FLT_MAX, -FLT_MAX };
    float *buffer = NULL;
    ddpm_status status = DDPM_OK;
    for (size_t i = 0; i < options->input_count && status == DDPM_OK; i++) {
        source in;
        status = open_source(&in, options->inputs[i], options);
        if (status == DDPM_OK && i == 0) {
            info->shape = (ddpm_shape){ 0, in.shape.h, in.shape.w, in.shape.c };
            info->is_float = in.is_float;
        } else if (status == DDPM_OK &&
                   (in.shape.h != info->shape.h || in.shape.w != info->shape.w ||
                    in.shape.c != info->shape.c || in.is_float != info->is_float))
            status = ddpm_fail(DDPM_EDATA, "%s: %s has another shape or type than that of %s",
                               options->inputs[i], in.object, options->inputs[0]);
        if (status == DDPM_OK) info->shape.n += in.shape.n;
        if (status == DDPM_OK && in.is_float && !options->has_range) {
            const size_t bytes = image_values(&in) * sizeof(float);
            const size_t block = ddpm_data__block_images(bytes);
            buffer = buffer ? buffer : malloc(block * bytes);
            status = buffer ? measure(range, &in, buffer, block)
                            : ddpm_fail(DDPM_EOS, "%s: out of memory", options->inputs[i]);
        }
        ddpm_h5_close(in.file);
    }
    free(buffer);
    if (status != DDPM_OK) return status;
    if (options->has_range) {
        range[0] = (float)options->range_min;
        range[1] = (float)options->range_max;
    } else if (!info->is_float) {
        range[0] = 0.0f;
        range[1] = 255.0f;
    } else if (!(range[0] < range[1]))
        return ddpm_fail(DDPM_EDATA,
                         "%s: every value is %g, so there is no range to measure; state "
                         "one by --range",
                         options->inputs[0], (double)range[0]);
    info->range_min = range[0];
    info->range_max = range[1];
    return DDPM_OK;
}

ddpm_status ddpm_data__import_hdf5(const ddpm_import_options *options)
{
    if (options->label_count > 1)
        return ddpm_fail(DDPM_EUSAGE, "give --labels once: the object's path in each file");
    ddpm_dataset_info info = { .has_labels = options->label_count > 0 };
    ddpm_data__describe(&info, options, "hdf5");
    DDPM_TRY(survey(&info, options));
    ddpm_data__sink sink;
    DDPM_TRY(ddpm_data__sink_open(&sink, options->output, &info, options->pad, info.shape.n,
                                  options->stop));
    ddpm_status status = DDPM_OK;
    for (size_t i = 0; i < options->input_count && status == DDPM_OK; i++) {
        source in;
        status = open_source(&in, options->inputs[i], options);
        if (status == DDPM_OK) status = copy(&sink, &in, options);
        if (status == DDPM_OK && in.outside > 0)
            ddpm_log_warning("%s: %zu values of %s lie outside of the stated range",
                             options->inputs[i], in.outside, in.object);
        ddpm_h5_close(in.file);
    }
    return ddpm_data__sink_close(&sink, status);
}
