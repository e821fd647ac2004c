#include "plot_drawing.h"

#include <stdio.h>
#include <string.h>

enum { LEGEND_LINE = 20, LEGEND_MOST = 20 };
static const double glyph_width = 8.0;

/* Names that stand in the legend, and those that find no room: *more. */
static size_t names_shown(size_t *more, const plot_drawing *d)
{
    size_t names = 0;
    for (size_t k = 0; k < d->plot->series_count; k++) names += d->plot->series[k].name != NULL;
    *more = names > LEGEND_MOST ? names - LEGEND_MOST : 0;
    return names - *more;
}

typedef struct {
    double left, top, width, height;
} box;

static bool holds(const box *b, plot_point at)
{
    return at.x >= b->left && at.x <= b->left + b->width && at.y >= b->top &&
           at.y <= b->top + b->height;
}

/* How much of the series a box would lie on: points, and sixteenths of the lines that join them. */
static size_t covered(const plot_drawing *d, const box *b)
{
    size_t inside = 0;
    for (size_t k = 0; k < d->plot->series_count; k++) {
        const ddpm_plot_series *s = &d->plot->series[k];
        bool before = false;
        plot_point last = { 0 };
        for (size_t i = 0; i < s->count; i++) {
            const bool shown = plot_shows(d, s, i);
            const plot_point at = shown ? plot_place(d, s->x[i], s->y[i]) : last;
            inside += shown && holds(b, at);
            for (int part = 1; shown && before && !s->points && part < 16; part++)
                inside += holds(b, (plot_point){ last.x + part / 16.0 * (at.x - last.x),
                                                 last.y + part / 16.0 * (at.y - last.y) });
            before = shown;
            last = at;
        }
    }
    return inside;
}

/* The corner where least is covered, of equals the top right one. */
static box legend_box(const plot_drawing *d)
{
    box best = { 0 };
    size_t longest = 0, fewest = SIZE_MAX, more;
    const size_t shown = names_shown(&more, d), rows = shown + (more > 0);
    for (size_t k = 0, left = shown; left > 0; k++) {
        const char *name = d->plot->series[k].name;
        if (!name) continue;
        left--;
        if (strlen(name) > longest) longest = strlen(name);
    }
    box b = { .width = 48.0 + glyph_width * (double)longest,
              .height = (double)(rows * LEGEND_LINE) };
    for (int corner = 0; corner < 4; corner++) {
        b.left = corner & 1 ? PLOT_LEFT + 10.0 : PLOT_WIDTH - PLOT_RIGHT - b.width;
        b.top = corner & 2 ? PLOT_HEIGHT - PLOT_BOTTOM - b.height - 8.0 : PLOT_TOP + 4.0;
        const size_t inside = covered(d, &b);
        if (inside >= fewest) continue;
        fewest = inside;
        best = b;
    }
    return best;
}

void plot_legend(const plot_drawing *d)
{
    const box b = legend_box(d);
    double y = b.top + 12.0;
    size_t more;
    for (size_t k = 0, left = names_shown(&more, d); left > 0; k++) {
        if (!d->plot->series[k].name) continue;
        double along = 0.0;
        plot_stroke(d, k, &along, (plot_point){ b.left, y - 4 }, (plot_point){ b.left + 26, y - 4 },
                    3.0);
        d->canvas->text(d->canvas, d->plot->series[k].name,
                        &(plot_text){ .at = { b.left + 34, y } });
        y += LEGEND_LINE;
        left--;
    }
    char rest[48];
    if (more == 0) return;
    snprintf(rest, sizeof rest, "... and %zu more", more);
    d->canvas->text(d->canvas, rest, &(plot_text){ .at = { b.left + 34, y } });
}
