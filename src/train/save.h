/* When checkpoints are written in the course of a run, and what follows from a failure: a disk that
 * is full for an hour must not end a month of work. Rank 0 only. */
#ifndef DDPM_TRAIN_SAVE_H
#define DDPM_TRAIN_SAVE_H
#include "writer.h"

typedef struct {
    ddpm_writer *writer;
    int attempts;                  /* checkpoint.attempts */
    double retry_seconds;          /* checkpoint.retry */
    bool overdue;                  /* one was due while another was being written */
    int failures;                  /* in a row */
    uint64_t retry_ns;             /* when to try again after a failure */
    double seconds;                /* that the last one took */
    uint64_t last_step;            /* of `last` */
    uint64_t last_evaluated;       /* what its progress says */
    char last[DDPM_RUN_PATH + 64]; /* the newest checkpoint written or resumed from; "" none */
} ddpm_saver;

/* Hands the state of this moment to the writer. Where that is busy with the one before for more
 * than a second, the checkpoint is due again with a later line of the metrics; but that of the best
 * state (progress->best) waits, since there is no second one. */
void ddpm_train__save(ddpm_saver *saver, const ddpm_progress *progress);
/* Looks after the writer. A failure is a warning, and the time until the next attempt doubles;
 * after `attempts` in a row it is returned (DDPM_EIO, DDPM_ECREATE, DDPM_EOS, DDPM_EDATA).
 * Checkpoints that were there stay. */
DDPM_NODISCARD ddpm_status ddpm_train__save_poll(ddpm_saver *saver);
/* The best evaluation so far, of those whose checkpoint is there. Waits for the writer. */
ddpm_best ddpm_train__save_best(ddpm_saver *saver);
/* Whether a checkpoint is due apart from checkpoint.every. */
bool ddpm_train__save_is_due(ddpm_saver *saver);
/* For the last state of a run: waits for the writer, then tries until this state is written or the
 * attempts are used up. */
DDPM_NODISCARD ddpm_status ddpm_train__save_last(ddpm_saver *saver, const ddpm_progress *progress);
#endif
