/** @file train/sample.h
 *  From weights to images: the network, a sampler, and the ranks that share the work.
 *
 *  Images have numbers. They are drawn in batches of a fixed size: batch b holds images b * batch
 *  and on, and the first and the last are drawn whole and cut. So image k of a seed and batch size
 *  is the same, bit for bit, on any number of ranks and threads, and whichever others are asked
 *  for. */
#ifndef DDPM_TRAIN_SAMPLE_H
#define DDPM_TRAIN_SAMPLE_H
#include "ddpm/diffusion/repaint.h"
#include "ddpm/dist/comm.h"
#include "ddpm/nn/unet.h"

enum { DDPM_SAMPLE_BATCH = 8 }; /**< the default of ddpm_sample_options.batch */

/** Where images first .. first + count - 1 of a row begin: x [count,H,W,C] holds the noise that the
 *  seed has for them, and takes what they are at `level`. May be asked about images of a batch that
 *  lie before options.first, whose x nobody uses. */
typedef ddpm_status ddpm_sample_start(float *x, const ddpm_level *level, size_t row, size_t first,
                                      size_t count, void *context);
/** Gets the images on rank 0, in order; `first` is the number of the first of them. */
typedef ddpm_status ddpm_sample_sink(const float *images, size_t first, size_t count,
                                     void *context);
/** After every step of this rank: steps done, of all it will do. Returning false on any
 *  rank ends the drawing with DDPM_EAGAIN on all of them: at once with `together`, else once the
 *  others are at the end of their chains. */
typedef bool ddpm_sample_progress(size_t done, size_t total, void *context);

typedef struct {
    const char *sampler; /**< one of ddpm_sampler_names */
    const char *spacing; /**< one of ddpm_spacing_names */
    size_t steps;        /**< 0: all of the schedule's */
    ddpm_prediction prediction;
    ddpm_variance variance; /**< a learned one: the network has twice the channels */
    ddpm_clip clip;
    double eta;
    uint64_t seed;
    size_t batch; /**< images a network call */
    size_t first; /**< number of the first image that is drawn */
    /** Of a network with classes: image k is of class class_of_image[k % class_count]. 0: of each
     *  class in turn. A class of `unet.classes` is none. */
    const int64_t *class_of_image;
    size_t class_count;
    double guidance; /**< classifier-free (Ho & Salimans 2022): said = without class + guidance
                          (with class - without class); 1 takes no second evaluation */
    ddpm_sample_progress *progress; /**< may be NULL */
    void *progress_context;
    bool together; /**< ranks wait for each other after every step; the same on all */
} ddpm_sample_options;

/** The defaults of a sampler: its spacing and clipping, all steps, fixedlarge, eta 0, seed 0. An
 *  unknown name is found by ddpm_sampling_create. */
void ddpm_sample_options_init(ddpm_sample_options *options, const char *sampler);

/** The class that image k is drawn as by a network that knows so many; `classes` itself: none. */
int64_t ddpm_sample_class_of(const ddpm_sample_options *options, size_t classes, size_t k);

typedef struct ddpm_sampling ddpm_sampling;

/** A network for inference, and the respaced schedule. DDPM_ECONFIG: unknown names, more steps than
 *  the schedule has, eta; DDPM_EOS. `schedule` must outlive it; the caller owns *out. */
DDPM_NODISCARD ddpm_status ddpm_sampling_create(ddpm_sampling **out, const ddpm_unet_config *unet,
                                                const ddpm_schedule *schedule,
                                                const ddpm_sample_options *options);
void ddpm_sampling_free(ddpm_sampling *sampling); /**< takes NULL */
/** The table that weights must have. */
const ddpm_params *ddpm_sampling_params(const ddpm_sampling *sampling);
/** The steps that an image takes. */
const ddpm_schedule *ddpm_sampling_schedule(const ddpm_sampling *sampling);

/** What images of a drawing have in common. */
typedef struct {
    size_t top;    /**< the level that their chains begin at, an index into the schedule */
    size_t common; /**< steps from levels of this index and above add the noise of image
                        options.first to all of them; so does the start where it is at most top + 1.
                        DDPM_SAMPLE_OWN: each has its own */
} ddpm_sample_row;
#define DDPM_SAMPLE_OWN SIZE_MAX

/** RePaint of an image [H,W,C]: see ddpm_repaint. */
typedef struct {
    const float *known;
    const bool *missing;
    size_t jump, times;
} ddpm_sample_inpaint;

/** Rows of images options.first .. options.first + columns - 1. */
typedef struct {
    size_t columns;
    const ddpm_sample_row *rows; /**< NULL: one, of whole chains with noise of their own */
    size_t row_count;
    size_t frames; /**< 0: the image alone. Else so many images in its place: what the network takes
                        for the image, at moments evenly from the first step to the last, and of the
                        last the image itself. At most the row's steps */
    const ddpm_sample_inpaint *inpaint; /**< or NULL */
    ddpm_sample_start *start;           /**< NULL: the noise itself */
    void *start_context;
} ddpm_drawing;

/** Evaluations of the network by all ranks: of an image of a batch that is drawn, looked at or not;
 *  of classifier-free guidance two. */
uint64_t ddpm_drawing_evaluations(const ddpm_sampling *sampling, const ddpm_drawing *drawing);
/** Draws by `weights` (flat, the same on all ranks), whole batches in turn on every rank, and hands
 *  the images to rank 0's sink a round at a time, row by row. `first` of the sink counts them all
 *  from options.first, `images` holds `frames` for each. Collective, with the same outcome
 *  everywhere. DDPM_EDATA: an image is not finite, so the weights are no good; DDPM_ECONFIG: more
 *  frames than steps, inpainting by a sampler that cannot. */
DDPM_NODISCARD ddpm_status ddpm_sampling_draw(ddpm_sampling *sampling, ddpm_comm *comm,
                                              const float *weights, const ddpm_drawing *drawing,
                                              ddpm_sample_sink *sink, void *context);
/** One row of `count` images. */
DDPM_NODISCARD ddpm_status ddpm_sampling_run(ddpm_sampling *sampling, ddpm_comm *comm,
                                             const float *weights, size_t count,
                                             ddpm_sample_sink *sink, void *context);
/** The same into a PNG (ddpm_image_write_grid), written by rank 0. Collective. */
DDPM_NODISCARD ddpm_status ddpm_sampling_write_grid(ddpm_sampling *sampling, ddpm_comm *comm,
                                                    const float *weights, size_t count,
                                                    const char *path);
#endif
