/* What the sliced Wasserstein distance consists of. */
#ifndef SWD_PRIVATE_H
#define SWD_PRIVATE_H
#include "ddpm/eval/swd.h"

enum { SWD_AT_ONCE = 8 /* directions of a unit of work */ };

/* Pieces of one channel: how many values, their mean, and their squares about it. */
typedef struct {
    double count, mean, squares;
} swd_moments;

/* The pieces of both sets at one level. */
typedef struct {
    const ddpm_swd_options *options;
    size_t level, levels, pieces, d; /* pieces of a set, and their values */
    size_t set;                      /* the one at hand */
    float *piece[2];                 /* [pieces,D] */
    swd_moments *channel;            /* [C], of the set at hand */
    float *work[3];                  /* an image each */
    float *projected;                /* [pieces,SWD_AT_ONCE] */
    float *sorted[2];                /* [SWD_AT_ONCE,pieces] */
    float *scratch;                  /* [SWD_AT_ONCE,pieces] */
    float *direction, *drawn;        /* [D,SWD_AT_ONCE], [D] */
    double sum;                      /* over directions */
} swd_slicer;

static inline ddpm_shape swd_half(ddpm_shape s)
{
    return (ddpm_shape){ s.n, s.h / 2, s.w / 2, s.c };
}

/* The pieces of a set at s->level, each channel normalised, on every rank. Collective. */
ddpm_status swd_collect(swd_slicer *s, size_t set);
#endif
