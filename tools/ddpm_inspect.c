/* ddpm-inspect: looks into checkpoints. A table of commands; each is a file of tools/inspect/. */
#include "ddpm/base/command.h"
#include "ddpm/base/log.h"
#include "inspect/inspect.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    const char *name;
    int (*run)(const inspect_options *options);
    size_t least, most; /* checkpoints that it takes */
} command;

static const command commands[] = {
    { "summary", inspect_summary, 1, 1 }, { "tree", inspect_tree, 1, 1 },
    { "stats", inspect_stats, 1, 1 },     { "verify", inspect_verify, 1, SIZE_MAX },
    { "diff", inspect_diff, 2, 2 },       { "config", inspect_config, 1, 1 },
};

typedef struct {
    inspect_options inspect;
    const command *command;
} arguments;

enum { OPTION_PART = 256, OPTION_RATE };

static const struct argp_option options[] = {
    { "json", 'j', NULL, 0, "Print JSON", 0 },
    { "part", OPTION_PART, "PART", 0,
      "stats, diff: of model (default), ema, m or v (Adam's moments); diff then compares nothing "
      "else",
      0 },
    { "rate", OPTION_RATE, "RATE", 0,
      "For --part ema: the average of this decay; default: the first", 0 },
    { 0 },
};

static const char usage[] = "CKPT\nCOMMAND CKPT...";
static const char help[] =
    "Shows what a checkpoint holds.\v"
    "Commands:\n"
    "  summary CKPT     one screen: progress, network, data, integrity; default\n"
    "  tree CKPT        tensors by module, with shapes and counts\n"
    "  stats CKPT       a row a tensor: mean, deviation, norm, maximum, NaN, Inf\n"
    "  verify CKPT...   reads everything; exits 65 if anything is damaged\n"
    "  diff A B         configuration and tensors; exits 0 if equal, 1 if different\n"
    "  config CKPT      the configuration, as an INI file\n"
    "\n"
    "CKPT is a checkpoint, or a run directory or its checkpoints/: that means the newest "
    "checkpoint that verifies, and to verify all of them.";

static const command *find_command(const char *name)
{
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (strcmp(commands[i].name, name) == 0) return &commands[i];
    return NULL;
}

static error_t check_count(const arguments *given, struct argp_state *state)
{
    const size_t count = given->inspect.path_count;
    if (count < given->command->least)
        argp_error(state, "%s: %s missing", given->command->name,
                   count == 0 ? "a checkpoint is" : "a second checkpoint is");
    if (count > given->command->most)
        argp_error(state, "%s takes %zu checkpoint%s, and %zu are given", given->command->name,
                   given->command->most, given->command->most == 1 ? "" : "s", count);
    return 0;
}

static error_t parse(int key, char *argument, struct argp_state *state)
{
    arguments *given = state->input;
    inspect_options *to = &given->inspect;
    switch (key) {
    case 'j': to->json = true; return 0;
    case OPTION_PART: to->part = argument; return 0;
    case OPTION_RATE: to->rate = argument; return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num == 0 && find_command(argument))
            given->command = find_command(argument);
        else
            to->paths[to->path_count++] = argument;
        return 0;
    case ARGP_KEY_END: return check_count(given, state);
    default: return ARGP_ERR_UNKNOWN;
    }
}

int main(int argc, char **argv)
{
    static const struct argp argp = { options, parse, usage, help, NULL, NULL, NULL };
    argp_program_version = "ddpm-inspect " DDPM_VERSION;
    ddpm_log_init("ddpm-inspect", DDPM_LOG_INFO);

    arguments given = { .command = &commands[0] };
    given.inspect.paths = calloc((size_t)argc + 1, sizeof *given.inspect.paths);
    if (!given.inspect.paths) return ddpm_log_failure(ddpm_fail(DDPM_EOS, "out of memory"));
    ddpm_command_parse(&argp, NULL, argc, argv, &given);

    const int code = given.command->run(&given.inspect);
    free(given.inspect.paths);
    return ddpm_program_finish(code);
}
