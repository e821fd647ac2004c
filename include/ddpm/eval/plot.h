/** @file eval/plot.h  Line and scatter plots, as SVG and as PNG, by nothing but ourselves. */
#ifndef DDPM_EVAL_PLOT_H
#define DDPM_EVAL_PLOT_H
#include "ddpm/base/status.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct {
    const char *name; /**< in the legend, which names the first 20; NULL: not there */
    const double *x, *y;
    const double *error; /**< half the length of a bar at each point; NULL: none */
    size_t count;
    bool points; /**< marks alone, not joined */
} ddpm_plot_series;

typedef struct {
    const char *title, *x_label, *y_label; /**< ASCII */
    const char *subtitle;                  /**< below the title; NULL: none */
    bool log_x, log_y;
    const ddpm_plot_series *series;
    size_t series_count;
} ddpm_plot;

/** `stem`.svg and `stem`.png, each published whole. What is not finite, or not above 0 on a
 *  logarithmic axis, is left out. DDPM_EDATA: nothing is left; DDPM_EOS, DDPM_ECREATE, DDPM_EIO. */
DDPM_NODISCARD ddpm_status ddpm_plot_write(const ddpm_plot *plot, const char *stem);
#endif
