/** @file arguments.h  The command line of ddpm-sample. */
#ifndef SAMPLE_ARGUMENTS_H
#define SAMPLE_ARGUMENTS_H
#include "ddpm/train/sample.h"

#include <stdbool.h>

enum { SAMPLE_DDIM_STEPS = 50 }; /**< default of --steps for ddim */

typedef struct {
    const char *checkpoint, *output;
    const char *weights;    /**< "ema", "ema:RATE" or "raw"; NULL: not said */
    const char *init_noise; /**< file with /x_T, or NULL */
    size_t count;           /**< 0: not said */
    size_t steps;           /**< 0: not said */
    ddpm_sample_options draw;
    int threads; /**< 0: as many as there are cores */
    bool as_bytes, json, quiet;
} sample_arguments;

/** Parses, or ends the program: --help and --version with 0, a bad command line with DDPM_EUSAGE.
 */
void sample_parse(sample_arguments *arguments, int argc, char **argv);

/** "fixedlarge", "fixedsmall"; "none", "eps", "rederive". */
const char *sample_variance_name(ddpm_variance variance);
const char *sample_clip_name(ddpm_clip clip);
/** Whether the output is to be an HDF5 file (else PNG). */
bool sample_output_is_h5(const sample_arguments *arguments);
#endif
