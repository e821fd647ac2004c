/** @file base/countdown.h
 *  How far work is that takes long: rank 0 rewrites a line on a terminal, elsewhere it says a line
 *  every half minute. */
#ifndef DDPM_BASE_COUNTDOWN_H
#define DDPM_BASE_COUNTDOWN_H
#include <stddef.h>
#include <stdint.h>

typedef struct {
    const char *name; /**< in front of the line; NULL: says nothing */
    size_t all;
    uint64_t started_ns, told_ns;
} ddpm_countdown;

ddpm_countdown ddpm_countdown_begin(const char *name, size_t all);
void ddpm_countdown_tell(ddpm_countdown *countdown, size_t done); /**< of `all`; done > 0 */
#endif
