/** @file output.h  The HDF5 file of drawn images: a dataset (ddpm/data/dataset.h), on rank 0. */
#ifndef SAMPLE_OUTPUT_H
#define SAMPLE_OUTPUT_H
#include "ddpm/data/dataset.h"

#include <jansson.h>

typedef struct {
    ddpm_dataset_writer *writer;
    bool as_bytes; /**< uint8 instead of float32 */
    size_t image_values;
    size_t item;    /**< images in one that the sink counts */
    uint8_t *bytes; /**< [most, image_values] */
    size_t most;    /**< images at a time */
} sample_output;

/** The directory of `path` exists and can be written; DDPM_ECREATE. Before the work, not after. */
DDPM_NODISCARD ddpm_status sample_output_check(const char *path);
/** `origin`: an object of texts and numbers that says how the images were made; they become notes
 *  of the file. At most `most` items of `item` images each will be appended at a time. */
DDPM_NODISCARD ddpm_status sample_output_create(sample_output *output, const char *path,
                                                ddpm_shape shape, bool as_bytes, size_t item,
                                                size_t most, json_t *origin);
/** A ddpm_sample_sink. */
DDPM_NODISCARD ddpm_status sample_output_append(const float *images, size_t first, size_t count,
                                                void *output);
/** Publishes the file. */
DDPM_NODISCARD ddpm_status sample_output_finish(sample_output *output);
void sample_output_free(sample_output *output); /**< an unfinished file is gone */
#endif
