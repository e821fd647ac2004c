/** @file train/sample.h
 *  From weights to images: the network, a sampler, and the ranks that share the work.
 *
 *  Images have numbers. They are drawn in batches of a fixed size: batch b holds images b * batch
 *  and on, and the first and the last are drawn whole and cut. So image k of a seed and batch size
 *  is the same, bit for bit, on any number of ranks and threads, and whichever others are asked
 *  for. */
#ifndef DDPM_TRAIN_SAMPLE_H
#define DDPM_TRAIN_SAMPLE_H
#include "ddpm/diffusion/sampler.h"
#include "ddpm/dist/comm.h"
#include "ddpm/nn/unet.h"

enum { DDPM_SAMPLE_BATCH = 8 }; /**< the default of ddpm_sample_options.batch */

/** x_T of images first .. first + count - 1 into x [count,H,W,C]. */
typedef ddpm_status ddpm_sample_start(float *x, size_t first, size_t count, void *context);
/** Gets the images on rank 0, in order; `first` is the number of the first of them. */
typedef ddpm_status ddpm_sample_sink(const float *images, size_t first, size_t count,
                                     void *context);
/** After every step of this rank: network calls done, of all it will do. Returning false on any
 *  rank ends the drawing with DDPM_EAGAIN on all of them. */
typedef bool ddpm_sample_progress(size_t done, size_t total, void *context);

typedef struct {
    const char *sampler; /**< one of ddpm_sampler_names */
    const char *spacing; /**< one of ddpm_spacing_names */
    size_t steps;        /**< 0: all of the schedule's */
    ddpm_variance variance;
    ddpm_clip clip;
    double eta;
    uint64_t seed;
    size_t batch;             /**< images a network call */
    size_t first;             /**< number of the first image that is drawn */
    ddpm_sample_start *start; /**< NULL: x_T by the seed */
    void *start_context;
    ddpm_sample_progress *progress; /**< may be NULL */
    void *progress_context;
} ddpm_sample_options;

/** The defaults of a sampler: its spacing and clipping, all steps, fixedlarge, eta 0, seed 0. An
 *  unknown name is found by ddpm_sampling_create. */
void ddpm_sample_options_init(ddpm_sample_options *options, const char *sampler);

typedef struct ddpm_sampling ddpm_sampling;

/** A network for inference, and the respaced schedule. DDPM_ECONFIG: unknown names, more steps than
 *  the schedule has, eta; DDPM_EOS. `schedule` must outlive it; the caller owns *out. */
DDPM_NODISCARD ddpm_status ddpm_sampling_create(ddpm_sampling **out, const ddpm_unet_config *unet,
                                                const ddpm_schedule *schedule,
                                                const ddpm_sample_options *options);
void ddpm_sampling_free(ddpm_sampling *sampling); /**< takes NULL */
/** The table that weights must have. */
const ddpm_params *ddpm_sampling_params(const ddpm_sampling *sampling);
/** Steps an image takes, each one evaluation of the network. */
size_t ddpm_sampling_steps(const ddpm_sampling *sampling);

/** Draws images options.first and on, `count` of them, by `weights` (flat, the same on all ranks),
 *  whole batches in turn on every rank, and hands them to rank 0's sink a round at a time.
 *  Collective, with the same outcome everywhere. DDPM_EDATA: an image is not finite, so the weights
 *  are no good. */
DDPM_NODISCARD ddpm_status ddpm_sampling_run(ddpm_sampling *sampling, ddpm_comm *comm,
                                             const float *weights, size_t count,
                                             ddpm_sample_sink *sink, void *context);
/** The same into a PNG (ddpm_image_write_grid), written by rank 0. Collective. */
DDPM_NODISCARD ddpm_status ddpm_sampling_write_grid(ddpm_sampling *sampling, ddpm_comm *comm,
                                                    const float *weights, size_t count,
                                                    const char *path);
#endif
