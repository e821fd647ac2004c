/* metrics.jsonl: a JSON object a line, every log.every steps and at every checkpoint, so that the
 * lines of a resumed run are those of an undisturbed one. Rank 0 only. */
#ifndef DDPM_TRAIN_METRICS_H
#define DDPM_TRAIN_METRICS_H
#include "ddpm/train/step.h"

/* Means over the steps since the last line. */
typedef struct {
    uint64_t step, images_seen, steps; /* done in all; in this interval */
    double epoch;                      /* images seen / images of the data set */
    double loss;                       /* over finite steps; NaN where there was none */
    double quartile_loss[DDPM_QUARTILES];
    double quartile_images[DDPM_QUARTILES];
    double grad_norm, grad_norm_max, lr;
    double images_per_second, seconds; /* of training, without checkpoints and samples */
    double phase_seconds[DDPM_PHASES]; /* sums over the interval; the next two also */
    double communication_seconds, exposed_seconds;
    uint64_t skipped_steps; /* since the run began */
    double train_seconds;
} ddpm_metrics_line;

/* What is added up until the next line. */
typedef struct {
    uint64_t steps, finite_steps;
    double loss, grad_norm, grad_norm_max, lr, seconds;
    double quartile_error[DDPM_QUARTILES], quartile_images[DDPM_QUARTILES];
    double phase_seconds[DDPM_PHASES], communication_seconds, exposed_seconds;
} ddpm_metrics_sum;

void ddpm_train__metrics_add(ddpm_metrics_sum *sum, const ddpm_step_result *result, double seconds);
/* The line that the sum comes to (what it does not know stays 0), and an empty sum. */
ddpm_metrics_line ddpm_train__metrics_take(ddpm_metrics_sum *sum, uint64_t batch);

/* The key that the line of an evaluation (evaluation_line.h) has, and no other. */
#define DDPM_METRICS_EVALUATION "eval_loss"

typedef struct ddpm_metrics ddpm_metrics;
/* Opens for appending; first drops a torn last line, all lines after `step`, and of evaluations
 * those after step `evaluated`: one that the state does not know of will be done again.
 * DDPM_ECREATE, DDPM_EIO. */
DDPM_NODISCARD ddpm_status ddpm_train__metrics_open(ddpm_metrics **out, const char *path,
                                                    uint64_t step, uint64_t evaluated);
void ddpm_train__metrics_close(ddpm_metrics *metrics); /* takes NULL */
/* Appends whole or not at all; a failure (a full disk) is a warning, once until it works again. */
void ddpm_train__metrics_write(ddpm_metrics *metrics, const ddpm_metrics_line *line);
/* The same of a line's text, without its end, malloc'ed and freed here; NULL is left out. */
void ddpm_train__metrics_append(ddpm_metrics *metrics, char *text);
#endif
