/** @file compare.h  `ddpm-eval compare`. */
#ifndef EVAL_COMPARE_H
#define EVAL_COMPARE_H
#include "eval.h"

/** A result; NaN where a number is not known. */
typedef struct {
    const char *run, *metric, *weights, *sampler;
    double value, error;
    double step;  /**< of the training */
    double steps; /**< of the sampler, or of the bound */
    double images;
} compare_row;

/** For each metric METRIC-by-step and METRIC-by-steps, where there are two different ones; a curve
 *  for each run, sampler, weights and whatever else is fixed. rows: sorted. */
DDPM_NODISCARD ddpm_status compare_plots(const char *directory, const compare_row *rows,
                                         size_t count);
#endif
