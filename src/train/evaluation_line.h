/* What is said of an evaluation: its line in metrics.jsonl, and one in the log. */
#ifndef DDPM_TRAIN_EVALUATION_LINE_H
#define DDPM_TRAIN_EVALUATION_LINE_H
#include "evaluation.h"

typedef struct {
    uint64_t step;
    const ddpm_evaluation *of;
    bool is_best;          /* of the run so far */
    double decay;          /* of the average that was evaluated */
    const char *data_hash; /* content hash of the images' set */
    double seconds;
} ddpm_evaluation_line;

/* JSON, malloc'ed; NULL when out of memory. */
char *ddpm_train__evaluation_text(const ddpm_evaluation_line *line);
void ddpm_train__evaluation_log(const ddpm_evaluation_line *line);
#endif
