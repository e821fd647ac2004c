/** @file data/generate.h
 *  Datasets out of nothing: image i of a seed is the same whatever the number of images. */
#ifndef DDPM_DATA_GENERATE_H
#define DDPM_DATA_GENERATE_H
#include "ddpm/base/status.h"

#include <signal.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    const char *output, *name, *source; /**< name, source NULL: made up */
    size_t n, size, channels;           /**< channels: shapes 3, gaussian any */
    uint64_t seed;
    double mean, std, correlation;     /**< gaussian: correlation in [0, 1) */
    const volatile sig_atomic_t *stop; /**< not NULL: DDPM_EAGAIN soon after it is not 0 */
} ddpm_generate_options;

typedef struct {
    const char *name, *help;
    size_t channels; /**< unless asked for otherwise */
    ddpm_status (*run)(const ddpm_generate_options *options);
} ddpm_generator;

extern const ddpm_generator ddpm_generators[];
extern const size_t ddpm_generator_count;
/** NULL where there is none of this name. */
const ddpm_generator *ddpm_generator_find(const char *name);

/** Image `index` of a seed as [size,size,3]: a filled shape, anti-aliased, of random colour, place,
 *  size and angle, before a background that fades between two colours; *kind is its label, an index
 *  of ddpm_shape_names. Requires size >= 8. */
enum { DDPM_SHAPE_KINDS = 6 };
extern const char *const ddpm_shape_names[DDPM_SHAPE_KINDS];
void ddpm_generate_shape(uint8_t *image, int64_t *kind, size_t size, uint64_t seed, uint64_t index);

/** Image `index` of a seed as [size,size,channels]: normal, every value of mean and standard
 *  deviation as given, and with correlation rho between neighbours, channels independent:
 *      cov(x[h,w,c], x[h',w',c']) = std^2 rho^(|h-h'| + |w-w'|)  if c = c', else 0.
 *  So the covariance of a channel is std^2 R (x) R with R[i,j] = rho^|i-j|, and the exact
 *  denoiser of the diffusion process is linear (docs/formats.md). */
void ddpm_generate_gaussian(float *image, const ddpm_generate_options *options, uint64_t index);
#endif
