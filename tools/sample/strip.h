/** @file strip.h  A picture of drawn images, on rank 0: rows with the images that they came from
 *  at their ends, or a grid. */
#ifndef SAMPLE_STRIP_H
#define SAMPLE_STRIP_H
#include "job.h"

typedef struct {
    const sample_job *job;
    float *images;               /**< [rows, columns, H,W,C] of the picture */
    size_t rows, columns, drawn; /**< drawn: columns of a row that are drawn */
    size_t row_items;            /**< images that the sink counts in a row */
    bool is_grid;
} sample_strip;

DDPM_NODISCARD ddpm_status sample_strip_create(sample_strip *strip, const sample_job *job);
/** A ddpm_sample_sink. */
DDPM_NODISCARD ddpm_status sample_strip_put(const float *images, size_t first, size_t count,
                                            void *strip);
DDPM_NODISCARD ddpm_status sample_strip_write(const sample_strip *strip, const char *path);
void sample_strip_free(sample_strip *strip);
#endif
