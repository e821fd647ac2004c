/* Writing checkpoints in the course of a run: a disk that is full for an hour must not end a
 * month of work. Rank 0 only. */
#ifndef DDPM_TRAIN_SAVE_H
#define DDPM_TRAIN_SAVE_H
#include "run_dir.h"

typedef struct {
    const ddpm_run_dir *dir;
    const ddpm_config *config;
    const ddpm_params *params;
    const ddpm_state *state;
    int failures;                  /* in a row */
    uint64_t retry_ns;             /* when to try again after a failure */
    char last[DDPM_RUN_PATH + 64]; /* the newest checkpoint written or resumed from; "" none */
} ddpm_saver;

/* Writes a checkpoint and prunes. A failure is a warning, and the time of the next attempt grows;
 * after the fifth in a row it is returned (DDPM_EIO, DDPM_ECREATE, DDPM_EOS). Checkpoints that were
 * there stay. */
DDPM_NODISCARD ddpm_status ddpm_train__save(ddpm_saver *saver, const ddpm_progress *progress);
/* Whether a failed attempt is due to be repeated. */
bool ddpm_train__save_is_due(const ddpm_saver *saver);
/* For the last state of a run: tries until it is written or the attempts are used up. */
DDPM_NODISCARD ddpm_status ddpm_train__save_last(ddpm_saver *saver, const ddpm_progress *progress);
#endif
