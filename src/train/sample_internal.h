/** @file sample_internal.h  A network that draws: sample.c makes it, sample_draw.c lets it. */
#ifndef DDPM_TRAIN_SAMPLE_INTERNAL_H
#define DDPM_TRAIN_SAMPLE_INTERNAL_H
#include "ddpm/train/sample.h"

struct ddpm_sampling {
    ddpm_sample_options options;
    ddpm_unet *unet;
    const ddpm_schedule *full;
    ddpm_schedule *respaced; /* NULL where all steps are taken */
    size_t height, width, channels, image_floats;
    float *x, *scratch, *t; /* of one batch; t [batch] */
    float *output;          /* of a network that also speaks of the variance; else NULL */
    float *unguided;        /* what it says of no class; NULL where nobody asks */
    size_t classes;
    int64_t *class, *none; /* [batch]; NULL where there are no classes */

    /* during a drawing */
    const float *weights;
    float *frames; /* [batch, frames of the drawing, image_floats]; NULL without */
    ddpm_comm *comm;
    size_t calls, calls_in_all;
    size_t steps_together; /* of this round, that the ranks have agreed on */
    ddpm_status outcome;   /* of the chain so far */
};

/** For ddpm_sampler_check and ddpm_sampler_run, without noise and observer. */
ddpm_sampler_options ddpm_train__sampler_options(ddpm_sampling *sampling);
#endif
