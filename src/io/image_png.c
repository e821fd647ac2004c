#include "image_codec.h"

#include "ddpm/io/sealed_file.h"

#include <png.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* libpng reports through longjmp: what outlives a jump lies in this struct, not in locals. */
typedef struct {
    png_structp png;
    png_infop info;
    const unsigned char *from; /* reading */
    size_t left;
    unsigned char *to; /* writing */
    size_t used, capacity;
    png_bytep *rows;
    char reason[160];
} job;

static void fail(png_structp png, png_const_charp reason)
{
    job *work = png_get_error_ptr(png);
    snprintf(work->reason, sizeof work->reason, "%s", reason);
    png_longjmp(png, 1);
}

/* Warnings are about chunks beside the pixels. */
static void ignore_warning(png_structp png, png_const_charp reason)
{
    (void)png;
    (void)reason;
}

static void take(png_structp png, png_bytep data, size_t bytes)
{
    job *work = png_get_io_ptr(png);
    if (bytes > work->left) png_error(png, "the file is truncated");
    memcpy(data, work->from, bytes);
    work->from += bytes;
    work->left -= bytes;
}

static ddpm_status set_rows(job *work, const ddpm_image *image)
{
    work->rows = malloc(image->height * sizeof *work->rows);
    if (!work->rows) return ddpm_fail(DDPM_EOS, "out of memory for a PNG");
    for (size_t y = 0; y < image->height; y++)
        work->rows[y] = image->pixels + y * image->width * image->channels;
    return DDPM_OK;
}

/* Everything to 8 bits a channel, palette and transparency to colours and alpha. */
static void convert_to_bytes(job *work)
{
    png_set_expand(work->png);
    png_set_scale_16(work->png);
    png_set_interlace_handling(work->png);
    png_read_update_info(work->png, work->info);
}

static ddpm_status decode(job *work, ddpm_image *image, const char *path, size_t pixel_limit)
{
    if (setjmp(png_jmpbuf(work->png)))
        return ddpm_fail(DDPM_EDATA, "%s is a damaged PNG: %s", path, work->reason);
    png_set_read_fn(work->png, work, take);
    png_set_user_limits(work->png, 1 << 24, 1 << 24); /* our own limit gives the message */
    /* Text, profiles and the like are passed over: for some of them libpng would allocate whatever
       length they claim. */
    png_set_keep_unknown_chunks(work->png, PNG_HANDLE_CHUNK_NEVER, NULL, -1);
    png_set_chunk_malloc_max(work->png, 1 << 23);
    png_read_info(work->png, work->info);
    const size_t height = png_get_image_height(work->png, work->info);
    const size_t width = png_get_image_width(work->png, work->info);
    convert_to_bytes(work);
    DDPM_TRY(ddpm_io__image_alloc(image, height, width, png_get_channels(work->png, work->info),
                                  path, pixel_limit));
    DDPM_TRY(set_rows(work, image));
    png_read_image(work->png, work->rows);
    png_read_end(work->png, NULL);
    return DDPM_OK;
}

ddpm_status ddpm_io__png_decode(ddpm_image *image, const unsigned char *data, size_t bytes,
                                const char *path, size_t pixel_limit)
{
    job work = { .from = data, .left = bytes };
    work.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &work, fail, ignore_warning);
    if (work.png) work.info = png_create_info_struct(work.png);
    ddpm_status status = work.info ? decode(&work, image, path, pixel_limit)
                                   : ddpm_fail(DDPM_EOS, "%s: out of memory", path);
    free(work.rows);
    png_destroy_read_struct(&work.png, &work.info, NULL);
    return status;
}

static void give(png_structp png, png_bytep data, size_t bytes)
{
    job *work = png_get_io_ptr(png);
    if (work->capacity - work->used < bytes) {
        const size_t capacity = 2 * work->capacity + bytes;
        unsigned char *grown = realloc(work->to, capacity);
        if (!grown) png_error(png, "out of memory");
        work->to = grown;
        work->capacity = capacity;
    }
    memcpy(work->to + work->used, data, bytes);
    work->used += bytes;
}

static void nothing_to_flush(png_structp png)
{
    (void)png;
}

static ddpm_status encode(job *work, const ddpm_image *image, const char *path)
{
    static const int color[] = { PNG_COLOR_TYPE_GRAY, PNG_COLOR_TYPE_GRAY_ALPHA, PNG_COLOR_TYPE_RGB,
                                 PNG_COLOR_TYPE_RGB_ALPHA };
    if (setjmp(png_jmpbuf(work->png)))
        return ddpm_fail(DDPM_EINTERNAL, "%s: cannot make a PNG of %zu x %zu: %s", path,
                         image->width, image->height, work->reason);
    DDPM_TRY(set_rows(work, image));
    png_set_write_fn(work->png, work, give, nothing_to_flush);
    png_set_IHDR(work->png, work->info, (png_uint_32)image->width, (png_uint_32)image->height, 8,
                 color[image->channels - 1], PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
                 PNG_FILTER_TYPE_DEFAULT);
    png_write_info(work->png, work->info);
    png_write_image(work->png, work->rows);
    png_write_end(work->png, NULL);
    return DDPM_OK;
}

ddpm_status ddpm_image_write_png(const ddpm_image *image, const char *path)
{
    job work = { .rows = NULL };
    work.png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &work, fail, ignore_warning);
    if (work.png) work.info = png_create_info_struct(work.png);
    ddpm_status status = work.info ? encode(&work, image, path)
                                   : ddpm_fail(DDPM_EOS, "%s: out of memory", path);
    free(work.rows);
    png_destroy_write_struct(&work.png, &work.info);
    if (status == DDPM_OK) status = ddpm_publish_file(path, work.to, work.used);
    free(work.to);
    return status;
}
