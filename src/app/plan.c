/* ddpm-dist plan: what a run will take. */
#include "app.h"
#include "plan_speed.h"

#include "ddpm/base/log.h"
#include "ddpm/base/text.h"
#include "ddpm/train/model.h"
#include "ddpm/train/plan.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

enum { JSON = 0x100, LAYERS, NETWORK, RATE, RANKS_PER_NODE, TRANSPORT, MOST_RANKS = 1 << 20 };

typedef struct {
    ddpm_app_options common;
    ddpm_app_speed speed;
    bool json, layers;
} arguments;

static const struct argp_option options[] = {
    { "ranks", 'n', "N", 0, "For a run with N ranks (default 1)", 1 },
    { "ranks-per-node", RANKS_PER_NODE, "P", 0, "With P ranks on each node (default 1)", 1 },
    { "network", NETWORK, "SPEED", 0,
      "Also how long a step takes where a node's link does SPEED each way: 1G, 25G, 100G; G is "
      "10^9 bits a second",
      1 },
    { "rate", RATE, "R", 0,
      "Also how long a step takes by ranks that do R images a second each; the plan says how to "
      "measure it; train.threads of the configuration says how many of a rank's cores go on "
      "while one communicates",
      1 },
    { "transport", TRANSPORT, "NAME", 0, "What moves the bytes: tcp (the default) or rdma", 1 },
    { "json", JSON, NULL, 0, "As JSON", 1 },
    { "layers", LAYERS, NULL, 0, "Also every operation of the network, with its algorithm", 1 },
    { 0 },
};

static error_t parse(int key, char *argument, struct argp_state *state)
{
    arguments *args = state->input;
    switch (key) {
    case 'n':
        args->speed.ranks = (int)ddpm_app__number(argument, 1, MOST_RANKS, "--ranks", state);
        return 0;
    case RANKS_PER_NODE:
        args->speed.ranks_per_node = (int)ddpm_app__number(argument, 1, MOST_RANKS,
                                                           "--ranks-per-node", state);
        return 0;
    case NETWORK: args->speed.link_bits_per_second = ddpm_app__link(argument, state); return 0;
    case RATE: args->speed.rate = ddpm_app__rate(argument, state); return 0;
    case TRANSPORT: args->speed.transport = ddpm_app__transport(argument, state); return 0;
    case JSON: args->json = true; return 0;
    case LAYERS: args->layers = true; return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp argp = {
    .options = options,
    .parser = parse,
    .doc =
        "Says what a run with this configuration will take, without running it: parameters, "
        "memory of the rank that takes most, size of a checkpoint, and with --network and --rate "
        "the time: docs/scaling.md has the model.",
};

/* Forward, and twice that backward; a multiply-accumulate is two operations. */
static double training_flops(const ddpm_plan *plan)
{
    return 6.0 * plan->needs.forward_macs_per_image;
}

static json_t *objective_json(const ddpm_config *config)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:f, s:s, s:I, s:f}", "process",
                     config->diffusion.process, "prediction", ddpm_model_prediction(config), "loss",
                     config->objective.loss, "variance", config->objective.variance, "min_snr",
                     config->objective.min_snr, "timesteps", config->objective.timesteps, "classes",
                     (json_int_t)config->model.classes, "label_dropout",
                     config->train.label_dropout);
}

static ddpm_status print_json(const ddpm_plan *plan, const ddpm_config *config,
                              const ddpm_app_speed *speed)
{
    json_t *memory = json_object();
    for (ddpm_memory_kind kind = 0; kind < DDPM_MEMORY_KINDS; kind++)
        json_object_set_new(memory, ddpm_memory_kind_name(kind),
                            json_integer((json_int_t)plan->memory_bytes[kind]));
    json_object_set_new(memory, "total", json_integer((json_int_t)plan->memory_total_bytes));
    json_t *json = json_pack(
        "{s:I, s:I, s:{s:I, s:I, s:I}, s:o, s:I, s:I, s:I, s:I, s:I, s:f, s:o, s:I, s:I, s:o}",
        "parameters", (json_int_t)plan->parameters, "tensors", (json_int_t)plan->needs.tensors,
        "image", "height", (json_int_t)plan->unet.height, "width", (json_int_t)plan->unet.width,
        "channels", (json_int_t)plan->unet.in_channels, "objective", objective_json(config),
        "batch", (json_int_t)config->train.batch, "micro_batch",
        (json_int_t)config->train.micro_batch, "micro_batches", (json_int_t)plan->micro_batches,
        "micro_batches_per_rank", (json_int_t)plan->rank_micro_batches, "ranks",
        (json_int_t)speed->ranks, "training_flops_per_image", training_flops(plan), "memory_bytes",
        memory, "checkpoint_bytes", (json_int_t)plan->checkpoint_bytes, "memory_limit_bytes",
        (json_int_t)ddpm_memory_limit_bytes(), "speed", ddpm_app__speed_json(speed, plan, config));
    char *text = json ? json_dumps(json, JSON_INDENT(2) | JSON_REAL_PRECISION(12)) : NULL;
    json_decref(json);
    if (!text) return ddpm_fail(DDPM_EOS, "no memory for the plan as JSON");
    puts(text);
    free(text);
    return DDPM_OK;
}

static void print_text(const ddpm_plan *plan, const ddpm_config *config, int ranks)
{
    char text[32], limit[32], objective[256];
    printf("parameters    %s in %zu tensors\n", ddpm_text_count(text, plan->parameters),
           plan->needs.tensors);
    printf("images        %zux%zux%zu\n", plan->unet.height, plan->unet.width,
           plan->unet.in_channels);
    printf("objective     %s\n", ddpm_model_objective_text(objective, sizeof objective, config));
    printf("batch         %lld = %llu micro-batches of %lld; %llu a rank on %d rank%s\n",
           (long long)config->train.batch, (unsigned long long)plan->micro_batches,
           (long long)config->train.micro_batch, (unsigned long long)plan->rank_micro_batches,
           ranks, ranks == 1 ? "" : "s");
    printf("work          %.2f GFLOP an image (forward %.2f GMAC)\n", training_flops(plan) * 1e-9,
           plan->needs.forward_macs_per_image * 1e-9);
    printf("checkpoint    %s\n", ddpm_text_bytes(text, plan->checkpoint_bytes));
    puts("memory of the rank that takes most:");
    for (ddpm_memory_kind kind = 0; kind < DDPM_MEMORY_KINDS; kind++)
        if (plan->memory_bytes[kind] > 0)
            printf("  %-13s %12s\n", ddpm_memory_kind_name(kind),
                   ddpm_text_bytes(text, plan->memory_bytes[kind]));
    printf("  %-13s %12s  (%s may be used here)\n", "total",
           ddpm_text_bytes(text, plan->memory_total_bytes),
           ddpm_text_bytes(limit, ddpm_memory_limit_bytes()));
}

static ddpm_status print_layers(const ddpm_plan *plan, const ddpm_config *config)
{
    ddpm_unet *unet;
    DDPM_TRY(ddpm_unet_create(&unet, &plan->unet, (size_t)config->train.micro_batch,
                              DDPM_UNET_TRAINING));
    char *text = ddpm_unet_describe(unet);
    ddpm_unet_free(unet);
    if (!text) return ddpm_fail(DDPM_EOS, "no memory to describe the network");
    puts("");
    fputs(text, stdout);
    free(text);
    return DDPM_OK;
}

static ddpm_status run(const arguments *args)
{
    static ddpm_config config;
    static ddpm_plan plan;
    ddpm_plan_data data;
    DDPM_TRY(ddpm_app__load(&config, &args->common, true));
    DDPM_TRY(ddpm_app__fit_data(&config, &data));
    DDPM_TRY(ddpm_plan_make(&plan, &config, args->speed.ranks, &data));
    if (args->json) return print_json(&plan, &config, &args->speed);
    print_text(&plan, &config, args->speed.ranks);
    ddpm_app__speed_text(&args->speed, &plan, &config);
    return args->layers ? print_layers(&plan, &config) : DDPM_OK;
}

int ddpm_app__plan(int argc, char **argv)
{
    arguments args = { .speed = ddpm_app__speed_default() };
    ddpm_command_parse(&argp, &ddpm_app__config_argp, argc, argv, &args);
    ddpm_command_hold();
    const ddpm_status status = run(&args);
    ddpm_app__options_free(&args.common);
    return ddpm_app__conclude_alone(status);
}
