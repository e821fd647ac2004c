/** @file io/image.h  PNG (libpng) and JPEG (libjpeg-turbo), 8 bits, and grids of images. */
#ifndef DDPM_IO_IMAGE_H
#define DDPM_IO_IMAGE_H
#include "ddpm/base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    size_t height, width, channels; /**< 1 grey, 2 grey+alpha, 3 RGB, 4 RGBA */
    uint8_t *pixels;                /**< [H,W,C], malloc'ed */
} ddpm_image;
void ddpm_image_free(ddpm_image *image); /**< frees the pixels; takes NULL */

/** A PNG or JPEG file, told apart by its bytes; converted to `channels` (1 or 3; 0 keeps grey or
 *  colour). Alpha is blended over black. DDPM_ENOINPUT, DDPM_EDATA (with what is wrong). Above
 *  `pixel_limit` pixels it is refused before allocation. */
DDPM_NODISCARD ddpm_status ddpm_image_read(ddpm_image *image, const char *path, size_t channels,
                                           size_t pixel_limit);
/** Published whole (sealed_file.h). */
DDPM_NODISCARD ddpm_status ddpm_image_write_png(const ddpm_image *image, const char *path);

/** Centre crop to a square (or to the aspect of height x width), then area resize. */
DDPM_NODISCARD ddpm_status ddpm_image_crop_resize(ddpm_image *out, const ddpm_image *in,
                                                  size_t height, size_t width);
enum { DDPM_PNG_SIDE_MOST = 1000000 }; /**< pixels; libpng reads no more unless told to */

/** Pixels of the grid that ddpm_image_write_grid makes; false: more than a PNG can be. */
bool ddpm_image_grid_size(size_t *grid_height, size_t *grid_width, size_t n, size_t height,
                          size_t width, size_t columns);
/** A PNG of images x [N,H,W,C] with values in [-1,1]: near-square grid, row by row, 2 pixels
 *  between, enlarged by a whole factor so that small images can be seen. C = 1 grey, 3 colour;
 *  any other C shows the first channel, or the first three. columns 0: near-square. DDPM_ECONFIG:
 *  larger than a PNG can be. */
DDPM_NODISCARD ddpm_status ddpm_image_write_grid(const char *path, const float *x, size_t n,
                                                 size_t height, size_t width, size_t channels,
                                                 size_t columns);
#endif
