/** @file diffusion/repaint.h
 *  Filling in a part of an image with a network that was never trained for it (RePaint, Lugmayr et
 *  al. 2022): at every level what is known replaces what was drawn, and the chain jumps back now
 *  and then, so that what was drawn comes to fit what is known. */
#ifndef DDPM_DIFFUSION_REPAINT_H
#define DDPM_DIFFUSION_REPAINT_H
#include "ddpm/diffusion/sampler.h"

/** What noise is for. */
typedef enum {
    DDPM_REPAINT_STEP,  /**< the sampler's own */
    DDPM_REPAINT_KNOWN, /**< of what is known, at the level that the step leads to */
    DDPM_REPAINT_BACK   /**< of the jump back from level `index` */
} ddpm_repaint_noise_kind;
/** noise [N,D] standard normal; `jumps`: how many there were before. */
typedef void ddpm_repaint_noise(float *noise, ddpm_repaint_noise_kind kind, size_t index,
                                size_t jumps, size_t n, size_t d, void *context);

typedef struct {
    const float *known;  /**< [D]; looked at where nothing is missing */
    const bool *missing; /**< [D] */
    size_t jump;         /**< levels that a jump goes back (the paper's j) */
    size_t times;        /**< that every stretch is walked (the paper's r); 1: no jumps */
    ddpm_repaint_noise *noise;
    void *noise_context;
} ddpm_repaint;

/** DDPM_ECONFIG: a jump of no level, nothing walked, or a sampler that remembers the step before,
 *  which after a jump is another one. Beside ddpm_sampler_check. */
DDPM_NODISCARD ddpm_status ddpm_repaint_check(const ddpm_repaint *repaint, const char *sampler);
/** Steps that a walk takes over a schedule of so many, and how many of them from level `index`. */
size_t ddpm_repaint_steps(const ddpm_repaint *repaint, size_t steps);
size_t ddpm_repaint_visits(const ddpm_repaint *repaint, size_t steps, size_t index);
/** As ddpm_sampler_run; options->noise is not called. On return x is `known` to the last bit where
 *  that is known. */
void ddpm_repaint_run(float *x, float *scratch, size_t n, size_t d, const ddpm_schedule *schedule,
                      const ddpm_sampler_options *options, const ddpm_repaint *repaint);
/** A ddpm_repaint_noise by image index: context is a ddpm_image_noise. Before the first jump the
 *  steps' noise is that of ddpm_image_step_noise. */
void ddpm_image_repaint_noise(float *noise, ddpm_repaint_noise_kind kind, size_t index,
                              size_t jumps, size_t n, size_t d, void *image_noise);
#endif
