#include "data.h"

#include "ddpm/base/log.h"
#include "ddpm/base/stop.h"
#include "ddpm/data/generate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    OPTION_CHANNELS = 256,
    OPTION_SEED,
    OPTION_NAME,
    OPTION_MEAN,
    OPTION_STD,
    OPTION_CORRELATION
};

static const struct argp_option options[] = {
    { "output", 'o', "SET.h5", 0, "The dataset to make", 0 },
    { "count", 'n', "N", 0, "Images; default 10000", 0 },
    { "size", 's', "SIDE", 0, "Their height and width; default 32", 0 },
    { "seed", OPTION_SEED, "SEED", 0, "Image i of a seed is always the same; default 0", 0 },
    { "name", OPTION_NAME, "NAME", 0, "A name for the set; default: the kind's", 0 },
    { "force", 'f', NULL, 0, "Replace an output that is there already", 0 },
    { "quiet", 'q', NULL, 0, "Say nothing but warnings and errors", 0 },

    { NULL, 0, NULL, 0, "gaussian:", 1 },
    { "channels", OPTION_CHANNELS, "C", 0, "Channels; default 1", 1 },
    { "mean", OPTION_MEAN, "M", 0, "Mean of every value; default 0", 1 },
    { "std", OPTION_STD, "S", 0, "Standard deviation of every value; default 0.5", 1 },
    { "correlation", OPTION_CORRELATION, "RHO", 0,
      "Of neighbours in a row or column, from 0 to below 1; of pixels a rows and b columns apart "
      "it is RHO^(a+b); default 0",
      1 },
    { 0 },
};

typedef struct {
    const ddpm_generator *generator;
    ddpm_generate_options generate;
    bool force, gaussian_only;
} arguments;

static const ddpm_generator *generator_of(const char *name, struct argp_state *state)
{
    const ddpm_generator *generator = ddpm_generator_find(name);
    if (generator) return generator;
    char all[256] = "";
    for (size_t i = 0; i < ddpm_generator_count; i++)
        snprintf(all + strlen(all), sizeof all - strlen(all), "%s%s", i ? ", " : "",
                 ddpm_generators[i].name);
    argp_error(state, "there is no kind '%s'; kinds are %s", name, all);
    return NULL;
}

static void check(const arguments *given, struct argp_state *state)
{
    if (!given->generator) {
        argp_error(state, "the kind of images is missing");
        return;
    }
    if (!given->generate.output) argp_error(state, "the output is missing: -o SET.h5");
    if (given->gaussian_only && strcmp(given->generator->name, "gaussian") != 0)
        argp_error(state, "--channels, --mean, --std and --correlation are for gaussian");
}

static error_t parse(int key, char *argument, struct argp_state *state)
{
    arguments *given = state->input;
    ddpm_generate_options *to = &given->generate;
    switch (key) {
    case 'o': to->output = argument; return 0;
    case 'n': to->n = (size_t)data_number(argument, 1, INT64_C(1) << 40, "-n", state); return 0;
    case 's': to->size = (size_t)data_number(argument, 1, 4096, "--size", state); return 0;
    case 'f': given->force = true; return 0;
    case 'q': ddpm_log_init("ddpm-data", DDPM_LOG_WARNING); return 0;
    case OPTION_SEED:
        to->seed = (uint64_t)data_number(argument, 0, INT64_MAX, "--seed", state);
        return 0;
    case OPTION_NAME: to->name = argument; return 0;
    case OPTION_CHANNELS:
        to->channels = (size_t)data_number(argument, 1, 4096, "--channels", state);
        given->gaussian_only = true;
        return 0;
    case OPTION_MEAN:
        to->mean = data_real(argument, -1e6, 1e6, "--mean", state);
        given->gaussian_only = true;
        return 0;
    case OPTION_STD:
        to->std = data_real(argument, 1e-6, 1e6, "--std", state);
        given->gaussian_only = true;
        return 0;
    case OPTION_CORRELATION:
        to->correlation = data_real(argument, 0.0, 0.9999, "--correlation", state);
        given->gaussian_only = true;
        return 0;
    case ARGP_KEY_ARG:
        if (given->generator) argp_error(state, "'%s' is one argument too many", argument);
        given->generator = generator_of(argument, state);
        return 0;
    case ARGP_KEY_END: check(given, state); return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

/* The kinds, from their table, after the options. */
static char *help_filter(int key, const char *text, void *input)
{
    (void)input;
    char *all = NULL;
    if (key != ARGP_KEY_HELP_POST_DOC) {
        memcpy(&all, &text, sizeof all); /* argp wants its own text back, as if it were not const */
        return all;
    }
    size_t size = 0;
    FILE *out = open_memstream(&all, &size);
    if (!out) return NULL;
    fputs("Kinds:\n", out);
    for (size_t i = 0; i < ddpm_generator_count; i++)
        fprintf(out, "  %s\n      %s\n", ddpm_generators[i].name, ddpm_generators[i].help);
    fclose(out);
    return all;
}

int data_generate(int argc, char **argv)
{
    static const struct argp argp = {
        options,     parse, "KIND -o SET.h5", "Makes a dataset without any input.\v", NULL,
        help_filter, NULL
    };
    arguments given = { .generate = {
                            .n = 10000, .size = 32, .std = 0.5, .stop = &ddpm_stop_asked } };
    ddpm_command_parse(&argp, NULL, argc, argv, &given);
    if (given.generate.channels == 0) given.generate.channels = given.generator->channels;

    ddpm_stop_catch();
    ddpm_status status = data_check_output(given.generate.output, given.force);
    if (status == DDPM_OK) status = given.generator->run(&given.generate);
    ddpm_log_live_end();
    if (status == DDPM_OK) status = data_announce(given.generate.output);
    return ddpm_log_failure(status);
}
