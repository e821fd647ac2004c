#include "compare.h"

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
} axis;

static double step_of(const compare_row *row)
{
    return row->step;
}

static double steps_of(const compare_row *row)
{
    return row->steps;
}

static const axis axes[] = {
    { "by-step", "training steps", "steps", step_of, steps_of },
    { "by-steps", "sampling steps", "step", steps_of, step_of },
};

static bool same_number(double a, double b)
{
    return a == b || (isnan(a) && isnan(b));
}

static bool one_curve(const compare_row *a, const compare_row *b, const axis *of)
{
    return strcmp(a->run, b->run) == 0 && strcmp(a->sampler, b->sampler) == 0 &&
           strcmp(a->weights, b->weights) == 0 && same_number(of->constant(a), of->constant(b));
}

typedef struct {
    double *x, *y, *error;
    ddpm_plot_series *series;
    char (*name)[160];
    size_t used, curves;
} curves;

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The rows of row `first`'s curve, in order of what the plot goes over. */
static void add_curve(curves *c, const compare_row *rows, size_t first, size_t count,
                      const axis *of, double *sorted)
{
    size_t n = 0;
    for (size_t i = first; i < count; i++)
        if (one_curve(&rows[first], &rows[i], of) && isfinite(of->over(&rows[i])))
            sorted[n++] = of->over(&rows[i]);
    if (n == 0) return;
    qsort(sorted, n, sizeof *sorted, ascending);
    ddpm_plot_series *series = &c->series[c->curves];
    *series = (ddpm_plot_series){ .name = c->name[c->curves],
                                  .x = c->x + c->used,
                                  .y = c->y + c->used,
                                  .error = c->error + c->used };
    for (size_t k = 0; k < n; k++) {
        if (k > 0 && sorted[k] == sorted[k - 1]) continue;
        for (size_t i = first; i < count; i++) { /* of several with one x the last */
            if (!one_curve(&rows[first], &rows[i], of) || of->over(&rows[i]) != sorted[k]) continue;
            c->x[c->used + series->count] = sorted[k];
            c->y[c->used + series->count] = rows[i].value;
            c->error[c->used + series->count] = rows[i].error;
        }
        series->count++;
    }
    snprintf(c->name[c->curves], sizeof c->name[0], "%.40s %.16s %.16s, %s %.0f", rows[first].run,
             rows[first].sampler, rows[first].weights, of->fixed, of->constant(&rows[first]));
    c->used += series->count;
    c->curves++;
}

static void find_curves(curves *c, const compare_row *rows, size_t count, const axis *of,
                        double *sorted)
{
    c->used = c->curves = 0;
    for (size_t i = 0; i < count; i++) {
        bool seen = false;
        for (size_t k = 0; k < i; k++) seen |= one_curve(&rows[k], &rows[i], of);
        if (!seen) add_curve(c, rows, i, count, of, sorted);
    }
}

/* Whether there is anything to go over. */
static bool varies(const curves *c)
{
    for (size_t i = 1; i < c->used; i++)
        if (c->x[i] != c->x[0]) return true;
    return false;
}

static ddpm_status plot_metric(const char *directory, curves *c, const compare_row *rows,
                               size_t count, double *sorted)
{
    for (size_t k = 0; k < sizeof axes / sizeof *axes; k++) {
        char stem[EVAL_PATH + 96], title[160];
        find_curves(c, rows, count, &axes[k], sorted);
        if (!varies(c)) continue;
        snprintf(stem, sizeof stem, "%s/%.64s-%s", directory, rows[0].metric, axes[k].suffix);
        snprintf(title, sizeof title, "%.64s by %s", rows[0].metric, axes[k].label);
        const ddpm_plot plot = { .title = title,
                                 .x_label = axes[k].label,
                                 .y_label = rows[0].metric,
                                 .log_x = true,
                                 .series = c->series,
                                 .series_count = c->curves };
        DDPM_TRY(ddpm_plot_write(&plot, stem));
    }
    return DDPM_OK;
}

ddpm_status compare_plots(const char *directory, const compare_row *rows, size_t count)
{
    double *numbers = malloc(4 * count * sizeof *numbers);
    curves c = { .x = numbers,
                 .y = numbers + count,
                 .error = numbers + 2 * count,
                 .series = malloc(count * sizeof *c.series),
                 .name = malloc(count * sizeof *c.name) };
    ddpm_status status = DDPM_OK;
    if (!numbers || !c.series || !c.name) status = ddpm_fail(DDPM_EOS, "out of memory for plots");
    for (size_t first = 0, end; status == DDPM_OK && first < count; first = end) {
        for (end = first; end < count && strcmp(rows[end].metric, rows[first].metric) == 0;) end++;
        status = plot_metric(directory, &c, rows + first, end - first, numbers + 3 * count);
    }
    free(numbers);
    free(c.series);
    free(c.name);
    return status;
}
