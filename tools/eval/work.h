/** @file work.h  Evaluations that are stopped and go on. */
#ifndef EVAL_WORK_H
#define EVAL_WORK_H
#include "ddpm/dist/share.h"

/** Whether a unit needs not be done any more. */
typedef bool eval_is_done(size_t unit, void *context);

/** The units, of 0 .. units - 1, that by rank 0 are to be done, on all ranks; *todo by
 *  ddpm_memory_alloc. Collective. */
DDPM_NODISCARD ddpm_status eval_find_work(uint64_t **todo, size_t *count, size_t units,
                                          eval_is_done *is_done, void *context, ddpm_comm *comm);
/** ddpm_share_work that a signal of base/stop.h to any rank stops: DDPM_EAGAIN, once what is done
 * is taken. Collective. */
DDPM_NODISCARD ddpm_status eval_share_work(const ddpm_share *work, ddpm_comm *comm);
#endif
