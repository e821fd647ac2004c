/* ddpm-dist bench: how fast the real thing is, without data. */
#include "bench.h"

#include "app.h"
#include "ddpm/base/log.h"
#include "ddpm/base/memory.h"
#include "ddpm/kernels/isa.h"
#include "ddpm/train/sample.h"
#include "ddpm/train/threads.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { JSON = 0x100, EXPLAIN, MOST_STEPS = 1000000, MOST_BATCH = 65536 };

enum { TRAIN, SAMPLE, MODES };
static const struct {
    const char *name;
    ddpm_bench *run;
} modes[MODES] = {
    [TRAIN] = { "train", ddpm_app__bench_train }, [SAMPLE] = { "sample", ddpm_app__bench_sample }
};

typedef struct {
    ddpm_app_options common;
    size_t mode;
    ddpm_bench_options bench; /* batch 0: not given */
    bool json, explain;
} arguments;

static const struct argp_option options[] = {
    { "mode", 'm', "MODE", 0, "train (the default) or sample", 1 },
    { "steps", 'n', "S", 0, "Timed steps (default 5); one more comes first and is not timed", 1 },
    { "batch", 'b', "N", 0, "Images a rank draws at once, with --mode sample (default 8)", 1 },
    { "explain", EXPLAIN, NULL, 0,
      "Print the algorithm picked for every 3x3 convolution, and run nothing", 1 },
    { "json", JSON, NULL, 0, "As JSON", 1 },
    { 0 },
};

static size_t mode_named(const char *name, struct argp_state *state)
{
    for (size_t i = 0; i < MODES; i++)
        if (strcmp(name, modes[i].name) == 0) return i;
    argp_error(state, "--mode is train or sample, not '%s'", name);
    return 0;
}

static error_t parse(int key, char *argument, struct argp_state *state)
{
    arguments *args = state->input;
    switch (key) {
    case 'm': args->mode = mode_named(argument, state); return 0;
    case 'n':
        args->bench.steps = (size_t)ddpm_app__number(argument, 1, MOST_STEPS, "--steps", state);
        return 0;
    case 'b':
        args->bench.batch = (size_t)ddpm_app__number(argument, 1, MOST_BATCH, "--batch", state);
        return 0;
    case EXPLAIN: args->explain = true; return 0;
    case JSON: args->json = true; return 0;
    case ARGP_KEY_END:
        if (args->bench.batch > 0 && args->mode == TRAIN)
            argp_error(state, "--batch is for --mode sample; training has --set train.batch=N and "
                              "--set train.micro_batch=N");
        if (args->bench.batch == 0) args->bench.batch = DDPM_SAMPLE_BATCH;
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp argp = {
    .options = options,
    .parser = parse,
    .doc =
        "Times real steps of training or sampling on random images, alone or under mpirun. No data "
        "set is needed where model.image_size and model.image_channels are set.",
};

typedef struct {
    const char *mode, *precision;
    int ranks, threads;
    uint64_t peak_rss_bytes; /* of the rank that took most */
    ddpm_bench_result result;
} bench_report;

static bool communicates(const bench_report *report)
{
    return report->ranks > 1 && report->result.communicates;
}

static ddpm_status print_json(const bench_report *report)
{
    const ddpm_bench_result *result = &report->result;
    json_t *phases = json_object();
    for (size_t p = 0; p < result->phase_count; p++)
        json_object_set_new(phases, result->phase[p], json_real(result->phase_seconds[p]));
    json_t *json = json_pack("{s:s, s:s, s:f, s:f, s:f, s:I, s:s, s:s, s:i, s:i, s:o}", "mode",
                             report->mode, "precision", report->precision, "images_per_second",
                             result->images_per_second, "best_images_per_second",
                             result->best_images_per_second, "step_seconds", result->step_seconds,
                             "peak_rss_bytes", (json_int_t)report->peak_rss_bytes, "isa",
                             ddpm_isa_name(), "blas", ddpm_blas_name(), "ranks", report->ranks,
                             "threads", report->threads, "phases", phases);
    if (json && communicates(report))
        json_object_set_new(json, "communication",
                            json_pack("{s:f, s:f, s:f}", "total_seconds",
                                      result->communication_seconds, "exposed_seconds",
                                      result->exposed_seconds, "sent_bytes", result->sent_bytes));
    char *text = json ? json_dumps(json, JSON_INDENT(2) | JSON_REAL_PRECISION(6)) : NULL;
    json_decref(json);
    if (!text) return ddpm_fail(DDPM_EOS, "no memory for the result as JSON");
    puts(text);
    free(text);
    return DDPM_OK;
}

static void print_text(const bench_report *report)
{
    const ddpm_bench_result *result = &report->result;
    printf("%s  %d rank%s x %d thread%s, %s, %s, %s\n", report->mode, report->ranks,
           report->ranks == 1 ? "" : "s", report->threads, report->threads == 1 ? "" : "s",
           report->precision, ddpm_isa_name(), ddpm_blas_name());
    printf("images/s      %8.3f  (best step %.3f)\n", result->images_per_second,
           result->best_images_per_second);
    printf("step          %8.4f s\n", result->step_seconds);
    for (size_t p = 0; p < result->phase_count; p++)
        printf("  %-11s %8.4f s  %3.0f%%\n", result->phase[p], result->phase_seconds[p],
               100.0 * result->phase_seconds[p] / result->step_seconds);
    if (communicates(report))
        printf("communication %8.4f s total, %.4f s exposed (%.0f%%), %.1f MB sent a rank\n",
               result->communication_seconds, result->exposed_seconds,
               100.0 * result->exposed_seconds / result->communication_seconds,
               result->sent_bytes * 1e-6);
    printf("peak memory   %8.1f MiB a rank\n", (double)report->peak_rss_bytes / 1048576.0);
}

static ddpm_status run(ddpm_comm *comm, const arguments *args)
{
    static ddpm_config config;
    ddpm_plan_data data;
    bench_report report = { .mode = modes[args->mode].name, .ranks = ddpm_comm_size(comm) };
    ddpm_status status = ddpm_kernels_init();
    if (status == DDPM_OK) status = ddpm_app__load(&config, &args->common, true);
    if (status == DDPM_OK) status = ddpm_app__fit_data(&config, &data);
    DDPM_TRY(ddpm_comm_agree(comm, status));
    DDPM_TRY(ddpm_threads_set(&report.threads, comm, config.train.threads));
    report.precision = args->mode == TRAIN ? config.train.precision : "fp32";
    DDPM_TRY(modes[args->mode].run(&report.result, comm, &config, &args->bench));
    report.peak_rss_bytes = ddpm_memory_peak_rss_bytes();
    DDPM_TRY(ddpm_comm_max_u64(comm, &report.peak_rss_bytes, 1));
    if (ddpm_comm_rank(comm) == 0) {
        if (args->json)
            status = print_json(&report);
        else
            print_text(&report);
    }
    return ddpm_comm_agree(comm, status);
}

/* Needs no other rank. */
static ddpm_status explain(const arguments *args)
{
    static ddpm_config config;
    ddpm_plan_data data;
    DDPM_TRY(ddpm_kernels_init());
    DDPM_TRY(ddpm_app__load(&config, &args->common, true));
    DDPM_TRY(ddpm_app__fit_data(&config, &data));
    if (args->mode == SAMPLE)
        return ddpm_app__bench_explain(&config, args->bench.batch, DDPM_UNET_INFERENCE, args->json);
    return ddpm_app__bench_explain(&config, (size_t)config.train.micro_batch, DDPM_UNET_TRAINING,
                                   args->json);
}

int ddpm_app__bench(int argc, char **argv)
{
    arguments args = { .bench.steps = 5 };
    ddpm_command_parse(&argp, &ddpm_app__config_argp, argc, argv, &args);
    ddpm_status status;
    if (args.explain) {
        ddpm_command_hold();
        status = explain(&args);
        ddpm_app__options_free(&args.common);
        return ddpm_app__conclude_alone(status);
    }
    ddpm_comm *comm;
    status = ddpm_comm_start(&comm, &argc, &argv);
    if (status != DDPM_OK) return ddpm_log_failure(status);
    status = run(comm, &args);
    ddpm_app__options_free(&args.common);
    return ddpm_app__conclude(comm, status);
}
