/* Checkpoints written by a thread beside the training: a step is held up by the copy of the state,
 * not by the disk. Rank 0 only. */
#ifndef DDPM_TRAIN_WRITER_H
#define DDPM_TRAIN_WRITER_H
#include "run_dir.h"

typedef struct ddpm_writer ddpm_writer;

/* What is written, and where. All must outlive the writer. */
typedef struct {
    const ddpm_run_dir *dir;
    const ddpm_config *config;
    const ddpm_params *params;
    const ddpm_state *state; /* as the training goes on changing it */
    ddpm_best best;          /* whose checkpoint is there */
} ddpm_writer_source;

/* How a checkpoint came out. */
typedef struct {
    ddpm_status status;
    char message[2048]; /* of a failure */
    char path[DDPM_RUN_PATH + 64];
    uint64_t step, evaluated; /* of its progress */
    double seconds, copy_seconds;
} ddpm_written;

/* Takes memory for a copy of the state. DDPM_EOS. The caller owns *out. */
DDPM_NODISCARD ddpm_status ddpm_train__writer_create(ddpm_writer **out,
                                                     const ddpm_writer_source *source);
void ddpm_train__writer_free(ddpm_writer *writer); /* after what is being written; takes NULL */
bool ddpm_train__writer_is_busy(ddpm_writer *writer);
/* Copies the state as it is now, for the thread to write. Not while it is busy. Where the progress
 * says that this state is the best (best.step is its step), it becomes the best that the run knows
 * as soon as its file is durable; any other checkpoint tells of the best that is. */
void ddpm_train__writer_give(ddpm_writer *writer, const ddpm_progress *progress);
/* The best whose checkpoint is durable. Not while the writer is busy. */
ddpm_best ddpm_train__writer_best(ddpm_writer *writer);
/* Waits until nothing is being written, but no longer than this (negative: as long as it takes);
 * whether it came to that. */
bool ddpm_train__writer_wait(ddpm_writer *writer, double seconds);
/* Whether a checkpoint has come out since the last call, and how. */
bool ddpm_train__writer_take(ddpm_writer *writer, ddpm_written *written);
/* Writes the state as it is now in this thread. Not while the writer is busy. */
void ddpm_train__writer_write(ddpm_writer *writer, ddpm_written *written,
                              const ddpm_progress *progress);
#endif
