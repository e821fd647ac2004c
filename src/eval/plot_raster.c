#include "plot_canvas.h"

#include "ddpm/io/image.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = PLOT_WIDTH * PLOT_FINE, HEIGHT = PLOT_HEIGHT * PLOT_FINE };
static const uint32_t ink = 0x202020;

static void put(plot_raster *raster, long x, long y, uint32_t colour)
{
    if (x < 0 || y < 0 || x >= WIDTH || y >= HEIGHT) return;
    uint8_t *pixel = raster->pixels + ((size_t)y * WIDTH + (size_t)x) * 3;
    pixel[0] = (uint8_t)(colour >> 16);
    pixel[1] = (uint8_t)(colour >> 8);
    pixel[2] = (uint8_t)colour;
}

/* All pixels whose middle is within radius of the segment; of a point, a disc. */
static void line(plot_canvas *canvas, plot_point a, plot_point b, double width, uint32_t colour)
{
    const double radius = 0.5 * width * PLOT_FINE;
    const double ax = a.x * PLOT_FINE, ay = a.y * PLOT_FINE;
    const double dx = b.x * PLOT_FINE - ax, dy = b.y * PLOT_FINE - ay;
    const double square = dx * dx + dy * dy;
    const long left = lround(fmin(ax, ax + dx) - radius) - 1;
    const long right = lround(fmax(ax, ax + dx) + radius) + 1;
    const long top = lround(fmin(ay, ay + dy) - radius) - 1;
    const long bottom = lround(fmax(ay, ay + dy) + radius) + 1;
    for (long y = top; y <= bottom; y++)
        for (long x = left; x <= right; x++) {
            const double px = (double)x + 0.5 - ax, py = (double)y + 0.5 - ay;
            const double along = square > 0.0 ? (px * dx + py * dy) / square : 0.0;
            const double share = fmin(fmax(along, 0.0), 1.0);
            const double ex = px - share * dx, ey = py - share * dy;
            if (ex * ex + ey * ey <= radius * radius) put((plot_raster *)canvas, x, y, colour);
        }
}

static void disc(plot_canvas *canvas, plot_point centre, double radius, uint32_t colour)
{
    line(canvas, centre, centre, 2.0 * radius, colour);
}

/* A dot of a glyph as a square of `side` fine pixels, at (column, row) of the text. */
static void put_dot(plot_raster *raster, const plot_text *how, plot_point origin, long column,
                    long row, long side)
{
    for (long y = 0; y < side; y++)
        for (long x = 0; x < side; x++) {
            const long along = column * side + x, down = row * side + y;
            const long left = lround(origin.x), top = lround(origin.y);
            if (how->upwards)
                put(raster, left + down, top - along, ink);
            else
                put(raster, left + along, top + down, ink);
        }
}

static void text(plot_canvas *canvas, const char *words, const plot_text *how)
{
    /* Dots of 1 1/3 or 1 2/3 pixels; a glyph and its gap are 6 of them. */
    const long side = how->large ? 5 : 4, length = (long)strlen(words);
    const double extent = (double)(length * 6 - 1) * (double)side;
    plot_point origin = { how->at.x * PLOT_FINE, how->at.y * PLOT_FINE };
    if (how->upwards) {
        origin.y += how->anchor * extent;
        origin.x -= 7.0 * (double)side;
    } else {
        origin.x -= how->anchor * extent;
        origin.y -= 7.0 * (double)side;
    }
    for (long i = 0; i < length; i++) {
        const uint8_t *glyph = plot_glyph(words[i]);
        for (long column = 0; column < PLOT_GLYPH_COLUMNS; column++)
            for (long row = 0; row < PLOT_GLYPH_ROWS; row++)
                if (glyph[column] >> row & 1)
                    put_dot((plot_raster *)canvas, how, origin, i * 6 + column, row, side);
    }
}

ddpm_status plot_raster_begin(plot_raster *raster)
{
    *raster = (plot_raster){ .canvas = { line, disc, text },
                             .pixels = malloc((size_t)WIDTH * HEIGHT * 3) };
    if (!raster->pixels) return ddpm_fail(DDPM_EOS, "out of memory for a plot");
    memset(raster->pixels, 255, (size_t)WIDTH * HEIGHT * 3);
    return DDPM_OK;
}

ddpm_status plot_raster_write(plot_raster *raster, const char *path)
{
    ddpm_image image = { PLOT_HEIGHT, PLOT_WIDTH, 3, malloc((size_t)PLOT_WIDTH * PLOT_HEIGHT * 3) };
    if (!image.pixels) return ddpm_fail(DDPM_EOS, "%s: out of memory", path);
    for (size_t y = 0; y < PLOT_HEIGHT; y++)
        for (size_t x = 0; x < PLOT_WIDTH * 3; x++) {
            unsigned sum = 0;
            for (size_t k = 0; k < (size_t)PLOT_FINE * PLOT_FINE; k++)
                sum += raster->pixels[((y * PLOT_FINE + k / PLOT_FINE) * WIDTH + x / 3 * PLOT_FINE +
                                       k % PLOT_FINE) *
                                          3 +
                                      x % 3];
            image.pixels[y * PLOT_WIDTH * 3 + x] = (uint8_t)((sum + PLOT_FINE * PLOT_FINE / 2) /
                                                             (PLOT_FINE * PLOT_FINE));
        }
    const ddpm_status status = ddpm_image_write_png(&image, path);
    ddpm_image_free(&image);
    return status;
}

void plot_raster_free(plot_raster *raster)
{
    free(raster->pixels);
    raster->pixels = NULL;
}
