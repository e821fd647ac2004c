/* ddpm-dist: a table of subcommands, one file each. */
#include "app.h"

static const ddpm_subcommand subcommands[] = {
    { "train", "train a model, alone or under mpirun; goes on where it was stopped",
      ddpm_app__train },
    { "config", "print the configuration; --explain says what each key means", ddpm_app__config },
    { "plan", "parameters, memory and checkpoint size, before anything runs", ddpm_app__plan },
    { "bench", "time real training or sampling steps on random data", ddpm_app__bench },
    { "doctor", "what is wrong with this place for training, and how to mend it",
      ddpm_app__doctor },
};

static const ddpm_program program = {
    .name = "ddpm-dist",
    .version = "ddpm-dist " DDPM_VERSION,
    .purpose = "Trains denoising diffusion models on clusters of CPUs.\n",
    .closing =
        "`ddpm-dist SUBCOMMAND --help` explains each. Related programs: ddpm-data, ddpm-sample,\n"
        "ddpm-eval, ddpm-inspect. The manual: man ddpm-dist.\n",
    .subcommands = subcommands,
    .count = sizeof subcommands / sizeof *subcommands,
};

int main(int argc, char **argv)
{
    return ddpm_program_main(&program, argc, argv);
}
