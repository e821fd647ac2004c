/** @file job.h  All that is open while images are drawn. */
#ifndef SAMPLE_JOB_H
#define SAMPLE_JOB_H
#include "arguments.h"
#include "progress.h"
#include "source.h"
#include "start.h"

struct sample_job {
    const sample_arguments *arguments;
    const sample_mode *mode;
    ddpm_comm *comm;
    ddpm_checkpoint *checkpoint; /* rank 0 */
    sample_source source;
    ddpm_unet_config unet;
    ddpm_schedule *schedule; /* of the training */
    sample_start start;
    ddpm_sample_options options;
    int64_t classes[SAMPLE_CLASSES]; /* of the options */
    ddpm_sampling *sampling;         /* NULL for a mode without the network */
    float *weights;
    sample_progress progress;
    int threads;
    double seconds;

    /* The mode's. */
    float *images; /* [image_count,H,W,C] of the command line */
    int64_t labels[SAMPLE_ROWS];
    size_t levels[SAMPLE_ROWS]; /* of --t or its default: indices into the schedule that is drawn
                                   along */
    size_t level_count;
    ddpm_sample_row rows[SAMPLE_ROWS];
    ddpm_drawing drawing;
    ddpm_sample_inpaint inpaint;
    bool *missing; /* [H,W,C] */
    float *holed;  /* [H,W,C], the image with what is missing in grey */
    /* Shown in a PNG at the ends of each row: [H,W,C] or NULL. */
    const float *before, *after;
    size_t before_stride; /* floats from a row's `before` to the next row's */
};

ddpm_shape sample_image_shape(const sample_job *job);
size_t sample_image_floats(const sample_job *job);
bool sample_is_first(const sample_job *job);
#endif
