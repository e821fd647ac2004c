/** @file eval/inception.h
 *  The network whose features an FID is measured in: Inception v3 as pytorch-fid defines it
 *  (docs/features.md), with weights that the user brings. */
#ifndef DDPM_EVAL_INCEPTION_H
#define DDPM_EVAL_INCEPTION_H
#include "ddpm/base/hash.h"
#include "ddpm/base/shape.h"
#include "ddpm/base/status.h"

enum { DDPM_INCEPTION_FEATURES = 2048, DDPM_INCEPTION_BATCH = 8 };
#define DDPM_INCEPTION_PROTOCOL "pytorch-fid-inception-v3"

typedef struct ddpm_inception ddpm_inception;

/** Without weights yet. For the number of OpenMP threads now. DDPM_EOS. The caller owns *out. */
DDPM_NODISCARD ddpm_status ddpm_inception_create(ddpm_inception **out);
void ddpm_inception_free(ddpm_inception *network); /**< takes NULL */
/** Weights of a safetensors or HDF5 file, under torchvision's names, with batch norm folded into
 * the convolutions. `hash`: the SHA-256 of all tensors that are used, as float32, in a fixed order,
 * so that the same weights have the same hash in files of either kind. DDPM_ENOINPUT; DDPM_EDATA:
 * no such file, or a tensor is missing, of another shape, or not finite; the message names it. */
DDPM_NODISCARD ddpm_status ddpm_inception_load(ddpm_inception *network, char hash[DDPM_SHA256_HEX],
                                               const char *path);
/** The folded weights, owned by the network: to hand them to other ranks. */
float *ddpm_inception_weights(ddpm_inception *network, size_t *floats);
/** DDPM_ECONFIG unless images are grey or of three colours. */
DDPM_NODISCARD ddpm_status ddpm_inception_accepts(ddpm_shape shape);
/** features [n,2048] of images x [n,H,W,C] in [-1,1], n <= DDPM_INCEPTION_BATCH, C 1 or 3. x is
 *  rounded in place to the 8 bits that image files have. A function of the whole batch to the last
 *  bit; the same on any number of threads. Cannot fail, allocates nothing. */
void ddpm_inception_features(float *features, float *x, ddpm_shape shape, ddpm_inception *network);
#endif
