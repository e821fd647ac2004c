/** @file nn/unet.h
 *  The U-Net of DDPM (Ho, Jain, Abbeel 2020, appendix B, and their code), any size. A configuration
 *  becomes a tape of operations; forward and backward are two loops over the tape. All memory for
 *  activations is planned and taken when the network is created. */
#ifndef DDPM_NN_UNET_H
#define DDPM_NN_UNET_H
#include "ddpm/base/shape.h"
#include "ddpm/base/status.h"
#include "ddpm/nn/params.h"

#include <stdbool.h>

enum { DDPM_UNET_LEVELS = 8 };

typedef struct {
    size_t height, width; /**< divisible by 2^(levels-1) */
    size_t in_channels, out_channels;
    size_t channels; /**< base channels: 128 */
    size_t levels, mult[DDPM_UNET_LEVELS];
    size_t blocks; /**< residual blocks a level on the way down; one more up */
    size_t attention_count, attention[DDPM_UNET_LEVELS]; /**< heights with attention blocks */
    size_t groups;
    size_t classes;         /**< of images; 0: the network is not told. One more is for no class */
    float dropout, epsilon; /**< 0.1; GroupNorm's 1e-6 */
    bool keep; /**< training mode: activations that are cheap to do again are kept in memory instead
                */
    bool bf16; /**< training mode: factors of large products are rounded to bfloat16 */
} ddpm_unet_config;

typedef struct ddpm_unet ddpm_unet;

typedef enum {
    DDPM_UNET_INFERENCE, /**< activations are given back as soon as they are used; no backward */
    DDPM_UNET_TRAINING
} ddpm_unet_mode;

/** DDPM_ECONFIG: sizes that do not fit together, with what and why. Allocates nothing. */
DDPM_NODISCARD ddpm_status ddpm_unet_check(const ddpm_unet_config *config);

/** A network for batches of exactly `batch` images; DDPM_ECONFIG, DDPM_EOS. The caller owns *out.
 *  Weights are not part of it: they come as flat buffers with every call. Its scratch is for the
 *  number of threads at this time: call ddpm_kernels_set_threads before. */
DDPM_NODISCARD ddpm_status ddpm_unet_create(ddpm_unet **out, const ddpm_unet_config *config,
                                            size_t batch, ddpm_unet_mode mode);
void ddpm_unet_free(ddpm_unet *unet); /**< takes NULL */

/** The table of parameters, owned by the network. */
const ddpm_params *ddpm_unet_params(const ddpm_unet *unet);
const ddpm_unet_config *ddpm_unet_get_config(const ddpm_unet *unet);
size_t ddpm_unet_batch(const ddpm_unet *unet);

/** What a network of that configuration would take, before it is created. */
typedef struct {
    size_t parameters, tensors, param_floats; /**< param_floats: ddpm_params.total */
    size_t activation_bytes, scratch_bytes;   /**< of one network at this batch and mode */
    double forward_macs_per_image;            /**< multiply-accumulates, direct convolution */
} ddpm_unet_needs;
DDPM_NODISCARD ddpm_status ddpm_unet_plan(ddpm_unet_needs *needs, const ddpm_unet_config *config,
                                          size_t batch, ddpm_unet_mode mode);

/** Dropout's randomness: NULL to ddpm_unet_forward means no dropout (sampling, evaluation). */
typedef struct {
    uint64_t seed;
    const uint64_t *sample_index; /**< [batch], global */
} ddpm_unet_dropout;

/** y [B,H,W,out_channels] = eps_theta(x [B,H,W,in_channels], t [B]); weights: flat buffer.
 *  t is the integer timestep as the network sees it (0..T-1), or any real number.
 *  In training mode the activations are kept for one backward call. Cannot fail. */
void ddpm_unet_forward(ddpm_unet *unet, float *y, const float *x, const float *t,
                       const float *weights, const ddpm_unet_dropout *dropout);
/** The class [B] of each image in the forward calls from now on, 0 .. classes; `classes` itself
 *  stands for none. Copied. Only for networks with classes; until then they are of none. */
void ddpm_unet_set_classes(ddpm_unet *unet, const int64_t *class_of_image);
/** Tells the network that `weights` will not change over the following forward calls, so that it
 *  may keep transformed weights (inference mode; takes the memory then, DDPM_EOS). Call again
 *  after a change. Calls with other weights do without. */
DDPM_NODISCARD ddpm_status ddpm_unet_freeze(ddpm_unet *unet, const float *weights);

/** Called when grads[offset .. offset+count) will not be added to any more in this pass. */
typedef void ddpm_unet_ready(void *context, size_t offset, size_t count);

/** grads (flat) is added to; dx [B,H,W,in_channels] is overwritten where not NULL. Uses the
 *  activations of the last forward call with the same weights and dropout. ready may be NULL; its
 *  ranges cover the whole flat buffer once, from its end to its beginning. Cannot fail. */
void ddpm_unet_backward(ddpm_unet *unet, float *grads, float *dx, const float *dy,
                        const float *weights, ddpm_unet_ready *ready, void *context);
/** One 3x3 convolution of the network and what the planner picked for it. */
typedef struct {
    char name[96]; /**< of its weights: "down_blocks.0.resnets.1.conv2" */
    ddpm_shape in; /**< N is the network's batch */
    ddpm_shape out;
    size_t stride;
    size_t directions;        /**< 3: forward, dx, dw; 1 in inference mode */
    const char *algorithm[3]; /**< "winograd4", "im2col", ... */
    double cost_ns[3];        /**< the planner's estimate: ddpm_conv3x3_plan_cost_ns */
} ddpm_unet_conv;
/** Convolution `index`, counted from 0 in the order of the forward pass; false past the last. */
bool ddpm_unet_conv_at(ddpm_unet_conv *conv, const ddpm_unet *unet, size_t index);
/** Multi-line description of the tape: operation, shape, algorithm; for `plan`. malloc'ed. */
char *ddpm_unet_describe(const ddpm_unet *unet);
#endif
