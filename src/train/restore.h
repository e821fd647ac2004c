/* Going on from a checkpoint: read and checked on rank 0, then sent to all, so that it does not
 * matter how many ranks there were or are. */
#ifndef DDPM_TRAIN_RESTORE_H
#define DDPM_TRAIN_RESTORE_H
#include "ddpm/data/dataset.h"
#include "ddpm/train/step.h"

typedef struct {
    const char *path;
    ddpm_config *config;
    const ddpm_dataset_info *data;
    bool allow_data_change;
} ddpm_restore_options;

/* Fills the state and progress of every rank. Where options->config does not say
 * objective.timesteps, and the run began with uniform ones, it becomes that. DDPM_ECONFIG: another
 * configuration or data set; DDPM_EDATA. Collective. */
DDPM_NODISCARD ddpm_status ddpm_train__restore(ddpm_step *step, ddpm_progress *progress,
                                               ddpm_comm *comm,
                                               const ddpm_restore_options *options);
#endif
