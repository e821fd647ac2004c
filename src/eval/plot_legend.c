#include "plot_drawing.h"

#include <string.h>

enum { LEGEND_LINE = 20 };
static const double glyph_width = 8.0;

/* Told apart by the colour-blind too (Okabe & Ito 2008). */
static const uint32_t colours[] = { 0x0072b2, 0xd55e00, 0x009e73, 0xcc79a7,
                                    0xe69f00, 0x56b4e9, 0x7f7f7f, 0x000000 };

uint32_t plot_colour(size_t series)
{
    return colours[series % (sizeof colours / sizeof *colours)];
}

typedef struct {
    double left, top, width, height;
} box;

static size_t points_inside(const plot_drawing *d, const box *b)
{
    size_t inside = 0;
    for (size_t k = 0; k < d->plot->series_count; k++) {
        const ddpm_plot_series *s = &d->plot->series[k];
        for (size_t i = 0; i < s->count; i++) {
            if (!plot_shows(d, s, i)) continue;
            const plot_point at = plot_place(d, s->x[i], s->y[i]);
            inside += at.x >= b->left && at.x <= b->left + b->width && at.y >= b->top &&
                      at.y <= b->top + b->height;
        }
    }
    return inside;
}

/* The corner with the fewest points, of equals the top right one. */
static box legend_box(const plot_drawing *d)
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
        b.left = corner & 1 ? PLOT_LEFT + 10.0 : PLOT_WIDTH - PLOT_RIGHT - b.width;
        b.top = corner & 2 ? PLOT_HEIGHT - PLOT_BOTTOM - b.height - 8.0 : PLOT_TOP + 4.0;
        const size_t inside = points_inside(d, &b);
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
    for (size_t k = 0; k < d->plot->series_count; k++) {
        if (!d->plot->series[k].name) continue;
        d->canvas->line(d->canvas, (plot_point){ b.left, y - 4 },
                        (plot_point){ b.left + 26, y - 4 }, 3.0, plot_colour(k));
        d->canvas->text(d->canvas, d->plot->series[k].name,
                        &(plot_text){ .at = { b.left + 34, y } });
        y += LEGEND_LINE;
    }
}
