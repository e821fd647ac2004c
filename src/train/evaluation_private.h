/* What the two halves of an evaluator share: evaluation.c prepares it, evaluation_run.c works. */
#ifndef DDPM_TRAIN_EVALUATION_PRIVATE_H
#define DDPM_TRAIN_EVALUATION_PRIVATE_H
#include "evaluation.h"

struct ddpm_evaluator {
    const ddpm_config *config;
    ddpm_dataset *set;
    size_t images, units;
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
    bool stopped;
};

/* Segments of the bound that a batch is cut into: units of work; at least 1. */
size_t ddpm_train__evaluation_segments(const ddpm_evaluator *evaluator);
/* Numbers that a unit comes to: the sums of its losses (in segment 0), and the bound's. */
size_t ddpm_train__evaluation_values(const ddpm_evaluator *evaluator);
#endif
