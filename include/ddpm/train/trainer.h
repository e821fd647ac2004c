/** @file train/trainer.h
 *  A training run in its run directory: config.ini (resolved), metrics.jsonl, checkpoints/,
 *  samples/, lock, and done when it has come to its end (docs/formats.md). */
#ifndef DDPM_TRAIN_TRAINER_H
#define DDPM_TRAIN_TRAINER_H
#include "ddpm/base/config.h"
#include "ddpm/dist/comm.h"

typedef struct ddpm_trainer ddpm_trainer;

typedef enum {
    DDPM_START_AUTO,   /**< resume where there are checkpoints, else begin */
    DDPM_START_RESUME, /**< there must be a checkpoint */
    DDPM_START_FRESH   /**< begin; what is there is renamed aside */
} ddpm_start;

typedef struct {
    const ddpm_config *config; /**< checked */
    const char *directory;
    ddpm_start start;
    bool allow_data_change; /**< resume although the dataset's content is another one */
} ddpm_trainer_options;

/** Opens the data, takes the run directory (DDPM_EAGAIN: another job has it; DDPM_ECREATE), holds
 *  binaries, configurations and processors of the ranks against each other (DDPM_ECONFIG) and the
 *  memory plan against the limit (DDPM_EOS), and restores the newest checkpoint that verifies.
 *  Collective, with the same outcome on every rank. The caller owns *out. */
DDPM_NODISCARD ddpm_status ddpm_trainer_create(ddpm_trainer **out, ddpm_comm *comm,
                                               const ddpm_trainer_options *options);
/** Trains to the step or time limit, or until SIGUSR1, SIGTERM or SIGINT on any rank: *stopped.
 * Either way the last step is in a checkpoint. A run that is done says so. DDPM_EDATA: three steps
 * in a row were not finite; DDPM_EIO, DDPM_ECREATE: checkpoints cannot be written. Collective. */
DDPM_NODISCARD ddpm_status ddpm_trainer_run(ddpm_trainer *trainer, bool *stopped);
void ddpm_trainer_free(ddpm_trainer *trainer); /**< takes NULL */
#endif
