/** @file arguments.h  The command line of ddpm-sample. */
#ifndef SAMPLE_ARGUMENTS_H
#define SAMPLE_ARGUMENTS_H
#include "mode.h"

#include "ddpm/train/sample.h"

#include <stdbool.h>

enum {
    SAMPLE_ROWS = 64,    /**< most images or timesteps on a command line */
    SAMPLE_CLASSES = 256 /**< most classes there */
};

typedef struct {
    const char *checkpoint, *output;
    bool best;              /**< the run's best checkpoint, not its newest */
    const char *weights;    /**< "ema", "ema:RATE" or "raw"; NULL: not said */
    const char *init_noise; /**< file with /x_T, or NULL */
    size_t count;           /**< 0: not said */
    size_t first, batch;
    uint64_t seed;
    int threads; /**< 0: as many as there are cores */
    bool as_bytes, json, quiet;

    /* What the model decides if nobody says it: NULL and 0 where it was not said. */
    const char *sampler, *spacing, *variance, *clip, *eta;
    size_t steps;
    bool no_clip;                    /**< clip is then "none" */
    const char *class;               /**< as written */
    int64_t classes[SAMPLE_CLASSES]; /**< SAMPLE_NO_CLASS: none */
    size_t class_count;
    const char *guidance;

    const sample_mode *mode;
    const char *images[SAMPLE_ROWS]; /**< that the mode takes */
    size_t image_count;
    double t[SAMPLE_ROWS];
    size_t t_count;
    size_t frames; /**< of --progressive; 0: not said */
    const char *mask;
    size_t jump, times; /**< 0: not said */
} sample_arguments;

enum { SAMPLE_NO_CLASS = -1 };

/** Parses, or ends the program: --help and --version with 0, a bad command line with DDPM_EUSAGE.
 */
void sample_parse(sample_arguments *arguments, int argc, char **argv);

/** Whether the output is to be an HDF5 file (else PNG). */
bool sample_output_is_h5(const sample_arguments *arguments);
#endif
