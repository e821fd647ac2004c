/* What a plot is drawn on: lines, discs and text, in pixels from the top left corner. */
#ifndef PLOT_CANVAS_H
#define PLOT_CANVAS_H
#include "ddpm/base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PLOT_WIDTH = 840, PLOT_HEIGHT = 560 };

typedef struct {
    double x, y;
} plot_point;
typedef struct {
    plot_point at;
    double anchor; /* 0: at is its left end, 1/2: its middle, 1: its right end */
    bool large;
    bool upwards; /* turned by a quarter, read from below */
} plot_text;

typedef struct plot_canvas {
    void (*line)(struct plot_canvas *canvas, plot_point a, plot_point b, double width,
                 uint32_t colour); /* 0xRRGGBB */
    void (*disc)(struct plot_canvas *canvas, plot_point centre, double radius, uint32_t colour);
    void (*text)(struct plot_canvas *canvas, const char *text, const plot_text *how);
} plot_canvas;

/* SVG, in memory that grows. */
typedef struct {
    plot_canvas canvas; /* first */
    char *text;
    size_t used, room;
    bool failed; /* out of memory */
} plot_svg;
void plot_svg_begin(plot_svg *svg);
DDPM_NODISCARD ddpm_status plot_svg_write(plot_svg *svg, const char *path);
void plot_svg_free(plot_svg *svg);

/* PNG: drawn PLOT_FINE times as large each way, and averaged. */
enum { PLOT_FINE = 3 };
typedef struct {
    plot_canvas canvas; /* first */
    uint8_t *pixels;    /* [PLOT_HEIGHT PLOT_FINE, PLOT_WIDTH PLOT_FINE, 3] */
} plot_raster;
DDPM_NODISCARD ddpm_status plot_raster_begin(plot_raster *raster);
DDPM_NODISCARD ddpm_status plot_raster_write(plot_raster *raster, const char *path);
void plot_raster_free(plot_raster *raster);

/* A glyph of 5 columns, the lowest bit on top, 7 rows and one for what hangs below. */
enum { PLOT_GLYPH_COLUMNS = 5, PLOT_GLYPH_ROWS = 8 };
const uint8_t *plot_glyph(char c);
#endif
