/* Who is slow: pure functions of what the ranks said, and of when. */
#ifndef DDPM_DIST_STRAGGLER_H
#define DDPM_DIST_STRAGGLER_H
#include <stdbool.h>
#include <stddef.h>

typedef struct {
    double factor;   /* of the median, from which on a rank is slow; 0: never */
    double patience; /* seconds for which it must be */
    double again;    /* seconds until the next warning about it */
} ddpm_straggler_rule;

/* Of one rank; all 0 at first. */
typedef struct {
    bool slow;      /* beyond the factor, as of the last look */
    bool warned;    /* and said so */
    double since;   /* when `slow` became what it is */
    double told_at; /* when the last warning was given, and of what ratio */
    double told;
} ddpm_straggler;

typedef enum {
    DDPM_STRAGGLER_NOTHING,
    DDPM_STRAGGLER_SLOW,    /* say so */
    DDPM_STRAGGLER_KEEPS_UP /* say that it no longer is */
} ddpm_straggler_news;

/* The lower median of values [count], which are sorted on the way: of two ranks the faster, or a
 * pair could never have a slow one. */
double ddpm_dist__lower_median(double *values, size_t count);
/* ratio: a rank's time over the median; now: seconds. A warning comes after `patience`, again after
 * `again`, or earlier where the ratio has grown by half; the all-clear after `patience` too. */
ddpm_straggler_news ddpm_dist__straggler(ddpm_straggler *rank, double ratio, double now,
                                         const ddpm_straggler_rule *rule);
#endif
