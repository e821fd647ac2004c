/** @file choose.h  What the command line means for the model that was opened. */
#ifndef SAMPLE_CHOOSE_H
#define SAMPLE_CHOOSE_H
#include "job.h"

/** job->options: the sampler and all that goes with it, by arguments, model and mode. DDPM_EUSAGE:
 *  options that exclude each other; DDPM_ECONFIG: options that this model cannot serve. */
DDPM_NODISCARD ddpm_status sample_choose(sample_job *job);
/** For notes: "3", "0,1,none", "each in turn". */
const char *sample_class_text(const sample_job *job);
#endif
