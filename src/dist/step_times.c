#include "step_times.h"

#include "straggler.h"

void ddpm_dist__step_times_add(ddpm_step_times *times, double step, double micro_batch)
{
    const uint32_t count = atomic_load_explicit(&times->count, memory_order_relaxed);
    const size_t at = count % DDPM_STEP_TIMES;
    atomic_store_explicit(&times->step[at], (float)step, memory_order_relaxed);
    atomic_store_explicit(&times->micro_batch[at], (float)micro_batch, memory_order_relaxed);
    atomic_store_explicit(&times->count, count + 1, memory_order_release);
}

static double median_of_last(const ddpm_step_times *times, const _Atomic float *values, size_t most)
{
    const uint32_t count = atomic_load_explicit(&times->count, memory_order_acquire);
    const size_t n = count < most ? count : most;
    double last[DDPM_STEP_TIMES];
    for (size_t k = 0; k < n; k++) {
        const size_t at = (count - 1 - k) % DDPM_STEP_TIMES;
        last[k] = (double)atomic_load_explicit(&values[at], memory_order_relaxed);
    }
    return ddpm_dist__lower_median(last, n);
}

double ddpm_dist__median_step(const ddpm_step_times *times)
{
    return median_of_last(times, times->step, DDPM_STEP_TIMES);
}

double ddpm_dist__median_micro_batch(const ddpm_step_times *times)
{
    return median_of_last(times, times->micro_batch, DDPM_STEP_TIMES_RECENT);
}
