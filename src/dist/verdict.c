#include "verdict.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

/* Who has taken its leave says no more. */
static bool is_silent(const ddpm_watched *rank, double limit)
{
    return rank->beat.kind != DDPM_BEAT_LAST && rank->silent > limit / 2.0;
}

static bool gets_on(const ddpm_beat *beat, double limit)
{
    return beat->kind != DDPM_BEAT_LAST &&
           beat->idle <= limit + (beat->waits ? 0.0 : beat->allowance);
}

static void accuse(ddpm_verdict *verdict, ddpm_fault fault, size_t index, double seconds)
{
    if (fault != verdict->fault) *verdict = (ddpm_verdict){ .fault = fault, .seconds = seconds };
    if (verdict->count < DDPM_VERDICT_NAMED) verdict->culprit[verdict->count] = index;
    verdict->count++;
}

ddpm_verdict ddpm_dist__judge(const ddpm_watched *ranks, size_t count, double limit)
{
    ddpm_verdict verdict = { .fault = DDPM_FAULT_NONE };
    size_t last = 0; /* the rank that is farthest behind */
    for (size_t r = 0; r < count; r++) {
        const ddpm_beat *beat = &ranks[r].beat;
        if (!is_silent(&ranks[r], limit) && gets_on(beat, limit))
            return (ddpm_verdict){ .fault = DDPM_FAULT_NONE };
        if (beat->step < ranks[last].beat.step) last = r;
    }
    for (size_t r = 0; r < count; r++)
        if (is_silent(&ranks[r], limit)) accuse(&verdict, DDPM_FAULT_SILENT, r, ranks[r].silent);
    if (verdict.fault != DDPM_FAULT_NONE) return verdict;
    for (size_t r = 0; r < count; r++)
        if (!ranks[r].beat.waits) accuse(&verdict, DDPM_FAULT_LATE, r, ranks[r].beat.idle);
    if (verdict.fault != DDPM_FAULT_NONE || count == 0) return verdict;
    accuse(&verdict, DDPM_FAULT_ALL, last, ranks[last].beat.idle);
    return verdict;
}

typedef struct {
    char *at;
    size_t left;
} writer;

DDPM_PRINTF(2, 3) static void add(writer *w, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const int length = vsnprintf(w->at, w->left, format, arguments);
    va_end(arguments);
    const size_t used = length < 0 ? 0 : (size_t)length < w->left ? (size_t)length : w->left - 1;
    w->at += used;
    w->left -= used;
}

/* "rank 3 (host n2, pid 4711), rank 5 (...) and 7 more" */
static void add_names(writer *w, const ddpm_verdict *verdict, const ddpm_rank_name *name)
{
    for (size_t k = 0; k < verdict->count && k < DDPM_VERDICT_NAMED; k++) {
        const ddpm_rank_name *who = &name[verdict->culprit[k]];
        add(w, "%srank %d (host %s, pid %d)", k ? ", " : "", who->rank, who->host, who->pid);
    }
    if (verdict->count > DDPM_VERDICT_NAMED)
        add(w, " and %zu more", verdict->count - DDPM_VERDICT_NAMED);
}

static void add_place(writer *w, const ddpm_beat *beat)
{
    assert(beat->place >= 0 && beat->place < DDPM_PLACES);
    add(w, "'%s'", ddpm_place_names[beat->place]);
    if (beat->step) add(w, " of step %" PRIu64, beat->step);
}

void ddpm_dist__verdict_text(char *text, size_t size, const ddpm_verdict *verdict,
                             const ddpm_watched *ranks, const ddpm_rank_name *name, size_t count,
                             bool alone)
{
    writer w = { text, size };
    const ddpm_beat *beat = &ranks[verdict->culprit[0]].beat;
    const bool many = verdict->count > 1;
    text[0] = '\0';
    switch (verdict->fault) {
    case DDPM_FAULT_NONE: return;
    case DDPM_FAULT_SILENT:
        add_names(&w, verdict, name);
        add(&w, " %s not been heard of for %.0f s: stopped, or node or network are gone; %s in ",
            many ? "have" : "has", verdict->seconds, many ? "the first was last" : "last");
        add_place(&w, beat);
        return;
    case DDPM_FAULT_LATE:
        add_names(&w, verdict, name);
        add(&w, " %s at ", many ? "are" : "is");
        add_place(&w, beat);
        add(&w, " without progress for %.0f s", verdict->seconds);
        if (verdict->count < count) add(&w, "; all others wait");
        return;
    case DDPM_FAULT_ALL:
        if (!alone) add(&w, "all ranks have waited for each other for %.0f s, ", verdict->seconds);
        add_names(&w, verdict, name);
        if (!alone)
            add(&w, " farthest behind, at ");
        else
            add(&w, " has waited for other ranks for %.0f s, at ", verdict->seconds);
        add_place(&w, beat);
        if (!alone) add(&w, ": suspect the network between them");
        return;
    }
}
