/** @file base/clock.h  Monotonic time for durations; wall time only to be read by people. */
#ifndef DDPM_BASE_CLOCK_H
#define DDPM_BASE_CLOCK_H
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

/** CLOCK_MONOTONIC. */
uint64_t ddpm_clock_ns(void);
/** CPU time of the calling thread. */
uint64_t ddpm_clock_thread_ns(void);
static inline double ddpm_clock_seconds(uint64_t from_ns, uint64_t to_ns)
{
    return (double)(to_ns - from_ns) * 1e-9;
}
/** A condition whose timed waits go by CLOCK_MONOTONIC, and a time for them: `seconds` from now. */
void ddpm_clock_condition(pthread_cond_t *condition);
struct timespec ddpm_clock_later(double seconds);
/** Seconds since 1970 by the wall's clock, which may jump: to be turned into a duration at once. */
int64_t ddpm_clock_unix(void);
/** "2026-01-31T12:00:00Z"; `size` at least 21. */
void ddpm_clock_utc(char *text, size_t size);
#endif
