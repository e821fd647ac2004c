/* A run in this process. Members marked "rank 0" are empty elsewhere. */
#ifndef DDPM_TRAIN_TRAINER_INTERNAL_H
#define DDPM_TRAIN_TRAINER_INTERNAL_H
#include "ddpm/data/dataset.h"
#include "ddpm/train/plan.h"
#include "ddpm/train/step.h"
#include "ddpm/train/trainer.h"
#include "evaluation.h"
#include "job_end.h"
#include "metrics.h"
#include "progress.h"
#include "run_dir.h"
#include "save.h"

struct ddpm_trainer {
    ddpm_comm *comm;
    ddpm_watchdog *watchdog;
    ddpm_config config; /* with the data's image size */
    ddpm_dataset *data;
    ddpm_evaluator *evaluator; /* NULL where eval.every = 0 */
    ddpm_plan plan;
    ddpm_step *step;
    int threads;
    ddpm_run_dir dir;      /* rank 0 */
    ddpm_saver saver;      /* rank 0 */
    ddpm_metrics *metrics; /* rank 0 */
    ddpm_metrics_sum sum;
    ddpm_progress progress;
    ddpm_progress_view view;
    ddpm_job_end job_end; /* rank 0 */
    bool job_ends;        /* it is near; rank 0 */
    double longest_step;  /* of late, in seconds; rank 0 */
    double longest_call; /* of the network between steps, from one question to the next; likewise */
    uint64_t asked_ns;   /* when it was asked last whether such work may go on; 0: not yet */
    uint64_t start_ns;   /* when this process began */
    uint64_t begin_ns;   /* when it began to train */
    double begin_seconds; /* what the run had trained before */
    bool time_is_up;
    int skipped_in_a_row;
};

/* Before work between two steps that asks whether it may go on. */
void ddpm_train__begin_calls(ddpm_trainer *trainer);
/* Whether it may: to be asked once for each call of the network that all ranks then wait for. Not
 * once this rank is asked to stop, or (rank 0) another call would reach into what the last
 * checkpoint takes. Tells the watchdog that work goes on. */
bool ddpm_train__may_go_on(ddpm_trainer *trainer);
/* Tells the watchdog that a checkpoint is read or written: while that lasts nothing can be seen of
 * it, and a slow disk must not look like a dead one. */
void ddpm_train__at_file(ddpm_trainer *trainer, ddpm_place place);
/* After too many non-finite steps: says on rank 0 what is known, and fails with DDPM_EDATA. */
DDPM_NODISCARD ddpm_status ddpm_train__diagnose(ddpm_trainer *trainer,
                                                const ddpm_step_result *result);
/* A PNG of sample.count images by the first of ema.rates, drawn by all ranks. One that cannot be
 * made or written is a warning: it is no reason to end a training. *stopped: a signal came
 * meanwhile. */
DDPM_NODISCARD ddpm_status ddpm_train__draw_grid(ddpm_trainer *trainer, bool *stopped);
/* Judges the first average on eval.data, by all ranks: a line of the metrics, and
 * progress.evaluated is this step. *best: it is the best so far, which rank 0's progress.best says;
 * the state is to be saved. What cannot be read is a warning. *stopped is set where a signal came
 * meanwhile: then nothing is kept, and it is done again when the run goes on. */
DDPM_NODISCARD ddpm_status ddpm_train__evaluate(ddpm_trainer *trainer, bool *best, bool *stopped);
/* There are evaluations, and none of this state. */
bool ddpm_train__evaluation_is_missing(const ddpm_trainer *trainer);
#endif
