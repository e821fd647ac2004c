/** @file data.h
 *  ddpm-data: a table of subcommands, one file each. Every one gets its own arguments (argv[0] is
 *  "ddpm-data import") and returns an exit code. */
#ifndef DATA_H
#define DATA_H
#include "ddpm/base/command.h"
#include "ddpm/base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

int data_import(int argc, char **argv);
int data_generate(int argc, char **argv);
int data_info(int argc, char **argv);
int data_grid(int argc, char **argv);

/** DDPM_ECREATE where the output is there already and is not to be replaced. */
DDPM_NODISCARD ddpm_status data_check_output(const char *path, bool force);
/** Says in a line what a new dataset is. */
DDPM_NODISCARD ddpm_status data_announce(const char *path);
/** A whole number within [min, max], or the parser's error, which does not return. */
int64_t data_number(const char *text, int64_t min, int64_t max, const char *what,
                    struct argp_state *state);
double data_real(const char *text, double min, double max, const char *what,
                 struct argp_state *state);
#endif
