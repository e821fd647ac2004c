/** @file dist/share.h
 *  Work that the ranks share. It is cut into units whose size and order do not depend on the number
 *  of ranks: unit i is done by rank i % ranks, all ranks do theirs at the same time and then wait
 *  for each other. What units come to is taken in their order, so sums have one order.
 *
 *  Work that may be stopped asks on every rank between rounds whether to go on, so that a stop
 * takes as long as a unit: where that matters, a unit is a call of the network. */
#ifndef DDPM_DIST_SHARE_H
#define DDPM_DIST_SHARE_H
#include "ddpm/dist/comm.h"

typedef struct {
    const char *name; /**< in front of progress on standard error; NULL: none is told */
    size_t units;
    const uint64_t *number; /**< [units]: as what a unit is known to the callbacks; NULL: itself */
    size_t values;          /**< numbers that a unit comes to; 0: it keeps its results elsewhere */
    /** Unit `number` into values, on the rank whose it is. */
    ddpm_status (*compute)(double *values, size_t number, void *context);
    /** Takes what it came to: on every rank, for every unit in order. NULL: nobody asks. */
    ddpm_status (*take)(size_t number, const double *values, void *context);
    /** Asked on every rank before the first round, and in every round but the last after this
     * rank's own unit: false on any rank ends the work on all with DDPM_EAGAIN, once what is done
     * is taken. As ranks wait for each other only then, another round may end as late as twice the
     *  time of a round from here. NULL: nobody asks. */
    bool (*go_on)(void *context);
    void *context;
} ddpm_share;

/** Does all units. The callbacks' failures, agreed upon: the first ends the work on all ranks
 * (where taking failed on one alone, others may have begun a round more). Collective over `comm`;
 * NULL: this process alone. */
DDPM_NODISCARD ddpm_status ddpm_share_work(const ddpm_share *work, ddpm_comm *comm);
/** Numbers that this takes the memory of, on every rank. */
size_t ddpm_share_numbers(size_t values, size_t ranks);
/** A buffer of units of `unit_bytes` (the last may be shorter), each from the rank that did it to
 *  all others. Collective. */
DDPM_NODISCARD ddpm_status ddpm_share_spread(void *buffer, size_t bytes, size_t unit_bytes,
                                             ddpm_comm *comm);

/** ddpm_comm_agree, _rank and _size, of whom NULL is one rank. */
DDPM_NODISCARD ddpm_status ddpm_share_agree(ddpm_status mine, ddpm_comm *comm);
size_t ddpm_share_rank(const ddpm_comm *comm);
size_t ddpm_share_ranks(const ddpm_comm *comm);
#endif
