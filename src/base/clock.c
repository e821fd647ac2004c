#include "ddpm/base/clock.h"

#include <assert.h>
#include <time.h>

static uint64_t now(clockid_t clock)
{
    struct timespec time;
    const int failed = clock_gettime(clock, &time);
    assert(!failed);
    (void)failed;
    return (uint64_t)time.tv_sec * UINT64_C(1000000000) + (uint64_t)time.tv_nsec;
}

uint64_t ddpm_clock_ns(void)
{
    return now(CLOCK_MONOTONIC);
}

uint64_t ddpm_clock_thread_ns(void)
{
    return now(CLOCK_THREAD_CPUTIME_ID);
}

void ddpm_clock_condition(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(condition, &attributes);
    pthread_condattr_destroy(&attributes);
}

struct timespec ddpm_clock_later(double seconds)
{
    const uint64_t ns = ddpm_clock_ns() + (seconds > 0.0 ? (uint64_t)(seconds * 1e9) : 0);
    return (struct timespec){ .tv_sec = (time_t)(ns / 1000000000),
                              .tv_nsec = (long)(ns % 1000000000) };
}

int64_t ddpm_clock_unix(void)
{
    return (int64_t)time(NULL);
}

void ddpm_clock_utc(char *text, size_t size)
{
    const time_t seconds = time(NULL);
    struct tm utc;
    gmtime_r(&seconds, &utc);
    if (strftime(text, size, "%Y-%m-%dT%H:%M:%SZ", &utc) == 0 && size) text[0] = '\0';
}
