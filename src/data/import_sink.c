#include "import_private.h"

#include "dataset_private.h"
#include "ddpm/base/clock.h"
#include "ddpm/base/log.h"
#include "ddpm/base/text.h"

#include <stdlib.h>
#include <string.h>

enum { LIVE_NS = 200 * 1000 * 1000 };

ddpm_status ddpm_data__sink_open(ddpm_data__sink *sink, const char *output,
                                 const ddpm_dataset_info *info, size_t pad, size_t expected,
                                 const volatile sig_atomic_t *stop)
{
    DDPM_TRY(ddpm_data__check_info(info, output));
    *sink = (ddpm_data__sink){ .h = info->shape.h,
                               .w = info->shape.w,
                               .c = info->shape.c,
                               .value_bytes = info->is_float ? sizeof(float) : 1,
                               .background = info->range_min,
                               .expected = expected,
                               .shown_ns = ddpm_clock_ns(),
                               .stop = stop };
    ddpm_dataset_info padded = *info;
    if (pad > 0 && (pad < sink->h || pad < sink->w || pad > DDPM_DATA_SIDE_MOST))
        return ddpm_fail(DDPM_EUSAGE, "cannot pad images of %zu x %zu to %zu x %zu", sink->w,
                         sink->h, pad, pad);
    if (pad > 0 && (pad != sink->h || pad != sink->w)) {
        padded.shape.h = padded.shape.w = sink->pad = pad;
        sink->top = (pad - sink->h) / 2;
        sink->left = (pad - sink->w) / 2;
        const size_t bytes = ddpm_data__image_bytes(&padded);
        sink->block_images = ddpm_data__block_images(bytes);
        sink->padded = calloc(sink->block_images, bytes);
        if (!sink->padded) return ddpm_fail(DDPM_EOS, "%s: out of memory", output);
        if (info->is_float)
            for (size_t i = 0; i < sink->block_images * bytes; i += sizeof sink->background)
                memcpy(sink->padded + i, &sink->background, sizeof sink->background);
    }
    const ddpm_status status = ddpm_dataset_writer_create(&sink->writer, output, &padded);
    if (status != DDPM_OK) {
        free(sink->padded);
        sink->padded = NULL;
    }
    return status;
}

static void show(ddpm_data__sink *sink)
{
    const uint64_t now = ddpm_clock_ns();
    if (now - sink->shown_ns < LIVE_NS) return;
    sink->shown_ns = now;
    char count[32], expected[32];
    if (sink->expected > 0)
        ddpm_log_live("%s of %s images", ddpm_text_count(count, sink->count),
                      ddpm_text_count(expected, sink->expected));
    else
        ddpm_log_live("%s images", ddpm_text_count(count, sink->count));
}

/* The rows of `n` images into the middle of as many padded ones. */
static void pad_images(ddpm_data__sink *sink, const unsigned char *images, size_t n)
{
    const size_t row = sink->w * sink->c * sink->value_bytes;
    const size_t padded_row = sink->pad * sink->c * sink->value_bytes;
    for (size_t i = 0; i < n; i++)
        for (size_t y = 0; y < sink->h; y++)
            memcpy(sink->padded + (i * sink->pad + sink->top + y) * padded_row +
                       sink->left * sink->c * sink->value_bytes,
                   images + (i * sink->h + y) * row, row);
}

ddpm_status ddpm_data__sink_put(ddpm_data__sink *sink, const void *images, const int64_t *labels,
                                size_t n)
{
    const size_t image_bytes = sink->h * sink->w * sink->c * sink->value_bytes;
    const size_t block = sink->pad ? sink->block_images : n;
    const unsigned char *from = images;
    if (sink->stop && *sink->stop)
        return ddpm_fail(DDPM_EAGAIN, "stopped by a signal after %zu images; nothing was written",
                         sink->count);
    for (size_t i = 0; i < n; i += block) {
        const size_t part = n - i < block ? n - i : block;
        if (sink->pad) pad_images(sink, from + i * image_bytes, part);
        DDPM_TRY(ddpm_dataset_writer_append(sink->writer,
                                            sink->pad ? sink->padded : from + i * image_bytes,
                                            labels ? labels + i : NULL, part));
        sink->count += part;
        show(sink);
    }
    return DDPM_OK;
}

ddpm_status ddpm_data__sink_close(ddpm_data__sink *sink, ddpm_status status)
{
    if (status == DDPM_OK)
        status = ddpm_dataset_writer_finish(sink->writer);
    else
        ddpm_dataset_writer_free(sink->writer);
    free(sink->padded);
    *sink = (ddpm_data__sink){ 0 };
    return status;
}
