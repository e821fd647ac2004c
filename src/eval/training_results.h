/* Evaluations of a run in its course, as results. */
#ifndef EVAL_TRAINING_RESULTS_H
#define EVAL_TRAINING_RESULTS_H
#include <jansson.h>
#include <stddef.h>

/* Adds those that the text of a metrics.jsonl tells, in order: "eval_loss", and "eval_bpd" where
 * the bound was evaluated, of the members that a result of `bpd` has ("value", "standard_error",
 * "images", "model", "data", "settings", "created"; docs/formats.md). All other lines, and numbers
 * that are none, are passed over. */
void training_results(json_t *array, const char *text, size_t bytes);
#endif
