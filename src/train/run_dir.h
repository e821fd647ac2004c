/* The run directory (docs/formats.md): where what lies, whether there is a run to go on with, and
 * the marker of a run that is done. Rank 0 only. */
#ifndef DDPM_TRAIN_RUN_DIR_H
#define DDPM_TRAIN_RUN_DIR_H
#include "ddpm/train/checkpoint.h"
#include "ddpm/train/trainer.h"
#include "run_lock.h"

enum { DDPM_RUN_PATH = 4096 };

typedef struct {
    char path[DDPM_RUN_PATH - 256]; /* room for the names below it */
    char checkpoints[DDPM_RUN_PATH], samples[DDPM_RUN_PATH];
    char config[DDPM_RUN_PATH], metrics[DDPM_RUN_PATH], done[DDPM_RUN_PATH];
    char run_id[40];
    ddpm_run_lock *lock;
} ddpm_run_dir;

/* Makes the directories and takes the lock. With DDPM_START_FRESH an old run is first renamed to
 * PATH.old-<time>. Then finds the checkpoint to go on from: `checkpoint` "" where the run begins,
 * with a new run_id. DDPM_EAGAIN, DDPM_ECREATE; DDPM_ENOINPUT: nothing to resume; DDPM_EDATA:
 * checkpoints, but none verifies. */
DDPM_NODISCARD ddpm_status ddpm_train__run_dir_open(ddpm_run_dir *dir, char *checkpoint,
                                                    size_t size, const char *path,
                                                    ddpm_start start);
void ddpm_train__run_dir_close(ddpm_run_dir *dir);
/* config.ini: the resolved configuration, headed by the run's identity. */
DDPM_NODISCARD ddpm_status ddpm_train__run_dir_write_config(const ddpm_run_dir *dir,
                                                            const ddpm_config *config);
/* The marker `done`: why the run ended and what came out, as JSON. */
DDPM_NODISCARD ddpm_status ddpm_train__run_dir_write_done(const ddpm_run_dir *dir,
                                                          const ddpm_progress *progress,
                                                          const char *reason,
                                                          const char *checkpoint);
/* The marker goes when a finished run is continued with higher limits. */
void ddpm_train__run_dir_remove_done(const ddpm_run_dir *dir);
#endif
