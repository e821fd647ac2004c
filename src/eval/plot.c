#include "ddpm/eval/plot.h"

#include "ddpm/base/path.h"
#include "plot_drawing.h"

#include <math.h>

static const uint32_t black = 0x202020, grey = 0xdcdcdc;

static bool set_axes(plot_drawing *d)
{
    const double infinity = (double)INFINITY;
    double low_x = infinity, high_x = -infinity, low_y = infinity, high_y = -infinity;
    d->x.logarithmic = d->plot->log_x;
    d->y.logarithmic = d->plot->log_y;
    for (size_t k = 0; k < d->plot->series_count; k++) {
        const ddpm_plot_series *s = &d->plot->series[k];
        for (size_t i = 0; i < s->count; i++) {
            if (!plot_shows(d, s, i)) continue;
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

static void draw_text(const plot_drawing *d, const char *text, double x, double y, double anchor)
{
    d->canvas->text(d->canvas, text, &(plot_text){ .at = { x, y }, .anchor = anchor });
}

static void draw_axes(const plot_drawing *d)
{
    plot_canvas *c = d->canvas;
    const double left = PLOT_LEFT, right = PLOT_WIDTH - PLOT_RIGHT, top = PLOT_TOP,
                 bottom = PLOT_HEIGHT - PLOT_BOTTOM;
    for (size_t i = 0; i < d->x.ticks; i++) {
        const double x = plot_place(d, d->x.tick[i].at, d->y.low).x;
        const bool labelled = d->x.tick[i].label[0] != '\0';
        if (labelled) c->line(c, (plot_point){ x, top }, (plot_point){ x, bottom }, 1.0, grey);
        c->line(c, (plot_point){ x, bottom }, (plot_point){ x, bottom + (labelled ? 6 : 3) }, 1.0,
                black);
        if (labelled) draw_text(d, d->x.tick[i].label, x, bottom + 20, 0.5);
    }
    for (size_t i = 0; i < d->y.ticks; i++) {
        const double y = plot_place(d, d->x.low, d->y.tick[i].at).y;
        const bool labelled = d->y.tick[i].label[0] != '\0';
        if (labelled) c->line(c, (plot_point){ left, y }, (plot_point){ right, y }, 1.0, grey);
        c->line(c, (plot_point){ left - (labelled ? 6 : 3), y }, (plot_point){ left, y }, 1.0,
                black);
        if (labelled) draw_text(d, d->y.tick[i].label, left - 9, y + 4, 1.0);
    }
    c->line(c, (plot_point){ left, top }, (plot_point){ left, bottom }, 1.0, black);
    c->line(c, (plot_point){ left, bottom }, (plot_point){ right, bottom }, 1.0, black);
    draw_text(d, d->plot->x_label, 0.5 * (left + right), PLOT_HEIGHT - 14, 0.5);
    c->text(c, d->plot->y_label,
            &(plot_text){ .at = { 18, 0.5 * (top + bottom) }, .anchor = 0.5, .upwards = true });
    c->text(c, d->plot->title,
            &(plot_text){ .at = { 0.5 * PLOT_WIDTH, d->plot->subtitle ? 20 : 26 },
                          .anchor = 0.5,
                          .large = true });
    if (d->plot->subtitle) draw_text(d, d->plot->subtitle, 0.5 * PLOT_WIDTH, 38, 0.5);
}

/* Cut to the axes' range, where the axis can show it. */
static double bar_end(const plot_drawing *d, double value)
{
    if (!plot_axis_shows(&d->y, value) || value < d->y.low) return d->y.low;
    return fmin(value, d->y.high);
}

static void draw_series(const plot_drawing *d, size_t k)
{
    const ddpm_plot_series *s = &d->plot->series[k];
    const uint32_t colour = plot_colour(k);
    plot_canvas *c = d->canvas;
    bool before = false;
    double along = 0.0;
    plot_point last = { 0 };
    for (size_t i = 0; i < s->count; i++) {
        if (!plot_shows(d, s, i)) {
            before = false;
            along = 0.0;
            continue;
        }
        const plot_point at = plot_place(d, s->x[i], s->y[i]);
        if (before && !s->points) plot_stroke(d, k, &along, last, at, 2.0);
        if (s->error && isfinite(s->error[i]))
            c->line(c, plot_place(d, s->x[i], bar_end(d, s->y[i] - s->error[i])),
                    plot_place(d, s->x[i], bar_end(d, s->y[i] + s->error[i])), 1.0, colour);
        if (s->points || s->count <= 60) c->disc(c, at, 3.0, colour);
        last = at;
        before = true;
    }
}

static void draw(plot_drawing *d, plot_canvas *canvas)
{
    d->canvas = canvas;
    draw_axes(d);
    for (size_t k = 0; k < d->plot->series_count; k++) draw_series(d, k);
    plot_legend(d);
}

ddpm_status ddpm_plot_write(const ddpm_plot *plot, const char *stem)
{
    char path[4096];
    DDPM_TRY(ddpm_path_print(path, sizeof path, "%s.svg", stem));
    plot_drawing d = { .plot = plot };
    if (!set_axes(&d)) return ddpm_fail(DDPM_EDATA, "%s: there is nothing to plot", stem);
    plot_svg svg;
    plot_svg_begin(&svg);
    draw(&d, &svg.canvas);
    ddpm_status status = plot_svg_write(&svg, path);
    plot_svg_free(&svg);
    plot_raster raster = { 0 };
    if (status == DDPM_OK) status = plot_raster_begin(&raster);
    if (status == DDPM_OK) status = ddpm_path_print(path, sizeof path, "%s.png", stem);
    if (status == DDPM_OK) {
        draw(&d, &raster.canvas);
        status = plot_raster_write(&raster, path);
    }
    plot_raster_free(&raster);
    return status;
}
