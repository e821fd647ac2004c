/* Who is late: a pure function of what the ranks said last. */
#ifndef DDPM_DIST_VERDICT_H
#define DDPM_DIST_VERDICT_H
#include "ddpm/dist/watchdog.h"

/* What a rank says of itself, in one message of fixed size. */
typedef enum {
    DDPM_BEAT_NORMAL,
    DDPM_BEAT_LAST, /* this rank leaves; nothing will follow */
    DDPM_BEAT_END   /* the job is being ended */
} ddpm_beat_kind;

typedef struct {
    uint64_t step;
    int32_t kind, place;
    int32_t waits;      /* for others */
    uint32_t steps;     /* taken since the start */
    double idle;        /* seconds since it got on */
    double allowance;   /* that its work may take beyond the limit */
    double micro_batch; /* seconds of its own work; 0: not known */
} ddpm_beat;

typedef struct {
    double silent; /* seconds since that arrived */
    ddpm_beat beat;
} ddpm_watched;

typedef enum {
    DDPM_FAULT_NONE,
    DDPM_FAULT_SILENT, /* not heard of */
    DDPM_FAULT_LATE,   /* work without progress, for which the others wait */
    DDPM_FAULT_ALL     /* all wait: for each other */
} ddpm_fault;

enum { DDPM_VERDICT_NAMED = 4 };

typedef struct {
    ddpm_fault fault;
    size_t count;                       /* ranks that it is about */
    size_t culprit[DDPM_VERDICT_NAMED]; /* the first of them, as indices */
    double seconds;                     /* of the first */
} ddpm_verdict;

typedef struct {
    int32_t rank, pid;
    char host[64];
} ddpm_rank_name;

/* None while any rank that is heard gets on: it waits no longer than `limit`, or works no longer
 * than that and its allowance. A rank is silent from half the limit on: when the others have waited
 * for `limit`, who hung them has been silent for longer. Who has taken its leave waits for those
 * who have not. */
ddpm_verdict ddpm_dist__judge(const ddpm_watched *ranks, size_t count, double limit);
/* That in words; `ranks` and `name` are [count]. `alone`: there are others, of whom nothing is
 * known. */
void ddpm_dist__verdict_text(char *text, size_t size, const ddpm_verdict *verdict,
                             const ddpm_watched *ranks, const ddpm_rank_name *name, size_t count,
                             bool alone);
#endif
