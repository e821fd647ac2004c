/* ddpm-dist train. */
#include "app.h"

#include "ddpm/base/log.h"
#include "ddpm/kernels/isa.h"
#include "ddpm/train/trainer.h"

#include <stdio.h>
#include <string.h>

enum { RESUME = 0x100, FRESH, ALLOW_DATA_CHANGE, RUN_BYTES = 4096 };

typedef struct {
    ddpm_app_options common;
    const char *run;
    ddpm_start start;
    bool allow_data_change;
    ddpm_log_level level;
} arguments;

static const struct argp_option options[] = {
    { "run", 'r', "DIR", 0, "The run directory; runs/<name of the INI file> by default", 1 },
    { "resume", RESUME, NULL, 0, "Go on from the newest checkpoint; an error where there is none",
      1 },
    { "fresh", FRESH, NULL, 0,
      "Begin anew; a run that is in the directory is renamed to DIR.old-<time>, never overwritten",
      1 },
    { "allow-data-change", ALLOW_DATA_CHANGE, NULL, 0,
      "Go on although the data set is not the one that the run began with", 1 },
    { "quiet", 'q', NULL, 0, "Only warnings and errors", 2 },
    { "verbose", 'v', NULL, 0, "Also what helps to find a bug", 2 },
    { 0 },
};

static void set_start(arguments *args, ddpm_start start, struct argp_state *state)
{
    if (args->start != DDPM_START_AUTO && args->start != start)
        argp_error(state, "--resume and --fresh exclude each other");
    args->start = start;
}

static error_t parse(int key, char *argument, struct argp_state *state)
{
    arguments *args = state->input;
    switch (key) {
    case 'r': args->run = argument; return 0;
    case RESUME: set_start(args, DDPM_START_RESUME, state); return 0;
    case FRESH: set_start(args, DDPM_START_FRESH, state); return 0;
    case ALLOW_DATA_CHANGE: args->allow_data_change = true; return 0;
    case 'q': args->level = DDPM_LOG_WARNING; return 0;
    case 'v': args->level = DDPM_LOG_DEBUG; return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "unexpected argument '%s' (--config FILE names the configuration)",
                   argument);
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp argp = {
    .options = options,
    .parser = parse,
    .doc =
        "Trains a model, alone or under mpirun. Where the run directory has checkpoints, training "
        "goes on from the newest one that is whole. SIGUSR1, SIGTERM and SIGINT save and end with "
        "exit code 75: the same command goes on.\v"
        "Exit codes: 0 done, 64 usage, 65 data or a loss that is not finite, 66 no input, 71 out "
        "of memory, 73 cannot create, 74 input/output, 75 stopped before the end or the run "
        "directory is in use, 78 configuration.",
};

/* runs/<name of the file without .ini> */
static void name_run(char run[RUN_BYTES], const char *file)
{
    const char *slash = strrchr(file, '/'), *base = slash ? slash + 1 : file;
    size_t length = strlen(base);
    if (length > 4 && strcmp(base + length - 4, ".ini") == 0) length -= 4;
    snprintf(run, RUN_BYTES, "runs/%.*s", (int)length, base);
}

static ddpm_status train(ddpm_comm *comm, const arguments *args, bool *stopped)
{
    static ddpm_config config;
    char run[RUN_BYTES];
    ddpm_status status = ddpm_kernels_init();
    if (status == DDPM_OK) status = ddpm_app__load(&config, &args->common, true);
    DDPM_TRY(ddpm_comm_agree(comm, status));
    if (args->run)
        snprintf(run, sizeof run, "%s", args->run);
    else
        name_run(run, args->common.file);
    const ddpm_trainer_options trainer_options = {
        .config = &config,
        .directory = run,
        .start = args->start,
        .allow_data_change = args->allow_data_change,
    };
    ddpm_trainer *trainer;
    DDPM_TRY(ddpm_trainer_create(&trainer, comm, &trainer_options));
    status = ddpm_trainer_run(trainer, stopped);
    ddpm_trainer_free(trainer);
    return status;
}

int ddpm_app__train(int argc, char **argv)
{
    arguments args = { .level = DDPM_LOG_INFO };
    ddpm_command_parse(&argp, &ddpm_app__config_argp, argc, argv, &args);
    ddpm_log_init("ddpm-dist", args.level);
    ddpm_comm *comm;
    ddpm_status status = ddpm_comm_start(&comm, &argc, &argv);
    if (status != DDPM_OK) return ddpm_log_failure(status);
    bool stopped = false;
    status = train(comm, &args, &stopped);
    ddpm_app__options_free(&args.common);
    const int code = ddpm_app__conclude(comm, status);
    return code == 0 && stopped ? DDPM_EAGAIN : code;
}
