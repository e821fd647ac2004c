/** @file eval/results.h
 *  What evaluations came to: results.jsonl in a directory, a JSON object a line, appended. Each has
 *  "metric", "value", "images", and says what was compared by hash (docs/formats.md). */
#ifndef DDPM_EVAL_RESULTS_H
#define DDPM_EVAL_RESULTS_H
#include "ddpm/base/status.h"

#include <jansson.h>

/** Appends a line to `directory`/results.jsonl, whole or not at all, and on a line of its own where
 *  a kill or a power cut tore the last one. DDPM_ECREATE, DDPM_EIO. */
DDPM_NODISCARD ddpm_status ddpm_results_append(const char *directory, const json_t *result);
/** The results of a file, or of a directory's results.jsonl, eval/results.jsonl and metrics.jsonl
 *  (one of these must be there), in this order, as an array that the caller owns. Lines that are no
 *  results are passed over with a warning. Of those with the same "key" the one that was created
 *  last counts. Of a metrics.jsonl (known by its name) evaluations are results, "eval_loss" and
 *  "eval_bpd", with the members of `bpd`; an array of none is no error. DDPM_ENOINPUT, DDPM_EIO. */
DDPM_NODISCARD ddpm_status ddpm_results_read(json_t **array, const char *path);
#endif
