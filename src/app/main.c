/* ddpm-dist: a table of subcommands, one file each. */
#include "app.h"

#include "ddpm/base/log.h"
#include "ddpm/base/text.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *name, *help;
    int (*run)(int argc, char **argv);
} subcommands[] = {
    { "train", "train a model, alone or under mpirun; goes on where it was stopped",
      ddpm_app__train },
    { "config", "print the configuration; --explain says what each key means", ddpm_app__config },
    { "plan", "parameters, memory and checkpoint size, before anything runs", ddpm_app__plan },
    { "bench", "time real training or sampling steps on random data", ddpm_app__bench },
    { "doctor", "what is wrong with this place for training, and how to mend it",
      ddpm_app__doctor },
};
enum { SUBCOMMANDS = sizeof subcommands / sizeof *subcommands };

static void print_help(FILE *out)
{
    fputs("Usage: ddpm-dist SUBCOMMAND [OPTION...]\n"
          "Trains denoising diffusion models on clusters of CPUs.\n\n",
          out);
    for (size_t i = 0; i < SUBCOMMANDS; i++)
        fprintf(out, "  %-8s %s\n", subcommands[i].name, subcommands[i].help);
    fputs(
        "\n`ddpm-dist SUBCOMMAND --help` explains each. Related programs: ddpm-data, ddpm-sample,\n"
        "ddpm-inspect. The manual: man ddpm-dist.\n",
        out);
}

static int unknown(const char *name)
{
    const char *names[SUBCOMMANDS];
    for (size_t i = 0; i < SUBCOMMANDS; i++) names[i] = subcommands[i].name;
    const char *nearest = ddpm_text_nearest(name, names, SUBCOMMANDS);
    if (nearest)
        ddpm_log_error("there is no subcommand '%s'; did you mean '%s'?", name, nearest);
    else
        ddpm_log_error("there is no subcommand '%s'; ddpm-dist --help lists them", name);
    return DDPM_EUSAGE;
}

int main(int argc, char **argv)
{
    ddpm_log_init("ddpm-dist", DDPM_LOG_INFO);
    argp_err_exit_status = DDPM_EUSAGE;
    argp_program_version = "ddpm-dist " DDPM_VERSION;
    if (argc < 2) {
        print_help(stderr);
        return DDPM_EUSAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        print_help(stdout);
        return 0;
    }
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
        puts(argp_program_version);
        return 0;
    }
    for (size_t i = 0; i < SUBCOMMANDS; i++) {
        if (strcmp(argv[1], subcommands[i].name) != 0) continue;
        char name[32];
        snprintf(name, sizeof name, "ddpm-dist %s", subcommands[i].name);
        argv[1] = name; /* so that usage messages show what was typed */
        return subcommands[i].run(argc - 1, argv + 1);
    }
    return unknown(argv[1]);
}
