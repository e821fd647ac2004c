/* What the user sees of a running training: a live line on a terminal, else a plain line at every
 * line of metrics.jsonl. Rank 0 only. */
#ifndef DDPM_TRAIN_PROGRESS_H
#define DDPM_TRAIN_PROGRESS_H
#include "metrics.h"

typedef struct {
    uint64_t steps;      /* train.steps */
    double time_limit;   /* seconds of training; 0: none */
    uint64_t shown_ns;   /* of the last live line */
    double step_seconds; /* smoothed */
    double loss;         /* smoothed */
} ddpm_progress_view;

/* After every step: brings the live line up to date, a few times a second. */
void ddpm_train__progress_step(ddpm_progress_view *view, uint64_t step, uint64_t batch,
                               double train_seconds, const ddpm_step_result *result,
                               double seconds);
/* The plain line. */
void ddpm_train__progress_line(const ddpm_progress_view *view, const ddpm_metrics_line *line);
/* Seconds until the end by steps or by time, whichever comes first. */
double ddpm_train__progress_eta(const ddpm_progress_view *view, uint64_t step,
                                double train_seconds);
#endif
