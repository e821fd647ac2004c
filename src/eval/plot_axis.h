/* One axis of a plot: its range, and where its ticks are. */
#ifndef PLOT_AXIS_H
#define PLOT_AXIS_H
#include "ddpm/eval/plot.h"

enum { PLOT_TICKS = 64, PLOT_LABEL = 24 };

typedef struct {
    bool logarithmic;
    double low, high;
    size_t ticks;
    struct {
        double at;
        char label[PLOT_LABEL]; /* "" : a small one */
    } tick[PLOT_TICKS];
} plot_axis;

bool plot_axis_shows(const plot_axis *axis, double value);
/* From the least and the greatest value that it shall show. */
void plot_axis_set(plot_axis *axis, double least, double greatest);
/* 0 at low, 1 at high. */
double plot_axis_share(const plot_axis *axis, double value);
#endif
