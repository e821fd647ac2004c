/** @file bpd.h  `ddpm-eval bpd`: its arguments, what is done of it, its work over the ranks, its
 *  report. */
#ifndef EVAL_BPD_H
#define EVAL_BPD_H
#include "ddpm/diffusion/bpd.h"
#include "ddpm/eval/parts.h"
#include "ddpm/nn/unet.h"
#include "eval.h"
#include "sample/source.h"

enum { BPD_BATCH = DDPM_BPD_BATCH, BPD_DRAWS = 20, BPD_IMAGES = 1000 };

typedef struct {
    eval_common common;
    const char *checkpoint, *data, *weights, *variance;
    size_t images; /**< 0: not said */
    size_t steps;  /**< 0: all of the schedule's */
    size_t draws;  /**< 0: every step */
    size_t batch;
    uint64_t seed;
    bool draws_said, no_clip, best;
} bpd_arguments;

typedef struct {
    const bpd_arguments *arguments;
    ddpm_comm *comm;
    ddpm_checkpoint *checkpoint; /**< rank 0 */
    sample_source source;
    ddpm_dataset *set;
    ddpm_unet *unet;
    ddpm_schedule *full, *respaced;
    ddpm_bpd_stratum *strata;
    ddpm_bpd_options options;
    float *weights, *x0, *scratch;
    double *unit;    /**< that calls are being put together to; rank 0 */
    int64_t *labels; /**< [batch]; NULL of a network without classes */
    size_t images, batches, units;
    char directory[EVAL_PATH];
    char identity[1024], key[EVAL_KEY];
    ddpm_eval_parts *parts; /**< rank 0 */
} bpd_job;

/** Rank 0: finds the directory, and opens the file of what is done. */
DDPM_NODISCARD ddpm_status bpd_open_parts(bpd_job *job);
/** Evaluates all units that are not done, and keeps them. Collective. DDPM_EAGAIN: stopped. */
DDPM_NODISCARD ddpm_status bpd_work(bpd_job *job);
/** Rank 0: the table or JSON, the files and the line in results.jsonl. */
DDPM_NODISCARD ddpm_status bpd_report(const bpd_job *job);
#endif
