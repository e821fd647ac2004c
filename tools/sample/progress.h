/** @file progress.h  What rank 0 says while images are drawn. */
#ifndef SAMPLE_PROGRESS_H
#define SAMPLE_PROGRESS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    size_t images;              /**< of all ranks */
    uint64_t start_ns, last_ns; /**< of the drawing, of the last line */
} sample_progress;

/** From here on a signal ends the drawing (ddpm/base/stop.h), so that no half-written file stays
 *  behind. */
void sample_progress_begin(sample_progress *progress, size_t images);
/** A ddpm_sample_progress. */
bool sample_progress_step(size_t done, size_t total, void *progress);
#endif
