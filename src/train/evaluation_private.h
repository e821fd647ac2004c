/* What the two halves of an evaluator share: evaluation.c prepares it, evaluation_run.c works. */
#ifndef DDPM_TRAIN_EVALUATION_PRIVATE_H
#define DDPM_TRAIN_EVALUATION_PRIVATE_H
#include "evaluation.h"

/* What calls add up to. */
typedef struct {
    double losses[DDPM_QUARTILES];
    double *bound; /* the units of the bound; NULL where there is none */
} ddpm_evaluation_sums;

struct ddpm_evaluator {
    const ddpm_config *config;
    ddpm_dataset *set;
    size_t images, batches;
    ddpm_schedule *schedule;
    ddpm_objective objective;
    ddpm_held_out_options loss;
    ddpm_bpd_options bound; /* strata_count 0: none */
    ddpm_bpd_stratum *strata;
    ddpm_unet_config network;
    float *x0, *scratch;
    int64_t *labels; /* NULL of a network without classes */
    /* While it runs. */
    ddpm_unet *unet;
    const float *weights;
    ddpm_evaluation_may_go_on *may_go_on;
    void *may_go_on_context;
    ddpm_evaluation_sums *sums; /* rank 0 */
};

/* Calls of the network that a batch takes. */
size_t ddpm_train__evaluation_calls(const ddpm_evaluator *evaluator);
/* Numbers that a call comes to. */
size_t ddpm_train__evaluation_values(const ddpm_evaluator *evaluator);
/* Numbers that are kept of the bound. */
size_t ddpm_train__evaluation_kept(const ddpm_evaluator *evaluator);
#endif
