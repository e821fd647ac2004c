#include "ddpm/base/memory.h"
#include "ddpm/base/text.h"
#include "inspect.h"

#include <math.h>
#include <stdio.h>

/* Of the finite values; the others are counted. */
typedef struct {
    size_t count, nan, inf;
    double sum, square_sum, most;
} moments;

static moments measure(const float *x, size_t count)
{
    moments of = { .count = count };
    for (size_t i = 0; i < count; i++) {
        const double value = (double)x[i];
        if (isnan(value)) {
            of.nan++;
        } else if (isinf(value)) {
            of.inf++;
        } else {
            of.sum += value;
            of.square_sum += value * value;
            of.most = fmax(of.most, fabs(value));
        }
    }
    return of;
}

static void add(moments *total, const moments *of)
{
    total->count += of->count;
    total->nan += of->nan;
    total->inf += of->inf;
    total->sum += of->sum;
    total->square_sum += of->square_sum;
    total->most = fmax(total->most, of->most);
}

static size_t finite_count(const moments *of)
{
    return of->count - of->nan - of->inf;
}

static double mean_of(const moments *of)
{
    return of->sum / (double)finite_count(of);
}

static double deviation_of(const moments *of)
{
    const double mean = mean_of(of);
    return sqrt(fmax(0.0, of->square_sum / (double)finite_count(of) - mean * mean));
}

static json_t *describe(const moments *of)
{
    return json_pack("{s:I, s:o, s:o, s:o, s:o, s:I, s:I}", "count", (json_int_t)of->count, "mean",
                     inspect_json_real(mean_of(of)), "std", inspect_json_real(deviation_of(of)),
                     "norm", inspect_json_real(sqrt(of->square_sum)), "max",
                     inspect_json_real(of->most), "nan", (json_int_t)of->nan, "inf",
                     (json_int_t)of->inf);
}

static void print_row(const char *name, const char *shape, const moments *of)
{
    printf("%-46s %-13s %10.2e %9.2e %9.2e %9.2e %5zu %5zu\n", name, shape, mean_of(of),
           deviation_of(of), sqrt(of->square_sum), of->most, of->nan, of->inf);
}

static void print_all(const float *flat, const ddpm_params *params, const char *title)
{
    printf("%-46s %-13s %10s %9s %9s %9s %5s %5s\n", title, "shape", "mean", "std", "norm",
           "max|x|", "NaN", "Inf");
    moments total = { 0 };
    char shape[96], count[32];
    for (size_t i = 0; i < params->count; i++) {
        const ddpm_param *param = &params->param[i];
        const moments of = measure(flat + param->offset, param->count);
        print_row(param->name, inspect_shape(shape, param), &of);
        add(&total, &of);
    }
    print_row("all", ddpm_text_count(count, params->parameters), &total);
}

static json_t *describe_all(const float *flat, const ddpm_params *params, const char *path,
                            const char *label)
{
    json_t *tensors = json_array();
    moments total = { 0 };
    for (size_t i = 0; i < params->count; i++) {
        const ddpm_param *param = &params->param[i];
        const moments of = measure(flat + param->offset, param->count);
        json_t *row = describe(&of);
        json_object_set_new(row, "name", json_string(param->name));
        json_object_set_new(row, "shape", inspect_json_shape(param));
        json_array_append_new(tensors, row);
        add(&total, &of);
    }
    return json_pack("{s:s, s:b, s:s, s:o, s:o}", "path", path, "valid", 1, "part", label,
                     "tensors", tensors, "all", describe(&total));
}

int inspect_stats(const inspect_options *options)
{
    char path[INSPECT_PATH], title[96];
    ddpm_checkpoint *checkpoint = NULL;
    inspect_part part;
    float *flat = NULL;
    int code = DDPM_OK;
    ddpm_status status = inspect_open(&checkpoint, path, options->paths[0]);
    if (status == DDPM_OK)
        status = inspect_find_part(&part, checkpoint, options->part, options->rate);
    if (status == DDPM_OK) status = inspect_load(&flat, checkpoint, &part);
    if (status != DDPM_OK) {
        code = inspect_failed(options, status);
    } else if (options->json) {
        code = inspect_print_json(
            describe_all(flat, ddpm_checkpoint_params(checkpoint), path, part.label));
    } else {
        snprintf(title, sizeof title, "tensor of %s", part.label);
        print_all(flat, ddpm_checkpoint_params(checkpoint), title);
    }
    ddpm_memory_free(flat);
    ddpm_checkpoint_close(checkpoint);
    return code;
}
