/** @file output.h  The HDF5 file of drawn images: a dataset (ddpm/data/dataset.h), on rank 0. */
#ifndef SAMPLE_OUTPUT_H
#define SAMPLE_OUTPUT_H
#include "job.h"

#include "ddpm/data/dataset.h"

typedef struct {
    const sample_job *job;
    ddpm_dataset_writer *writer;
    size_t item;     /**< images in one that the sink counts */
    size_t most;     /**< images at a time */
    uint8_t *bytes;  /**< [most,H,W,C]; NULL where float32 is written */
    int64_t *labels; /**< [most]; NULL where there are none */
} sample_output;

/** The directory of `path` exists and can be written; DDPM_ECREATE. Before the work, not after. */
DDPM_NODISCARD ddpm_status sample_output_check(const char *path);
/** The output, which replaces what has its name, is none of the files that are read (the source is
 *  open), and no checkpoint at all; DDPM_ECREATE. */
DDPM_NODISCARD ddpm_status sample_output_spare_inputs(const sample_job *job);
/** With notes that say how the images were made. At most `most` items will be appended at a time.
 */
DDPM_NODISCARD ddpm_status sample_output_create(sample_output *output, const sample_job *job,
                                                size_t most);
/** A ddpm_sample_sink. */
DDPM_NODISCARD ddpm_status sample_output_append(const float *images, size_t first, size_t count,
                                                void *output);
/** Publishes the file. */
DDPM_NODISCARD ddpm_status sample_output_finish(sample_output *output);
void sample_output_free(sample_output *output); /**< an unfinished file is gone */
#endif
