/** @file base/clock.h  Monotonic time for durations; wall time only to be read by people. */
#ifndef DDPM_BASE_CLOCK_H
#define DDPM_BASE_CLOCK_H
#include <stddef.h>
#include <stdint.h>

/** CLOCK_MONOTONIC. */
uint64_t ddpm_clock_ns(void);
/** CPU time of the calling thread. */
uint64_t ddpm_clock_thread_ns(void);
static inline double ddpm_clock_seconds(uint64_t from_ns, uint64_t to_ns)
{
    return (double)(to_ns - from_ns) * 1e-9;
}
/** "2026-01-31T12:00:00Z"; `size` at least 21. */
void ddpm_clock_utc(char *text, size_t size);
#endif
