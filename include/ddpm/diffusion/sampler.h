/** @file diffusion/sampler.h
 *  Drawing samples. A sampler sees the network as a callback, and the schedule that its steps were
 *  picked from; one row of a table a sampler. Not a number stays not a number, clipped or not. */
#ifndef DDPM_DIFFUSION_SAMPLER_H
#define DDPM_DIFFUSION_SAMPLER_H
#include "ddpm/base/status.h"
#include "ddpm/diffusion/prediction.h"
#include "ddpm/diffusion/variance.h"

#include <stdbool.h>
#include <stdint.h>

/** said [N,D] = the network's prediction at (x [N,D], t), t the timestep as it was trained with it;
 *  variance [N,D]: its word on the variance, NULL where that is not learned. */
typedef void ddpm_denoise(float *said, float *variance, const float *x, double t, size_t n,
                          size_t d, void *context);
/** noise [N,D] for the step with schedule index `index`: standard normal. Called only where the
 * step adds noise. */
typedef void ddpm_step_noise(float *noise, size_t index, size_t n, size_t d, void *context);
/** Seen after every step: x and the predicted x_0 (after clipping, if any). May stop the chain by
 *  returning false. */
typedef bool ddpm_sample_observer(size_t step, size_t index, const float *x, const float *x0,
                                  size_t n, size_t d, void *context);

/** Where the network says xprev, ddpm takes that for the mean of a step of the training, clipped or
 *  not (the official code); x_0 is then for the observer alone. */
typedef enum {
    DDPM_CLIP_NONE,
    DDPM_CLIP_X0, /**< x_0 clipped to [-1,1]; what uses eps keeps the network's (diffusers) */
    DDPM_CLIP_X0_REDERIVE /**< and eps recomputed from the clipped x_0 (improved-diffusion); for a
                               sampler that does not use eps the same as DDPM_CLIP_X0 */
} ddpm_clip;
/** "none", "eps", "rederive"; NULL-terminated, by ddpm_clip. */
extern const char *const ddpm_clip_names[];

typedef struct {
    const char *name;             /**< of the sampler: "ddpm", "ddim", ... */
    ddpm_prediction prediction;   /**< what the network says */
    ddpm_variance variance;       /**< ddpm */
    const ddpm_schedule *trained; /**< xprev: the schedule that the network was trained with */
    ddpm_clip clip;
    double eta; /**< ddim: 0 deterministic, 1 as ddpm */
    ddpm_denoise *denoise;
    void *denoise_context;
    ddpm_step_noise *noise;
    void *noise_context;
    ddpm_sample_observer *observe; /**< may be NULL */
    void *observe_context;
} ddpm_sampler_options;

/** What a sampler is and takes: for --help, defaults and tests. */
typedef struct {
    const char *name, *summary;
    const char *default_spacing; /**< one of ddpm_spacing_names */
    ddpm_clip default_clip;      /**< of a diffusion; a flow is not clipped */
    bool takes_variance, takes_eta;
    bool adds_noise;      /**< in its steps, whatever the options; ddim does with an eta */
    bool takes_eps;       /**< the two ways of clipping differ */
    bool takes_flow;      /**< also runs along a rectified flow */
    bool evaluates_twice; /**< a step that has a slope at both ends */
    bool remembers;       /**< the step before: a chain cannot jump */
    size_t default_steps; /**< 0: all */
} ddpm_sampler_info;
/** NULL-terminated. */
extern const char *const ddpm_sampler_names[];
/** The sampler of that name, or NULL. */
const ddpm_sampler_info *ddpm_sampler_find(const char *name);
/** DDPM_ECONFIG: unknown sampler (with the nearest), eta out of range, a sampler that knows no
 * flow, a prediction or variance that `schedule` cannot be sampled with. What a sampler does not
 * take it does not look at. */
DDPM_NODISCARD ddpm_status ddpm_sampler_check(const ddpm_sampler_options *options,
                                              const ddpm_schedule *schedule);
/** Calls of the network that the step from level `index` takes. */
size_t ddpm_sampler_evaluations(const char *name, const ddpm_schedule *schedule, size_t index);
size_t ddpm_sampler_scratch_floats(size_t n, size_t d);

/** x [N,D]: x_T on entry, x_0 on return, over all steps of `schedule` (respaced before, if wanted).
 *  scratch: ddpm_sampler_scratch_floats. Options must have passed the check. */
void ddpm_sampler_run(float *x, float *scratch, size_t n, size_t d, const ddpm_schedule *schedule,
                      const ddpm_sampler_options *options);

/** ddpm_step_noise for images by index: context is a ddpm_image_noise. Image k of a seed gets the
 *  same noise wherever it is drawn. */
typedef struct {
    uint64_t seed, first_image; /**< image n of the batch is first_image + n */
    const ddpm_schedule *schedule;
} ddpm_image_noise;
void ddpm_image_step_noise(float *noise, size_t index, size_t n, size_t d, void *image_noise);
/** x_T of images first .. first + n - 1. */
void ddpm_image_init(float *x, uint64_t seed, uint64_t first, size_t n, size_t d);
#endif
