#include "plot_axis.h"

#include <math.h>
#include <stdio.h>

bool plot_axis_shows(const plot_axis *axis, double value)
{
    return isfinite(value) && (!axis->logarithmic || value > 0.0);
}

double plot_axis_share(const plot_axis *axis, double value)
{
    if (axis->logarithmic) return log(value / axis->low) / log(axis->high / axis->low);
    return (value - axis->low) / (axis->high - axis->low);
}

static void add_tick(plot_axis *axis, double at, bool labelled)
{
    /* A hair of rounding does not push a tick off its axis. */
    const double share = plot_axis_share(axis, at);
    if (axis->ticks == PLOT_TICKS || share < -1e-9 || share > 1.0 + 1e-9) return;
    axis->tick[axis->ticks].at = at;
    axis->tick[axis->ticks].label[0] = '\0';
    if (labelled) snprintf(axis->tick[axis->ticks].label, PLOT_LABEL, "%.6g", at);
    axis->ticks++;
}

/* Steps of 1, 2 or 5 times a power of ten, five to ten of them. */
static void set_linear(plot_axis *axis, double least, double greatest)
{
    if (!(greatest > least)) {
        const double margin = least == 0.0 ? 1.0 : 0.1 * fabs(least);
        least -= margin;
        greatest += margin;
    }
    const double rough = (greatest - least) / 6.0, power = pow(10.0, floor(log10(rough)));
    const double m = rough / power, step = (m < 1.5   ? 1.0
                                            : m < 3.5 ? 2.0
                                            : m < 7.5 ? 5.0
                                                      : 10.0) *
                                           power;
    const double first = floor(least / step + 1e-9), last = ceil(greatest / step - 1e-9);
    axis->low = first * step;
    axis->high = last * step;
    for (int i = 0; first + i <= last; i++) {
        const double k = first + i;
        add_tick(axis, k == 0.0 ? 0.0 : k * step, true);
    }
}

/* Powers of ten, and where there are few of them 2 and 5 times those. */
static void set_logarithmic(plot_axis *axis, double least, double greatest)
{
    if (!(greatest > least)) {
        least /= 2.0;
        greatest *= 2.0;
    }
    const double margin = pow(greatest / least, 0.03);
    axis->low = least / margin;
    axis->high = greatest * margin;
    const int first = (int)floor(log10(axis->low)), last = (int)ceil(log10(axis->high));
    const int every = (last - first) / 12 + 1;
    const bool between = last - first <= 3;
    for (int p = first; p <= last; p++) {
        const double power = pow(10.0, p);
        add_tick(axis, power, (p - first) % every == 0);
        if (every > 1) continue;
        for (int k = 2; k < 10; k++) add_tick(axis, k * power, between && (k == 2 || k == 5));
    }
}

void plot_axis_set(plot_axis *axis, double least, double greatest)
{
    axis->ticks = 0;
    if (axis->logarithmic)
        set_logarithmic(axis, least, greatest);
    else
        set_linear(axis, least, greatest);
}
