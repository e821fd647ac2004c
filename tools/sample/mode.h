/** @file mode.h
 *  What is drawn. One row of a table a mode: the command line, its help and its errors, the
 *  defaults and the notes of a file read it. */
#ifndef SAMPLE_MODE_H
#define SAMPLE_MODE_H
#include "notes.h"

#include "ddpm/train/sample.h"

typedef struct sample_job sample_job;

/** What a mode takes beside what all take. */
enum {
    SAMPLE_TAKES_T = 1,          /**< --t */
    SAMPLE_TAKES_MASK = 2,       /**< --mask, --jump, --times */
    SAMPLE_TAKES_INIT_NOISE = 4, /**< --init-noise */
};

typedef struct {
    const char *name; /**< of the option without its dashes, and in notes */
    const char *argument, *help;
    bool argument_is_optional;
    size_t images; /**< that it takes; their size is the model's */
    bool repeats;  /**< the option may come again, with more images */
    unsigned takes;
    size_t count;         /**< default of -n */
    bool noisy;           /**< it lives by the noise of the steps: ddpm, unless one is named */
    size_t default_steps; /**< 0: the sampler's */
    /** NULL, or the images of a row are of one class, because it shows this: "what ..." */
    const char *one_class;
    /** The drawing of a job that is open, with its images read: rows, start, sources. */
    ddpm_status (*prepare)(sample_job *job);
    /** Draws without the network; else NULL. */
    ddpm_status (*draw)(sample_job *job, ddpm_sample_sink *sink, void *context);
    /** Adds what the mode alone has to say. NULL: nothing. */
    void (*describe)(sample_notes *notes, const sample_job *job);
} sample_mode;

extern const sample_mode sample_plain;
/** NULL-terminated; without the plain one, which has no option. */
extern const sample_mode *const sample_modes[];
enum { SAMPLE_MODES = 6 };

extern const sample_mode sample_progressive, sample_forward, sample_prefix, sample_interpolate,
    sample_vary, sample_inpaint;
#endif
