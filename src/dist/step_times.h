/* How long the last steps took. One thread adds, another reads. */
#ifndef DDPM_DIST_STEP_TIMES_H
#define DDPM_DIST_STEP_TIMES_H
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

enum { DDPM_STEP_TIMES = 64, DDPM_STEP_TIMES_RECENT = 16 };

typedef struct {
    _Atomic uint32_t count; /* since the start */
    _Atomic float step[DDPM_STEP_TIMES], micro_batch[DDPM_STEP_TIMES];
} ddpm_step_times;

void ddpm_dist__step_times_add(ddpm_step_times *times, double step, double micro_batch);
/* Medians, 0 where there is none: of whole steps over the last 64, so that a checkpoint or a hiccup
 * does not count; of micro-batches over the last 16, so that news are news. */
double ddpm_dist__median_step(const ddpm_step_times *times);
double ddpm_dist__median_micro_batch(const ddpm_step_times *times);
#endif
