/** @file source.h  The checkpoint that is drawn from, the same on all ranks. */
#ifndef SAMPLE_SOURCE_H
#define SAMPLE_SOURCE_H
#include "ddpm/train/checkpoint.h"
#include "ddpm/train/sample.h"

enum { SAMPLE_PATH = 4096 };

/** What all ranks know of it. */
typedef struct {
    char path[SAMPLE_PATH]; /**< of the file */
    char digest[DDPM_SHA256_HEX];
    char weights[48]; /**< "raw", "ema:0.9999" */
    uint64_t step;
    ddpm_config config;
    ddpm_checkpoint_part part;
    size_t ema_index;
} sample_source;

/** Rank 0 finds, verifies and opens the checkpoint (*out, NULL elsewhere), chooses the weights, and
 *  tells the others. best: not the newest of a run, but the best (ddpm_checkpoint_find_best).
 *  `weights` as on the command line, or NULL. Collective: the same outcome on
 *  every rank. */
DDPM_NODISCARD ddpm_status sample_source_open(ddpm_checkpoint **out, sample_source *source,
                                              ddpm_comm *comm, const char *argument, bool best,
                                              const char *weights);
/** The weights, on every rank; *flat by ddpm_memory_alloc. Collective. */
DDPM_NODISCARD ddpm_status sample_source_weights(float **flat, ddpm_checkpoint *checkpoint,
                                                 const sample_source *source, ddpm_comm *comm,
                                                 const ddpm_params *params);
#endif
