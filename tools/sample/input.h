/** @file input.h  Images from the command line: PNG, JPEG, or FILE.h5:INDEX of a dataset. */
#ifndef SAMPLE_INPUT_H
#define SAMPLE_INPUT_H
#include "ddpm/base/shape.h"
#include "ddpm/dist/comm.h"

#include "source.h"

#include <stdbool.h>

/** The file of an image that the command line names: without :INDEX. DDPM_ECREATE: too long. */
DDPM_NODISCARD ddpm_status sample_input_path(char path[SAMPLE_PATH], const char *name);
/** x [H,W,C] from -1 to 1; *label: of a dataset's image, else -1. Rank 0 reads and tells the
 *  others. Collective. DDPM_ENOINPUT, DDPM_EDATA; DDPM_ECONFIG: not of this size; DDPM_EUSAGE: an
 *  index that is none. `option` is for messages. */
DDPM_NODISCARD ddpm_status sample_input_read(float *x, int64_t *label, ddpm_comm *comm,
                                             const char *option, const char *name,
                                             ddpm_shape shape);
/** missing [H,W,C]: where a picture of H x W is white, 128 of 255 or more. Collective. */
DDPM_NODISCARD ddpm_status sample_mask_read(bool *missing, ddpm_comm *comm, const char *name,
                                            ddpm_shape shape);
#endif
