/** @file fuzz_image.h  An image file, read with its own channels, as grey and as colour, and
 *  resized. */
#ifndef FUZZ_IMAGE_H
#define FUZZ_IMAGE_H
#include "fuzz.h"

#include "ddpm/io/image.h"

static inline void fuzz_image(const uint8_t *data, size_t bytes)
{
    enum { PIXELS_MOST = 1 << 20, SIZE = 16 };
    static const size_t channels[] = { 0, 1, 3 };
    const char *path = fuzz_input(data, bytes);
    ddpm_image image, square;
    const ddpm_status status = ddpm_image_read(&image, path, channels[bytes % 3], PIXELS_MOST);
    fuzz_check(status);
    if (status != DDPM_OK) return;
    FUZZ_REQUIRE(image.height * image.width <= PIXELS_MOST);
    FUZZ_REQUIRE(image.channels == 1 || image.channels == 3);
    FUZZ_REQUIRE(ddpm_image_crop_resize(&square, &image, SIZE, SIZE) == DDPM_OK);
    ddpm_image_free(&square);
    ddpm_image_free(&image);
}
#endif
