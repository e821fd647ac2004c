#include "compare.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What else a result of this metric measured: a row each. */
static const struct {
    const char *metric, *member;
} beside[] = {
    { "precision", "recall" },
    { "precision", "density" },
    { "precision", "coverage" },
    { "memorization_ratio", "share_below_held_out_percentile" },
};

static double number(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    return json_is_number(value) ? json_number_value(value) : (double)NAN;
}

static const char *text(const json_t *object, const char *name, const char *otherwise)
{
    const char *value = json_string_value(json_object_get(object, name));
    return value ? value : otherwise;
}

/* Of what it contains, or of its file. */
static const char *hash(const json_t *of)
{
    return text(of, "content_hash", text(of, "hash", ""));
}

/* The name, or that of the file. */
static const char *name_of(const json_t *data)
{
    const char *path = text(data, "path", ""), *slash = strrchr(path, '/');
    return text(data, "name", slash ? slash + 1 : path);
}

/* Of bpd the model is what was judged; of the others it is what drew the samples. */
static compare_row row_of(const json_t *result, const char *run)
{
    const json_t *model = json_object_get(result, "model");
    const json_t *samples = json_object_get(result, "samples");
    const json_t *from = model ? model : samples;
    const json_t *data = json_object_get(result, model ? "data" : "reference");
    const double images = number(result, "images");
    return (compare_row){
        .run = run,
        .metric = text(result, "metric", ""),
        .weights = text(from, "weights", ""),
        .sampler = text(samples, "sampler", ""),
        .model = model ? text(model, "digest", "") : text(samples, "checkpoint_digest", ""),
        .samples = hash(samples),
        .reference = hash(data),
        .reference_name = name_of(data),
        .key = text(result, "key", ""),
        .created = text(result, "created", ""),
        .value = number(result, "value"),
        .error = number(result, "standard_error"),
        .step = number(from, "step"),
        .steps = number(model ? json_object_get(result, "settings") : samples, "steps"),
        /* 0 stood for a number that is not known */
        .images = images > 0.0 ? images : (double)NAN
    };
}

static ddpm_status add(compare_rows *rows, compare_row row, const json_t *result)
{
    compare_row *larger = realloc(rows->row, (rows->count + 1) * sizeof *larger);
    if (!larger) return ddpm_fail(DDPM_EOS, "out of memory for results");
    rows->row = larger;
    row.settings = compare_settings(result, row.run);
    if (!row.settings) return ddpm_fail(DDPM_EOS, "out of memory for results");
    row.order = rows->count;
    rows->row[rows->count++] = row;
    return DDPM_OK;
}

ddpm_status compare_rows_add(compare_rows *rows, const json_t *result, const char *run)
{
    compare_row row = row_of(result, run);
    const char *metric = row.metric;
    DDPM_TRY(add(rows, row, result));
    for (size_t i = 0; i < sizeof beside / sizeof *beside; i++) {
        if (strcmp(metric, beside[i].metric) != 0) continue;
        row.metric = beside[i].member;
        row.value = number(result, row.metric);
        if (isfinite(row.value)) DDPM_TRY(add(rows, row, result));
    }
    return DDPM_OK;
}

int compare_numbers(double a, double b)
{
    const bool unknown_a = isnan(a), unknown_b = isnan(b);
    if (unknown_a || unknown_b) return unknown_b - unknown_a;
    return (a > b) - (a < b);
}

int compare_curve(const compare_row *a, const compare_row *b)
{
    int order = strcmp(a->run, b->run);
    if (!order) order = strcmp(a->reference, b->reference);
    if (!order) order = strcmp(a->sampler, b->sampler);
    if (!order) order = strcmp(a->weights, b->weights);
    if (!order) order = strcmp(a->settings, b->settings);
    return order ? order : compare_numbers(a->images, b->images);
}

int compare_time(const compare_row *a, const compare_row *b)
{
    const int order = strcmp(a->created, b->created); /* UTC, as ISO 8601 */
    return order ? order : (a->order > b->order) - (a->order < b->order);
}

static int by_metric(const void *a, const void *b)
{
    const compare_row *x = a, *y = b;
    int order = strcmp(x->metric, y->metric);
    if (!order) order = compare_curve(x, y);
    if (!order) order = compare_numbers(x->step, y->step);
    if (!order) order = compare_numbers(x->steps, y->steps);
    return order ? order : compare_time(x, y);
}

static const char *name_by_hash(const compare_rows *rows, const char *reference)
{
    for (size_t i = 0; i < rows->count; i++)
        if (*rows->row[i].reference_name && strcmp(rows->row[i].reference, reference) == 0)
            return rows->row[i].reference_name;
    return "";
}

/* Evaluations in training know a data set by its hash alone. */
static void name_references(compare_rows *rows)
{
    for (size_t i = 0; i < rows->count; i++) {
        compare_row *row = &rows->row[i];
        if (!*row->reference_name && *row->reference)
            row->reference_name = name_by_hash(rows, row->reference);
    }
}

void compare_rows_finish(compare_rows *rows)
{
    name_references(rows);
    if (rows->count > 0) qsort(rows->row, rows->count, sizeof *rows->row, by_metric);
}

void compare_rows_free(compare_rows *rows)
{
    for (size_t i = 0; i < rows->count; i++) free(rows->row[i].settings);
    free(rows->row);
    *rows = (compare_rows){ 0 };
}
