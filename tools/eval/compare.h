/** @file compare.h
 *  `ddpm-eval compare`: results of runs as rows, in a table, and as curves over training and
 * sampling steps. On one curve lies what differs in nothing but the steps. */
#ifndef EVAL_COMPARE_H
#define EVAL_COMPARE_H
#include "eval.h"

#include <stdio.h>

/** A number of a result; NaN or "" where something is not known. Texts but `settings` belong to the
 *  JSON it came from. */
typedef struct {
    const char *run, *metric, *weights, *sampler;
    const char *model, *samples; /**< hash of the checkpoint, of the samples */
    const char *reference;       /**< hash of what these were compared with, or were judged on */
    const char *reference_name, *key, *created;
    char *settings; /**< all else that was fixed: "name=value" in order of names; owned */
    double value, error;
    double step;  /**< of the training */
    double steps; /**< of the sampler, or of the bound */
    double images;
    size_t order; /**< in which the rows came */
} compare_row;

typedef struct {
    compare_row *row;
    size_t count;
} compare_rows;

/** Adds what a result comes to: a row, or several of those that measure several things. Released by
 *  compare_rows_free in any case. DDPM_EOS. */
DDPM_NODISCARD ddpm_status compare_rows_add(compare_rows *rows, const json_t *result,
                                            const char *run);
/** Once all are there: by metric, curve, step, steps and time; data sets that only some results
 * name are named in all. */
void compare_rows_finish(compare_rows *rows);
void compare_rows_free(compare_rows *rows);

/** "name=value" of all that is fixed by a result but not told by the other members of its row,
 *  malloc'ed; NULL: out of memory. */
char *compare_settings(const json_t *result, const char *run);
/** A name and the beginning of the hash, or what of these is known. */
const char *compare_reference(char buffer[48], const compare_row *row);

/** Orders; a number that is not known is before all others. */
int compare_numbers(double a, double b);
/** Of one metric: 0 for what may lie on one curve, steps and step aside. */
int compare_curve(const compare_row *a, const compare_row *b);
/** When they were created, and in which order they came where that is not known. */
int compare_time(const compare_row *a, const compare_row *b);

/** A line a row; `all`: separated by tabs, with the hashes of all that was compared. */
void compare_table(FILE *out, const compare_rows *rows, bool all);

/** For each metric METRIC-by-step and METRIC-by-steps, where there are two different ones. */
DDPM_NODISCARD ddpm_status compare_plots(const char *directory, const compare_rows *rows);
enum { COMPARE_NAME = 85 }; /**< as long as a plot is wide */
/** Curves of one plot. */
typedef struct {
    const compare_row *const *first; /**< with which each begins */
    size_t count;
    const char *fixed; /**< what is along each: "step" or "steps"; and its value */
    double (*constant)(const compare_row *row);
} compare_curves;
/** What tells curve k from the others; "" of a single one. */
void compare_name(char name[COMPARE_NAME], size_t k, const compare_curves *curves);
/** What is known and the same of all of them, but for settings. */
void compare_subtitle(char text[COMPARE_NAME], const compare_curves *curves);
#endif
