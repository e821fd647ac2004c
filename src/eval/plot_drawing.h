/* A plot being drawn, shared by its parts. */
#ifndef PLOT_DRAWING_H
#define PLOT_DRAWING_H
#include "plot_axis.h"
#include "plot_canvas.h"

enum { PLOT_LEFT = 84, PLOT_RIGHT = 24, PLOT_TOP = 46, PLOT_BOTTOM = 62 }; /* margins */

typedef struct {
    const ddpm_plot *plot;
    plot_axis x, y;
    plot_canvas *canvas;
} plot_drawing;

static inline plot_point plot_place(const plot_drawing *d, double x, double y)
{
    const double width = PLOT_WIDTH - PLOT_LEFT - PLOT_RIGHT;
    const double height = PLOT_HEIGHT - PLOT_TOP - PLOT_BOTTOM;
    return (plot_point){ PLOT_LEFT + plot_axis_share(&d->x, x) * width,
                         PLOT_HEIGHT - PLOT_BOTTOM - plot_axis_share(&d->y, y) * height };
}
/* Whether the axes can show point i. */
static inline bool plot_shows(const plot_drawing *d, const ddpm_plot_series *s, size_t i)
{
    return plot_axis_shows(&d->x, s->x[i]) && plot_axis_shows(&d->y, s->y[i]);
}
uint32_t plot_colour(size_t series);
/* A piece of a series' line, in its colour and dashes; *along: how long the line was until here, at
 * its beginning 0. */
void plot_stroke(const plot_drawing *d, size_t series, double *along, plot_point from,
                 plot_point to, double width);
void plot_legend(const plot_drawing *d);
#endif
