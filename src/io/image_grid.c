#include "ddpm/io/image.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    GAP = 2,          /* pixels between images */
    SIDE_WANTED = 96, /* small images are enlarged towards this */
    SIDE_MOST = 8192, /* of an enlarged grid */
    BACKGROUND = 255
};

/* -1..1 to 0..255; what is not a number is black. */
static uint8_t to_byte(float x)
{
    const float scaled = (x + 1.0f) * 127.5f;
    if (!(scaled > 0.0f)) return 0;
    return scaled >= 255.0f ? 255 : (uint8_t)lrintf(scaled);
}

static size_t enlargement(size_t height, size_t width, size_t rows, size_t columns)
{
    const size_t side = height > width ? height : width;
    size_t factor = SIDE_WANTED / side > 0 ? SIDE_WANTED / side : 1;
    while (factor > 1 && (rows * (height * factor + GAP) > SIDE_MOST ||
                          columns * (width * factor + GAP) > SIDE_MOST))
        factor--;
    return factor;
}

typedef struct {
    size_t columns, factor, height, width; /* the last two in pixels of the whole */
} layout;

static layout lay_out(size_t n, size_t height, size_t width, size_t columns)
{
    layout grid = { .columns = columns };
    if (columns == 0)
        while (grid.columns * grid.columns < n) grid.columns++;
    if (grid.columns > n) grid.columns = n;
    const size_t rows = (n + grid.columns - 1) / grid.columns;
    grid.factor = enlargement(height, width, rows, grid.columns);
    grid.height = rows * (height * grid.factor + GAP) - GAP;
    grid.width = grid.columns * (width * grid.factor + GAP) - GAP;
    return grid;
}

bool ddpm_image_grid_size(size_t *grid_height, size_t *grid_width, size_t n, size_t height,
                          size_t width, size_t columns)
{
    const layout grid = lay_out(n, height, width, columns);
    *grid_height = grid.height;
    *grid_width = grid.width;
    return grid.height <= DDPM_PNG_SIDE_MOST && grid.width <= DDPM_PNG_SIDE_MOST;
}

ddpm_status ddpm_image_write_grid(const char *path, const float *x, size_t n, size_t height,
                                  size_t width, size_t channels, size_t columns)
{
    assert(n > 0 && height > 0 && width > 0 && channels > 0);
    const layout plan = lay_out(n, height, width, columns);
    const size_t factor = plan.factor;
    ddpm_image grid = { .channels = channels >= 3 ? 3 : 1 };
    if (!ddpm_image_grid_size(&grid.height, &grid.width, n, height, width, columns))
        return ddpm_fail(DDPM_ECONFIG, "%s: a grid of %zu x %zu pixels is too large for a PNG",
                         path, grid.height, grid.width);
    const size_t bytes = grid.height * grid.width * grid.channels;
    grid.pixels = malloc(bytes);
    if (!grid.pixels)
        return ddpm_fail(DDPM_EOS, "%s: out of memory for a grid of %zu x %zu pixels", path,
                         grid.width, grid.height);
    memset(grid.pixels, BACKGROUND, bytes);
    for (size_t i = 0; i < n; i++) {
        const size_t top = i / plan.columns * (height * factor + GAP);
        const size_t left = i % plan.columns * (width * factor + GAP);
        for (size_t h = 0; h < height * factor; h++)
            for (size_t w = 0; w < width * factor; w++)
                for (size_t c = 0; c < grid.channels; c++)
                    grid.pixels[((top + h) * grid.width + left + w) * grid.channels + c] = to_byte(
                        x[((i * height + h / factor) * width + w / factor) * channels + c]);
    }
    const ddpm_status status = ddpm_image_write_png(&grid, path);
    ddpm_image_free(&grid);
    return status;
}
