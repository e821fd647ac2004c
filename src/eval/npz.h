/* Arrays out of .npz files as numpy writes them: a zip of .npy files, stored or deflated. */
#ifndef NPZ_H
#define NPZ_H
#include "ddpm/base/status.h"

#include <stdbool.h>
#include <stddef.h>

enum { NPZ_RANK = 2 };
typedef struct {
    size_t rank, size[NPZ_RANK], count;
    double *values; /* C order; malloc'ed */
} npz_array;

/* Whether `zip` [bytes] has `name`.npy; DDPM_EDATA where it is no sound zip file. */
DDPM_NODISCARD ddpm_status npz_has(bool *has, const unsigned char *zip, size_t bytes,
                                   const char *name, const char *path);
/* Its numbers, of float32 or float64; DDPM_EDATA: not there, damaged (also by its CRC), of another
 * type or rank, or more than `most` numbers. */
DDPM_NODISCARD ddpm_status npz_read(npz_array *out, const unsigned char *zip, size_t bytes,
                                    const char *name, size_t most, const char *path);
#endif
