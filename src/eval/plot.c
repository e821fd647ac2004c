#include "ddpm/eval/plot.h"

#include "plot_axis.h"
#include "plot_canvas.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { LEFT = 84, RIGHT = 24, TOP = 46, BOTTOM = 62, LEGEND_LINE = 20 };
static const double glyph_width = 8.0;
static const uint32_t black = 0x202020, grey = 0xdcdcdc;
/* Told apart by the colour-blind too (Okabe & Ito 2008). */
static const uint32_t colours[] = { 0x0072b2, 0xd55e00, 0x009e73, 0xcc79a7,
                                    0xe69f00, 0x56b4e9, 0x7f7f7f, 0x000000 };
enum { COLOURS = sizeof colours / sizeof *colours };

typedef struct {
    const ddpm_plot *plot;
    plot_axis x, y;
    plot_canvas *canvas;
} drawing;

static plot_point place(const drawing *d, double x, double y)
{
    return (plot_point){ LEFT + plot_axis_share(&d->x, x) * (PLOT_WIDTH - LEFT - RIGHT),
                         PLOT_HEIGHT - BOTTOM -
                             plot_axis_share(&d->y, y) * (PLOT_HEIGHT - TOP - BOTTOM) };
}

static bool shows(const drawing *d, const ddpm_plot_series *s, size_t i)
{
    return plot_axis_shows(&d->x, s->x[i]) && plot_axis_shows(&d->y, s->y[i]);
}

static bool set_axes(drawing *d)
{
    double low_x = INFINITY, high_x = -INFINITY, low_y = INFINITY, high_y = -INFINITY;
    d->x.logarithmic = d->plot->log_x;
    d->y.logarithmic = d->plot->log_y;
    for (size_t k = 0; k < d->plot->series_count; k++) {
        const ddpm_plot_series *s = &d->plot->series[k];
        for (size_t i = 0; i < s->count; i++) {
            if (!shows(d, s, i)) continue;
            low_x = fmin(low_x, s->x[i]);
            high_x = fmax(high_x, s->x[i]);
            low_y = fmin(low_y, s->y[i]);
            high_y = fmax(high_y, s->y[i]);
        }
    }
    if (!(low_x <= high_x)) return false;
    plot_axis_set(&d->x, low_x, high_x);
    plot_axis_set(&d->y, low_y, high_y);
    return true;
}

static void draw_text(const drawing *d, const char *text, double x, double y, double anchor)
{
    d->canvas->text(d->canvas, text, &(plot_text){ .at = { x, y }, .anchor = anchor });
}

static void draw_axes(const drawing *d)
{
    plot_canvas *c = d->canvas;
    const double left = LEFT, right = PLOT_WIDTH - RIGHT, top = TOP, bottom = PLOT_HEIGHT - BOTTOM;
    for (size_t i = 0; i < d->x.ticks; i++) {
        const double x = place(d, d->x.tick[i].at, d->y.low).x;
        const bool labelled = d->x.tick[i].label[0] != '\0';
        if (labelled) c->line(c, (plot_point){ x, top }, (plot_point){ x, bottom }, 1.0, grey);
        c->line(c, (plot_point){ x, bottom }, (plot_point){ x, bottom + (labelled ? 6 : 3) }, 1.0,
                black);
        draw_text(d, d->x.tick[i].label, x, bottom + 20, 0.5);
    }
    for (size_t i = 0; i < d->y.ticks; i++) {
        const double y = place(d, d->x.low, d->y.tick[i].at).y;
        const bool labelled = d->y.tick[i].label[0] != '\0';
        if (labelled) c->line(c, (plot_point){ left, y }, (plot_point){ right, y }, 1.0, grey);
        c->line(c, (plot_point){ left - (labelled ? 6 : 3), y }, (plot_point){ left, y }, 1.0,
                black);
        draw_text(d, d->y.tick[i].label, left - 9, y + 4, 1.0);
    }
    c->line(c, (plot_point){ left, top }, (plot_point){ left, bottom }, 1.0, black);
    c->line(c, (plot_point){ left, bottom }, (plot_point){ right, bottom }, 1.0, black);
    draw_text(d, d->plot->x_label, 0.5 * (left + right), PLOT_HEIGHT - 14, 0.5);
    c->text(c, d->plot->y_label,
            &(plot_text){ .at = { 18, 0.5 * (top + bottom) }, .anchor = 0.5, .upwards = true });
    c->text(c, d->plot->title,
            &(plot_text){ .at = { 0.5 * PLOT_WIDTH, 26 }, .anchor = 0.5, .large = true });
}

/* Cut to the axes' range, where the axis can show it. */
static double bar_end(const drawing *d, double value)
{
    if (!plot_axis_shows(&d->y, value) || value < d->y.low) return d->y.low;
    return fmin(value, d->y.high);
}

static void draw_series(const drawing *d, size_t k)
{
    const ddpm_plot_series *s = &d->plot->series[k];
    const uint32_t colour = colours[k % COLOURS];
    plot_canvas *c = d->canvas;
    bool before = false;
    plot_point last = { 0 };
    for (size_t i = 0; i < s->count; i++) {
        if (!shows(d, s, i)) {
            before = false;
            continue;
        }
        const plot_point at = place(d, s->x[i], s->y[i]);
        if (before && !s->points) c->line(c, last, at, 2.0, colour);
        if (s->error && isfinite(s->error[i]))
            c->line(c, place(d, s->x[i], bar_end(d, s->y[i] - s->error[i])),
                    place(d, s->x[i], bar_end(d, s->y[i] + s->error[i])), 1.0, colour);
        if (s->points || s->count <= 60) c->disc(c, at, 3.0, colour);
        last = at;
        before = true;
    }
}

typedef struct {
    double left, top, width, height;
} box;

static size_t points_inside(const drawing *d, const box *b)
{
    size_t inside = 0;
    for (size_t k = 0; k < d->plot->series_count; k++) {
        const ddpm_plot_series *s = &d->plot->series[k];
        for (size_t i = 0; i < s->count; i++) {
            if (!shows(d, s, i)) continue;
            const plot_point at = place(d, s->x[i], s->y[i]);
            inside += at.x >= b->left && at.x <= b->left + b->width && at.y >= b->top &&
                      at.y <= b->top + b->height;
        }
    }
    return inside;
}

/* The corner with the fewest points, of equals the top right one. */
static box legend_box(const drawing *d)
{
    box best = { 0 };
    size_t longest = 0, rows = 0, fewest = SIZE_MAX;
    for (size_t k = 0; k < d->plot->series_count; k++) {
        const char *name = d->plot->series[k].name;
        if (!name) continue;
        rows++;
        if (strlen(name) > longest) longest = strlen(name);
    }
    box b = { .width = 48.0 + glyph_width * (double)longest,
              .height = (double)(rows * LEGEND_LINE) };
    for (int corner = 0; corner < 4; corner++) {
        b.left = corner & 1 ? LEFT + 10.0 : PLOT_WIDTH - RIGHT - b.width;
        b.top = corner & 2 ? PLOT_HEIGHT - BOTTOM - b.height - 8.0 : TOP + 4.0;
        const size_t inside = points_inside(d, &b);
        if (inside >= fewest) continue;
        fewest = inside;
        best = b;
    }
    return best;
}

static void draw_legend(const drawing *d)
{
    const box b = legend_box(d);
    double y = b.top + 12.0;
    for (size_t k = 0; k < d->plot->series_count; k++) {
        if (!d->plot->series[k].name) continue;
        d->canvas->line(d->canvas, (plot_point){ b.left, y - 4 },
                        (plot_point){ b.left + 26, y - 4 }, 3.0, colours[k % COLOURS]);
        draw_text(d, d->plot->series[k].name, b.left + 34, y, 0.0);
        y += LEGEND_LINE;
    }
}

static void draw(drawing *d, plot_canvas *canvas)
{
    d->canvas = canvas;
    draw_axes(d);
    for (size_t k = 0; k < d->plot->series_count; k++) draw_series(d, k);
    draw_legend(d);
}

ddpm_status ddpm_plot_write(const ddpm_plot *plot, const char *stem)
{
    char path[4096];
    drawing d = { .plot = plot };
    if (!set_axes(&d)) return ddpm_fail(DDPM_EDATA, "%s: there is nothing to plot", stem);
    plot_svg svg;
    plot_svg_begin(&svg);
    draw(&d, &svg.canvas);
    snprintf(path, sizeof path, "%s.svg", stem);
    ddpm_status status = plot_svg_write(&svg, path);
    plot_svg_free(&svg);
    plot_raster raster = { 0 };
    if (status == DDPM_OK) status = plot_raster_begin(&raster);
    if (status == DDPM_OK) {
        draw(&d, &raster.canvas);
        snprintf(path, sizeof path, "%s.png", stem);
        status = plot_raster_write(&raster, path);
    }
    plot_raster_free(&raster);
    return status;
}
