/** @file image_codec.h  Decoders of one format each, from memory to 8-bit pixels. */
#ifndef IMAGE_CODEC_H
#define IMAGE_CODEC_H
#include "ddpm/io/image.h"

#include <stdbool.h>

/** The pixels as the file has them: 1, 2, 3 or 4 channels of 8 bits. `path` for messages. The
 *  caller frees the image, after a failure too. */
DDPM_NODISCARD ddpm_status ddpm_io__png_decode(ddpm_image *image, const unsigned char *data,
                                               size_t bytes, const char *path, size_t pixel_limit);
DDPM_NODISCARD ddpm_status ddpm_io__jpeg_decode(ddpm_image *image, const unsigned char *data,
                                                size_t bytes, const char *path, size_t pixel_limit);
/** DDPM_EDATA unless height x width is within the limit; then allocates the pixels. */
DDPM_NODISCARD ddpm_status ddpm_io__image_alloc(ddpm_image *image, size_t height, size_t width,
                                                size_t channels, const char *path,
                                                size_t pixel_limit);
#endif
