/** @file train/step.h
 *  One optimiser step over all ranks: the network, the flat state, the sum of the gradients. What a
 *  step computes is a function of (configuration, step number, weights) alone, bit for bit the same
 *  on any number of ranks and threads. */
#ifndef DDPM_TRAIN_STEP_H
#define DDPM_TRAIN_STEP_H
#include "ddpm/base/config.h"
#include "ddpm/data/prefetch.h"
#include "ddpm/diffusion/timesteps.h"
#include "ddpm/dist/reducer.h"
#include "ddpm/dist/watchdog.h"
#include "ddpm/nn/unet.h"
#include "ddpm/train/checkpoint.h"

typedef struct ddpm_step ddpm_step;

/** The next micro-batch of this rank, of train.micro_batch images, valid until the next call. */
typedef ddpm_status ddpm_batch_source(ddpm_batch *batch, void *context);

/** Where the time of a step goes. */
typedef enum {
    DDPM_PHASE_DATA,     /**< waiting for images */
    DDPM_PHASE_NOISE,    /**< t, eps and x_t */
    DDPM_PHASE_FORWARD,  /**< the network */
    DDPM_PHASE_BACKWARD, /**< the loss and its gradient, back to the weights */
    DDPM_PHASE_REDUCE,   /**< sums over micro-batches and ranks */
    DDPM_PHASE_UPDATE,   /**< norm, Adam, averages */
    DDPM_PHASES
} ddpm_phase;
extern const char *const ddpm_phase_names[DDPM_PHASES];

/** What one rank knows before a step, and all shall know after it. */
typedef struct {
    ddpm_status status; /**< a failure of this rank fails the step on all of them */
    bool stop;          /**< asked to stop */
    bool time_is_up;
    bool save; /**< wants a checkpoint after this step */
} ddpm_step_request;

typedef struct {
    double loss; /**< the objective's, mean over the batch, each image by its weight (importance) */
    double quartile_error[DDPM_QUARTILES];  /**< sum over images with t in each quarter of T of the
                                                 objective's loss, all of weight 1 */
    double quartile_images[DDPM_QUARTILES]; /**< how many these were */
    double grad_norm;                       /**< before clipping */
    double lr;
    bool finite;                 /**< false: loss or gradient were not, and nothing was updated */
    bool stop, time_is_up, save; /**< some rank asked for it */
    double phase_seconds[DDPM_PHASES];
    /** Of this step, on this rank, within and beside the phases (ddpm_reducer_stats). */
    double communication_seconds, exposed_seconds;
} ddpm_step_result;

/** A network and state for `config` (checked, image size known); the weights are all 0.
 * DDPM_ECONFIG, DDPM_EOS. Collective. The caller owns *out; comm must outlive it. */
DDPM_NODISCARD ddpm_status ddpm_step_create(ddpm_step **out, ddpm_comm *comm,
                                            const ddpm_config *config);
void ddpm_step_free(ddpm_step *step); /**< takes NULL */

/** Tells `watchdog` (which must outlive the step; may be NULL) where every step is from now on. */
void ddpm_step_watch(ddpm_step *step, ddpm_watchdog *watchdog);

/** Noise levels by another objective.timesteps from now on; neither may be importance. */
void ddpm_step_set_timesteps(ddpm_step *step, ddpm_draw kind);

/** Initial weights by train.seed, averages equal to them, moments 0. */
void ddpm_step_init(ddpm_step *step);
/** The flat buffers, owned by the step; valid as long as it is. Where the optimiser is sharded
 *  (dist.sharded_optimizer on more than one rank), moments and averages are NULL but on rank 0, and
 *  there as of the last ddpm_step_collect. */
ddpm_state *ddpm_step_state(ddpm_step *step);
const ddpm_params *ddpm_step_params(const ddpm_step *step);
const ddpm_unet_config *ddpm_step_unet_config(const ddpm_step *step);
/** All of ddpm_step_state on rank 0 as it is now. Collective. */
DDPM_NODISCARD ddpm_status ddpm_step_collect(ddpm_step *step);
/** All of ddpm_step_state on rank 0 to all ranks, whoever holds what. Collective. */
DDPM_NODISCARD ddpm_status ddpm_step_spread(ddpm_step *step);
/** Average e as it is now, whole on every rank; valid until the next step or call. Collective. */
DDPM_NODISCARD ddpm_status ddpm_step_average(const float **flat, ddpm_step *step, size_t e);
/** The summed gradient of the last step, [params->total]; where the optimiser is sharded, whole
 *  only if the step was not finite. */
const float *ddpm_step_gradient(const ddpm_step *step);
/** Micro-batches a step in all, and this rank's: [*first, *first + *count). */
size_t ddpm_step_micro_batches(const ddpm_step *step, size_t *first, size_t *count);
ddpm_reducer_stats ddpm_step_reducer_stats(const ddpm_step *step);

/** Step `number` (counted from 0), of which `skipped` steps before it updated nothing. Collective.
 *  Where a rank's request or source failed, the failure is every rank's. */
DDPM_NODISCARD ddpm_status ddpm_step_run(ddpm_step *step, ddpm_step_result *result, uint64_t number,
                                         uint64_t skipped, const ddpm_step_request *request,
                                         ddpm_batch_source *source, void *context);
#endif
