/** @file start.h  --init-noise: x_T from a file. */
#ifndef SAMPLE_START_H
#define SAMPLE_START_H
#include "ddpm/base/shape.h"
#include "ddpm/diffusion/prediction.h"
#include "ddpm/io/h5.h"

typedef struct {
    ddpm_h5 *file;
    ddpm_shape shape; /**< of /x_T */
} sample_start;

/** DDPM_ENOINPUT, DDPM_EDATA; DDPM_ECONFIG where /x_T is not [N, height, width, channels]. */
DDPM_NODISCARD ddpm_status sample_start_open(sample_start *start, const char *path,
                                             ddpm_shape image);
void sample_start_close(sample_start *start);
/** A ddpm_sample_start. */
DDPM_NODISCARD ddpm_status sample_start_read(float *x, const ddpm_level *level, size_t row,
                                             size_t first, size_t count, void *start);
#endif
