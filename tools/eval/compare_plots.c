#include "compare.h"

#include "ddpm/base/log.h"
#include "ddpm/base/path.h"
#include "ddpm/eval/plot.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a plot goes over, and what is fixed along a curve of it. */
typedef struct {
    const char *suffix, *label, *fixed;
    double (*over)(const compare_row *row);
    double (*constant)(const compare_row *row);
    int (*order)(const void *a,
                 const void *b); /* of pointers to rows: curve by curve, along each */
} axis;

static double step_of(const compare_row *row)
{
    return row->step;
}

static double steps_of(const compare_row *row)
{
    return row->steps;
}

static int by_step(const void *a, const void *b)
{
    const compare_row *x = *(const compare_row *const *)a, *y = *(const compare_row *const *)b;
    int order = compare_curve(x, y);
    if (!order) order = compare_numbers(x->steps, y->steps);
    if (!order) order = compare_numbers(x->step, y->step);
    return order ? order : compare_time(x, y);
}

static int by_steps(const void *a, const void *b)
{
    const compare_row *x = *(const compare_row *const *)a, *y = *(const compare_row *const *)b;
    int order = compare_curve(x, y);
    if (!order) order = compare_numbers(x->step, y->step);
    if (!order) order = compare_numbers(x->steps, y->steps);
    return order ? order : compare_time(x, y);
}

static const axis axes[] = {
    { "by-step", "training steps", "steps", step_of, steps_of, by_step },
    { "by-steps", "sampling steps", "step", steps_of, step_of, by_steps },
};

static bool one_curve(const compare_row *a, const compare_row *b, const axis *of)
{
    return compare_curve(a, b) == 0 && compare_numbers(of->constant(a), of->constant(b)) == 0;
}

/* Room for as many points and curves as there are rows. */
typedef struct {
    const compare_row **row, **first; /* in the order of the plot; of each curve */
    double *x, *y, *error;
    ddpm_plot_series *series;
    char (*name)[COMPARE_NAME];
    size_t used, curves, hidden; /* hidden: behind a later result at the same place */
} curves;

/* Of several results at one place the last by time. */
static void add_point(curves *c, const compare_row *row, double x)
{
    ddpm_plot_series *series = &c->series[c->curves - 1];
    if (series->count > 0 && series->x[series->count - 1] == x) {
        c->used--;
        series->count--;
        c->hidden++;
    }
    c->x[c->used] = x;
    c->y[c->used] = row->value;
    c->error[c->used++] = row->error;
    series->count++;
}

static void find_curves(curves *c, const compare_row *rows, size_t count, const axis *of)
{
    c->used = c->curves = c->hidden = 0;
    for (size_t i = 0; i < count; i++) c->row[i] = &rows[i];
    qsort(c->row, count, sizeof(const compare_row *), of->order);
    for (size_t i = 0; i < count; i++) {
        const double x = of->over(c->row[i]);
        if (!isfinite(x)) continue;
        if (c->curves == 0 || !one_curve(c->first[c->curves - 1], c->row[i], of)) {
            c->first[c->curves] = c->row[i];
            c->series[c->curves++] = (ddpm_plot_series){ .x = c->x + c->used,
                                                         .y = c->y + c->used,
                                                         .error = c->error + c->used };
        }
        add_point(c, c->row[i], x);
    }
}

enum { LEGEND_ROWS = 20 /* more are not named */ };

/* In the legend, and in *subtitle what they share. */
static void name_curves(char subtitle[COMPARE_NAME], curves *c, const axis *of)
{
    const compare_curves all = { c->first, c->curves, of->fixed, of->constant };
    compare_subtitle(subtitle, &all);
    for (size_t k = 0; k < c->curves && c->curves > 1; k++) {
        c->name[k][0] = '\0';
        if (k < LEGEND_ROWS) compare_name(c->name[k], k, &all);
        c->series[k].name = c->name[k];
    }
}

/* Whether there is anything to go over. */
static bool varies(const curves *c)
{
    for (size_t i = 1; i < c->used; i++)
        if (c->x[i] != c->x[0]) return true;
    return false;
}

/* Whether small values would lie on one line below the great ones. */
static bool spans_decades(const curves *c)
{
    double least = (double)INFINITY, greatest = 0.0;
    for (size_t i = 0; i < c->used; i++) {
        least = fmin(least, c->y[i]);
        greatest = fmax(greatest, c->y[i]);
    }
    return least > 0.0 && greatest >= 10.0 * least;
}

static ddpm_status plot_metric(const char *directory, curves *c, const compare_row *rows,
                               size_t count)
{
    for (size_t k = 0; k < sizeof axes / sizeof *axes; k++) {
        char stem[EVAL_PATH], title[160], subtitle[COMPARE_NAME];
        find_curves(c, rows, count, &axes[k]);
        if (!varies(c)) continue;
        name_curves(subtitle, c, &axes[k]);
        DDPM_TRY(ddpm_path_print(stem, sizeof stem, "%s/%.64s-%s", directory, rows[0].metric,
                                 axes[k].suffix));
        snprintf(title, sizeof title, "%.64s by %s", rows[0].metric, axes[k].label);
        if (c->hidden > 0)
            ddpm_log_info("%s: %zu results stand where a later one does, which is drawn", stem,
                          c->hidden);
        const ddpm_plot plot = { .title = title,
                                 .subtitle = subtitle,
                                 .x_label = axes[k].label,
                                 .y_label = rows[0].metric,
                                 .log_x = true,
                                 .log_y = spans_decades(c),
                                 .series = c->series,
                                 .series_count = c->curves };
        DDPM_TRY(ddpm_plot_write(&plot, stem));
    }
    return DDPM_OK;
}

ddpm_status compare_plots(const char *directory, const compare_rows *rows)
{
    const size_t count = rows->count;
    const compare_row *row = rows->row;
    double *numbers = malloc(3 * count * sizeof *numbers);
    const compare_row **pointers = calloc(2 * count, sizeof(const compare_row *));
    curves c = { .row = pointers,
                 .first = pointers + count,
                 .x = numbers,
                 .y = numbers + count,
                 .error = numbers + 2 * count,
                 .series = malloc(count * sizeof *c.series),
                 .name = malloc(count * sizeof *c.name) };
    ddpm_status status = DDPM_OK;
    if (!numbers || !pointers || !c.series || !c.name)
        status = ddpm_fail(DDPM_EOS, "out of memory for plots");
    for (size_t first = 0, end; status == DDPM_OK && first < count; first = end) {
        for (end = first; end < count && strcmp(row[end].metric, row[first].metric) == 0;) end++;
        status = plot_metric(directory, &c, row + first, end - first);
    }
    free(numbers);
    free(pointers);
    free(c.series);
    free(c.name);
    return status;
}
