#include "bpd.h"

#include "ddpm/base/log.h"
#include "ddpm/eval/plot.h"
#include "ddpm/eval/results.h"
#include "ddpm/io/sealed_file.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double *unit_of(size_t unit, void *parts)
{
    return ddpm_eval_parts_get(parts, unit);
}

/* JSON has no NaN: a number that is none is null. */
static json_t *real(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *estimate(ddpm_bpd_estimate of)
{
    return json_pack("{s:o,s:o}", "mean", real(of.mean), "standard_error", real(of.standard_error));
}

static json_t *result_of(const bpd_job *job, const ddpm_bpd_summary *summary)
{
    const ddpm_bpd_options *o = &job->options;
    json_t *json = json_pack("{s:s,s:s,s:o,s:o,s:I,s:o,s:o,s:o,s:o,s:f}", "metric", "bpd", "key",
                             job->key, "value", real(summary->total.mean), "standard_error",
                             real(summary->total.standard_error), "images",
                             (json_int_t)summary->images, "total", estimate(summary->total), "L_T",
                             estimate(summary->prior), "L_1_to_T-1", estimate(summary->middle),
                             "L_0", estimate(summary->decoder), "rmse", summary->term[0].rmse);
    json_t *model = json_pack("{s:o,s:s,s:I,s:s}", "checkpoint", eval_json_text(job->source.path),
                              "digest", job->source.digest, "step", (json_int_t)job->source.step,
                              "weights", job->source.weights);
    json_t *settings = json_pack(
        "{s:I,s:I,s:s,s:b,s:I,s:I}", "steps", (json_int_t)o->schedule->steps, "evaluations",
        (json_int_t)o->strata_count, "variance", ddpm_variance_names[o->variance], "clip", o->clip,
        "seed", (json_int_t)o->seed, "batch", (json_int_t)o->batch);
    if (!json || !model || !settings) {
        json_decref(model);
        json_decref(settings);
        json_decref(json);
        return NULL;
    }
    json_object_set_new(json, "L_1_to_T-1_by_quarter",
                        json_pack("[f,f,f,f]", summary->quarter[0], summary->quarter[1],
                                  summary->quarter[2], summary->quarter[3]));
    json_object_set_new(json, "model", model);
    json_object_set_new(json, "data", eval_describe_data(job->set, job->arguments->data));
    json_object_set_new(json, "settings", settings);
    return json;
}

static json_t *terms_of(const bpd_job *job, const ddpm_bpd_summary *summary)
{
    json_t *terms = json_array();
    for (size_t k = 0; k < summary->terms; k++) {
        const ddpm_bpd_term *term = &summary->term[k];
        const double *t = job->options.schedule->timestep + term->stratum.first;
        json_array_append_new(terms,
                              json_pack("{s:f,s:f,s:o,s:o,s:f,s:f}", "t_first", t[0], "t_last",
                                        t[term->stratum.count - 1], "bits", real(term->bits.mean),
                                        "standard_error", real(term->bits.standard_error), "rate",
                                        term->rate, "rmse", term->rmse));
    }
    return terms;
}

static ddpm_status publish_json(const bpd_job *job, json_t *json)
{
    char path[EVAL_PATH + 64];
    snprintf(path, sizeof path, "%s/bpd-%s.json", job->directory, job->key);
    char *text = json_dumps(json, JSON_INDENT(1) | JSON_REAL_PRECISION(15));
    if (!text) return ddpm_fail(DDPM_EOS, "%s: out of memory", path);
    const ddpm_status status = ddpm_publish_file(path, text, strlen(text));
    free(text);
    return status;
}

static ddpm_status publish_table(const bpd_job *job, const ddpm_bpd_summary *summary)
{
    char path[EVAL_PATH + 64];
    snprintf(path, sizeof path, "%s/bpd-%s.tsv", job->directory, job->key);
    char *text = NULL;
    size_t bytes = 0;
    FILE *file = open_memstream(&text, &bytes);
    if (!file) return ddpm_fail(DDPM_EOS, "%s: out of memory", path);
    fputs("t_first\tt_last\tbits\tstandard_error\trate\trmse\n", file);
    for (size_t k = 0; k < summary->terms; k++) {
        const ddpm_bpd_term *term = &summary->term[k];
        const double *t = job->options.schedule->timestep + term->stratum.first;
        fprintf(file, "%.10g\t%.10g\t%.9g\t%.3g\t%.9g\t%.9g\n", t[0], t[term->stratum.count - 1],
                term->bits.mean, term->bits.standard_error, term->rate, term->rmse);
    }
    ddpm_status status = fclose(file) == 0 ? DDPM_OK
                                           : ddpm_fail(DDPM_EOS, "%s: out of memory", path);
    if (status == DDPM_OK) status = ddpm_publish_file(path, text, bytes);
    free(text);
    return status;
}

static ddpm_status publish_plot(const bpd_job *job, const ddpm_bpd_summary *summary)
{
    char stem[EVAL_PATH + 64], title[256];
    const size_t n = summary->terms;
    double *x = malloc(2 * n * sizeof *x);
    if (!x) return ddpm_fail(DDPM_EOS, "out of memory for a plot");
    for (size_t k = 0; k < n; k++) {
        x[k] = summary->term[k].rate;
        x[n + k] = summary->term[k].rmse;
    }
    snprintf(stem, sizeof stem, "%s/bpd-%s", job->directory, job->key);
    snprintf(title, sizeof title, "Rate-distortion, %zu images of %.60s, step %llu",
             summary->images, ddpm_dataset_get_info(job->set)->name,
             (unsigned long long)job->source.step);
    const ddpm_plot_series series = { .x = x, .y = x + n, .count = n };
    const ddpm_plot plot = { .title = title,
                             .x_label = "rate (bits/dim)",
                             .y_label = "distortion (RMSE of 0..255)",
                             .series = &series,
                             .series_count = 1 };
    const ddpm_status status = ddpm_plot_write(&plot, stem);
    free(x);
    return status;
}

static void print_row(const char *name, ddpm_bpd_estimate of)
{
    printf("%-12s %12.6f", name, of.mean);
    if (isfinite(of.standard_error)) printf(" +- %.6f", of.standard_error);
    putchar('\n');
}

static void print_table(const bpd_job *job, const ddpm_bpd_summary *summary)
{
    const ddpm_dataset_info *info = ddpm_dataset_get_info(job->set);
    printf("model        %s, step %llu, %s, sha256:%.12s\n", job->source.path,
           (unsigned long long)job->source.step, job->source.weights, job->source.digest);
    printf("data         %s, %zu of %zu images, %.19s\n", job->arguments->data, summary->images,
           info->shape.n, info->content_hash);
    printf("steps        %zu of %zu evaluated\n", job->options.strata_count,
           job->options.schedule->steps);
    print_row("bits/dim", summary->total);
    print_row("L_T", summary->prior);
    print_row("L_1..L_T-1", summary->middle);
    print_row("L_0", summary->decoder);
    printf("%-12s %12.6f of 0..255, at t = 0\n", "RMSE", summary->term[0].rmse);
    printf("written      %s/bpd-%s.{json,tsv,svg,png}\n", job->directory, job->key);
}

static ddpm_status publish(const bpd_job *job, const ddpm_bpd_summary *summary, json_t *json)
{
    if (!json) return ddpm_fail(DDPM_EOS, "out of memory");
    eval_sign(json);
    DDPM_TRY(ddpm_results_append(job->directory, json));
    json_object_set_new(json, "terms", terms_of(job, summary));
    DDPM_TRY(publish_json(job, json));
    DDPM_TRY(publish_table(job, summary));
    DDPM_TRY(publish_plot(job, summary));
    if (job->arguments->common.json) return eval_print_json(json);
    print_table(job, summary);
    return DDPM_OK;
}

ddpm_status bpd_report(const bpd_job *job)
{
    ddpm_bpd_summary summary;
    DDPM_TRY(ddpm_bpd_sum(&summary, job->batches, unit_of, job->parts, &job->options));
    json_t *json = result_of(job, &summary);
    const ddpm_status status = publish(job, &summary, json);
    json_decref(json);
    ddpm_bpd_summary_free(&summary);
    return status;
}
