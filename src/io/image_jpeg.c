#include "image_codec.h"

#include <setjmp.h>
#include <stdio.h>
/* jpeglib.h wants FILE and size_t to be there. */
#include <jpeglib.h>

#include <jerror.h>

/* A progressive file may have thousands of scans: minutes of work in a few bytes. */
enum { SCANS_MOST = 500 };

/* libjpeg reports through longjmp: what outlives a jump lies in this struct, not in locals. */
typedef struct {
    struct jpeg_decompress_struct jpeg;
    struct jpeg_error_mgr errors;
    struct jpeg_progress_mgr progress;
    jmp_buf escape;
    char reason[JMSG_LENGTH_MAX];
} job;

static void fail(j_common_ptr jpeg)
{
    job *work = jpeg->client_data;
    jpeg->err->format_message(jpeg, work->reason);
    longjmp(work->escape, 1);
}

/* Level -1 is corrupt data, which libjpeg would fill up with grey. */
static void on_message(j_common_ptr jpeg, int level)
{
    if (level < 0) fail(jpeg);
}

static void on_progress(j_common_ptr jpeg)
{
    job *work = jpeg->client_data;
    if (work->jpeg.input_scan_number <= SCANS_MOST) return;
    snprintf(work->reason, sizeof work->reason, "more than %d scans", SCANS_MOST);
    longjmp(work->escape, 1);
}

static ddpm_status decode(job *work, ddpm_image *image, const unsigned char *data, size_t bytes,
                          const char *path, size_t pixel_limit)
{
    struct jpeg_decompress_struct *jpeg = &work->jpeg;
    if (setjmp(work->escape))
        return ddpm_fail(DDPM_EDATA, "%s is a damaged JPEG: %s", path, work->reason);
    jpeg_create_decompress(jpeg);
    jpeg->progress = &work->progress;
    jpeg_mem_src(jpeg, data, bytes);
    jpeg_read_header(jpeg, TRUE);
    if (jpeg->num_components != 1 && jpeg->num_components != 3)
        return ddpm_fail(DDPM_EDATA, "%s is a JPEG of %d channels (CMYK?); convert it to RGB", path,
                         jpeg->num_components);
    jpeg->out_color_space = jpeg->num_components == 1 ? JCS_GRAYSCALE : JCS_RGB;
    jpeg->dct_method = JDCT_ISLOW;
    DDPM_TRY(ddpm_io__image_alloc(image, jpeg->image_height, jpeg->image_width,
                                  (size_t)jpeg->num_components, path, pixel_limit));
    jpeg_start_decompress(jpeg);
    while (jpeg->output_scanline < jpeg->output_height) {
        JSAMPROW row = image->pixels + jpeg->output_scanline * image->width * image->channels;
        jpeg_read_scanlines(jpeg, &row, 1);
    }
    jpeg_finish_decompress(jpeg);
    return DDPM_OK;
}

ddpm_status ddpm_io__jpeg_decode(ddpm_image *image, const unsigned char *data, size_t bytes,
                                 const char *path, size_t pixel_limit)
{
    job work = { .progress = { .progress_monitor = on_progress } };
    work.jpeg.err = jpeg_std_error(&work.errors);
    work.jpeg.client_data = &work;
    work.errors.error_exit = fail;
    work.errors.emit_message = on_message;
    const ddpm_status status = decode(&work, image, data, bytes, path, pixel_limit);
    jpeg_destroy_decompress(&work.jpeg);
    return status;
}
