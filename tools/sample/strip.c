#include "strip.h"

#include "ddpm/base/memory.h"
#include "ddpm/io/image.h"

#include <string.h>

/* With frames a row of the picture is one image; else it is one of the drawing. */
static void lay_out(sample_strip *strip, const ddpm_drawing *drawing)
{
    const size_t rows = drawing->rows ? drawing->row_count : 1;
    strip->is_grid = !drawing->rows && !drawing->frames && !strip->job->before;
    strip->rows = drawing->frames ? rows * drawing->columns : rows;
    strip->drawn = drawing->frames ? drawing->frames : drawing->columns;
    strip->row_items = drawing->frames ? 1 : drawing->columns;
}

static void put_ends(sample_strip *strip)
{
    const sample_job *job = strip->job;
    const size_t d = sample_image_floats(job), columns = strip->columns;
    for (size_t row = 0; row < strip->rows; row++) {
        float *line = strip->images + row * columns * d;
        if (job->before) memcpy(line, job->before + row * job->before_stride, d * sizeof *line);
        if (job->after) memcpy(line + (columns - 1) * d, job->after, d * sizeof *line);
    }
}

/* 0: a grid, near-square. */
static size_t columns_of(const sample_strip *strip)
{
    return strip->is_grid ? 0 : strip->columns;
}

static ddpm_status check_size(const sample_strip *strip)
{
    const ddpm_shape s = sample_image_shape(strip->job);
    const size_t images = strip->rows * strip->columns;
    size_t height = 0, width = 0;
    if (ddpm_image_grid_size(&height, &width, images, s.h, s.w, columns_of(strip))) return DDPM_OK;
    return ddpm_fail(DDPM_ECONFIG,
                     "-n %zu: a picture of %zu x %zu pixels is too large for a PNG; name FILE.h5",
                     strip->job->drawing.columns, height, width);
}

ddpm_status sample_strip_create(sample_strip *strip, const sample_job *job)
{
    *strip = (sample_strip){ .job = job };
    lay_out(strip, &job->drawing);
    strip->columns = strip->drawn + (job->before != NULL) + (job->after != NULL);
    DDPM_TRY(check_size(strip));
    DDPM_TRY(ddpm_memory_alloc(&strip->images, strip->rows * strip->columns,
                               sample_image_floats(job) * sizeof(float), DDPM_MEMORY_DATA));
    put_ends(strip);
    return DDPM_OK;
}

ddpm_status sample_strip_put(const float *images, size_t first, size_t count, void *context)
{
    sample_strip *strip = context;
    const size_t d = sample_image_floats(strip->job), before = strip->job->before != NULL;
    const size_t item = strip->drawn / strip->row_items; /* images in one of the sink's */
    for (size_t i = 0; i < count; i++) {
        const size_t at = first - strip->job->options.first + i;
        const size_t row = at / strip->row_items, column = at % strip->row_items;
        memcpy(strip->images + (row * strip->columns + before + column * item) * d,
               images + i * item * d, item * d * sizeof *images);
    }
    return DDPM_OK;
}

ddpm_status sample_strip_write(const sample_strip *strip, const char *path)
{
    const ddpm_shape s = sample_image_shape(strip->job);
    return ddpm_image_write_grid(path, strip->images, strip->rows * strip->columns, s.h, s.w, s.c,
                                 columns_of(strip));
}

void sample_strip_free(sample_strip *strip)
{
    ddpm_memory_free(strip->images);
    *strip = (sample_strip){ 0 };
}
