/* The subcommands of ddpm-dist and what they share. */
#ifndef DDPM_APP_APP_H
#define DDPM_APP_APP_H
#include "ddpm/base/command.h"
#include "ddpm/base/config.h"
#include "ddpm/dist/comm.h"
#include "ddpm/train/plan.h"

/* Each gets its own arguments (argv[0] is "ddpm-dist train") and returns an exit code. */
int ddpm_app__train(int argc, char **argv);
int ddpm_app__config(int argc, char **argv);
int ddpm_app__plan(int argc, char **argv);
int ddpm_app__bench(int argc, char **argv);
int ddpm_app__doctor(int argc, char **argv);

/* --config and --set, and no arguments beside options: what all subcommands share
 * (ddpm_command_parse), at the beginning of their own structures. */
typedef struct {
    const char *file; /* NULL: not given */
    const char **assignment;
    size_t assignment_count;
} ddpm_app_options;

extern const struct argp ddpm_app__config_argp;
/* Reads file and assignments over the defaults and checks them. With file_is_needed an absent
 * --config is DDPM_EUSAGE. */
DDPM_NODISCARD ddpm_status ddpm_app__load(ddpm_config *config, const ddpm_app_options *options,
                                          bool file_is_needed);
void ddpm_app__options_free(ddpm_app_options *options);
/* A whole number within [min, max], or the parser's error, which does not return. */
int64_t ddpm_app__number(const char *text, int64_t min, int64_t max, const char *what,
                         struct argp_state *state);
/* Takes what the configuration leaves open about the images from the data set, where there is one
 * to open, and holds those of eval.data against it; *data: of both, for the plan. */
DDPM_NODISCARD ddpm_status ddpm_app__fit_data(ddpm_config *config, ddpm_plan_data *data);
/* The end of a collective subcommand whose outcome all ranks share: rank 0 says what failed; stops
 * MPI. Returns the exit code. */
int ddpm_app__conclude(ddpm_comm *comm, ddpm_status status);
/* The same of one that starts no MPI and began with ddpm_command_hold: what failed is told once,
 * results by every process that has some. */
int ddpm_app__conclude_alone(ddpm_status status);
#endif
