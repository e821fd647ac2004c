/** @file memorization.h  `ddpm-eval memorization`: what its search finds, and its report. */
#ifndef EVAL_MEMORIZATION_H
#define EVAL_MEMORIZATION_H
#include "ddpm/eval/memorization.h"
#include "images.h"

typedef struct {
    eval_common common;
    const char *samples, *train, *held_out;
    size_t most;
} memorization_arguments;

/** Images, and the two training images nearest to each. */
typedef struct {
    eval_images images;
    float *x;
    ddpm_neighbour *nearest; /**< [images,2] */
    ddpm_nearness nearness;
} memorization_side;

typedef struct {
    const memorization_arguments *arguments;
    ddpm_comm *comm;
    eval_images train;
    memorization_side samples, held_out;
    char directory[EVAL_PATH], key[EVAL_KEY];
} memorization_job;

/** Rank 0: the table or JSON, pictures and the line in results.jsonl. */
DDPM_NODISCARD ddpm_status memorization_report(memorization_job *job);
#endif
