/* Series are told apart by eight colours, and where there are more by dashes. */
#include "plot_drawing.h"

#include <math.h>

/* For the colour-blind too (Okabe & Ito 2008). */
static const uint32_t colours[] = { 0x0072b2, 0xd55e00, 0x009e73, 0xcc79a7,
                                    0xe69f00, 0x56b4e9, 0x7f7f7f, 0x000000 };
enum { COLOURS = sizeof colours / sizeof *colours, PARTS = 4 };

/* In turn the lengths of a dash and of the gap behind it. The ends are round: half the width more
 * than that. */
static const double dashes[][PARTS] = {
    { 0 }, /* one line */
    { 8.0, 5.0, 8.0, 5.0 },
    { 1.0, 5.0, 1.0, 5.0 },
    { 8.0, 5.0, 1.0, 5.0 },
};

uint32_t plot_colour(size_t series)
{
    return colours[series % COLOURS];
}

static double period_of(const double *dash)
{
    return dash[0] + dash[1] + dash[2] + dash[3];
}

/* The part of the pattern in which a place is, and how much of that part is left. */
static int part_at(double *left, const double *dash, double place)
{
    double in = fmod(place, period_of(dash));
    for (int part = 0; part < PARTS; part++) {
        *left = dash[part] - in;
        if (*left > 0.0) return part;
        in -= dash[part];
    }
    *left = dash[0]; /* by rounding behind the last */
    return 0;
}

void plot_stroke(const plot_drawing *d, size_t series, double *along, plot_point from,
                 plot_point to, double width)
{
    const double *dash = dashes[series / COLOURS % (sizeof dashes / sizeof *dashes)];
    const double length = hypot(to.x - from.x, to.y - from.y);
    const uint32_t colour = plot_colour(series);
    if (period_of(dash) == 0.0) {
        d->canvas->line(d->canvas, from, to, width, colour);
        return;
    }
    for (double at = 0.0; at < length;) {
        double left;
        const int part = part_at(&left, dash, *along + at);
        /* Steps too small to count would never end. */
        const double next = fmin(at + fmax(left, 1e-3), length);
        const double a = at / length, b = next / length;
        if (part % 2 == 0)
            d->canvas->line(
                d->canvas,
                (plot_point){ from.x + a * (to.x - from.x), from.y + a * (to.y - from.y) },
                (plot_point){ from.x + b * (to.x - from.x), from.y + b * (to.y - from.y) }, width,
                colour);
        at = next;
    }
    *along += length;
}
