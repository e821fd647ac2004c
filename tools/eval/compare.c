/* compare: the results of runs in one table, and as plots over training and sampling steps. */
#include "compare.h"

#include "ddpm/eval/results.h"
#include "ddpm/io/sealed_file.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RUNS_MOST = 64 };

typedef struct {
    eval_common common;
    const char *run[RUNS_MOST];
    size_t runs;
} arguments;

static error_t parse(int key, char *text, struct argp_state *state)
{
    arguments *to = state->input;
    switch (key) {
    case ARGP_KEY_ARG:
        if (to->runs == RUNS_MOST) argp_error(state, "at most %d runs", RUNS_MOST);
        to->run[to->runs++] = text;
        return 0;
    case ARGP_KEY_END:
        if (to->runs == 0) argp_error(state, "a run is needed, or a file or directory of results");
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

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

/* Of bpd the model is what was judged; of the others it is what drew the samples. */
static compare_row row_of(const json_t *result, const char *run)
{
    const json_t *model = json_object_get(result, "model");
    const json_t *samples = json_object_get(result, "samples");
    const json_t *settings = json_object_get(result, "settings");
    const json_t *from = model ? model : samples;
    return (compare_row){ .run = run,
                          .metric = text(result, "metric", ""),
                          .weights = text(from, "weights", "-"),
                          .sampler = text(samples, "sampler", "-"),
                          .value = number(result, "value"),
                          .error = number(result, "standard_error"),
                          .step = number(from, "step"),
                          .steps = model ? number(settings, "steps") : number(samples, "steps"),
                          .images = number(result, "images") };
}

static int by_metric(const void *a, const void *b)
{
    const compare_row *x = a, *y = b;
    int order = strcmp(x->metric, y->metric);
    if (!order) order = strcmp(x->run, y->run);
    if (!order) order = strcmp(x->sampler, y->sampler);
    if (!order) order = strcmp(x->weights, y->weights);
    if (!order) order = (x->step > y->step) - (x->step < y->step);
    return order ? order : (x->steps > y->steps) - (x->steps < y->steps);
}

/* "-" where a number is not known. */
static const char *whole(char buffer[24], double value)
{
    snprintf(buffer, 24, isfinite(value) ? "%.0f" : "-", value);
    return buffer;
}

static void print_table(FILE *out, const compare_row *rows, size_t count, bool tabs)
{
    const char *line = tabs ? "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n"
                            : "%-20s %12s %10s %9s %8s %-8s %-12s %8s  %s\n";
    fprintf(out, line, "metric", "value", "error", "step", "steps", "sampler", "weights", "images",
            "run");
    for (size_t i = 0; i < count; i++) {
        const compare_row *r = &rows[i];
        char value[32], error[32] = "-", step[24], steps[24], images[24];
        snprintf(value, sizeof value, "%.6g", r->value);
        if (isfinite(r->error)) snprintf(error, sizeof error, "%.3g", r->error);
        fprintf(out, line, r->metric, value, error, whole(step, r->step), whole(steps, r->steps),
                r->sampler, r->weights, whole(images, r->images), r->run);
    }
}

static ddpm_status publish_table(const char *directory, const compare_row *rows, size_t count)
{
    char path[EVAL_PATH + 32], *content = NULL;
    size_t bytes = 0;
    snprintf(path, sizeof path, "%s/compare.tsv", directory);
    FILE *file = open_memstream(&content, &bytes);
    if (!file) return ddpm_fail(DDPM_EOS, "%s: out of memory", path);
    print_table(file, rows, count, true);
    ddpm_status status = fclose(file) == 0 ? DDPM_OK
                                           : ddpm_fail(DDPM_EOS, "%s: out of memory", path);
    if (status == DDPM_OK) status = ddpm_publish_file(path, content, bytes);
    free(content);
    return status;
}

/* All results; `all` keeps what the rows point into. */
static ddpm_status collect(compare_row **rows, size_t *count, json_t *all, const arguments *a)
{
    for (size_t k = 0; k < a->runs; k++) {
        json_t *results;
        DDPM_TRY(ddpm_results_read(&results, a->run[k]));
        json_array_append_new(all, results);
        for (size_t i = 0; i < json_array_size(results); i++) {
            compare_row *larger = realloc(*rows, (*count + 1) * sizeof **rows);
            if (!larger) return ddpm_fail(DDPM_EOS, "out of memory");
            *rows = larger;
            (*rows)[(*count)++] = row_of(json_array_get(results, i), a->run[k]);
        }
    }
    if (*count == 0) return ddpm_fail(DDPM_EDATA, "there are no results");
    qsort(*rows, *count, sizeof **rows, by_metric);
    return DDPM_OK;
}

static ddpm_status report(const arguments *a, const compare_row *rows, size_t count,
                          const json_t *all)
{
    if (a->common.directory) {
        DDPM_TRY(ddpm_make_directory(a->common.directory));
        DDPM_TRY(publish_table(a->common.directory, rows, count));
        DDPM_TRY(compare_plots(a->common.directory, rows, count));
    }
    if (a->common.json) return eval_print_json(all);
    print_table(stdout, rows, count, false);
    return DDPM_OK;
}

static ddpm_status perform(ddpm_comm *comm, const void *arguments_given)
{
    const arguments *given = arguments_given;
    ddpm_status status = DDPM_OK;
    if (ddpm_comm_rank(comm) == 0) {
        compare_row *rows = NULL;
        size_t count = 0;
        json_t *all = json_array();
        status = all ? collect(&rows, &count, all, given) : ddpm_fail(DDPM_EOS, "out of memory");
        if (status == DDPM_OK) status = report(given, rows, count, all);
        free(rows);
        json_decref(all);
    }
    return ddpm_comm_agree(comm, status);
}

int eval_compare(int argc, char **argv)
{
    static const struct argp argp = {
        .parser = parse,
        .args_doc = "RUN...",
        .doc = "The results of runs in one table; with --out DIR also as compare.tsv, and plots of "
               "each metric over training steps and over sampling steps.",
    };
    arguments given = { 0 };
    ddpm_command_parse(&argp, &eval_common_argp, argc, argv, &given);
    return eval_run(perform, &given, &given.common);
}
