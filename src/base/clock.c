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

void ddpm_clock_utc(char *text, size_t size)
{
    const time_t seconds = time(NULL);
    struct tm utc;
    gmtime_r(&seconds, &utc);
    if (strftime(text, size, "%Y-%m-%dT%H:%M:%SZ", &utc) == 0 && size) text[0] = '\0';
}
