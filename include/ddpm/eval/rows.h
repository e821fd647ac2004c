/** @file eval/rows.h
 *  What is done of work whose units are large: a binary file of records, one a unit, appended as
 *  they are done, each with a hash over the work's identity and itself (parts.h is the same in text
 *  for units of few numbers). The units stand one behind another in a buffer of the caller's. */
#ifndef DDPM_EVAL_ROWS_H
#define DDPM_EVAL_ROWS_H
#include "ddpm/base/status.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct ddpm_eval_rows ddpm_eval_rows;

/** Opens or begins `path`, and reads into `buffer` [bytes] the units that it has: each is of
 *  `unit_bytes`, the last may be shorter. `identity`: a text in which works that must not be mixed
 *  differ. Records that are damaged are passed over with a warning, one that was being written is
 *  cut off. DDPM_ECONFIG: the file is of another identity; DDPM_EAGAIN: another process writes it;
 *  DDPM_EDATA: it is no such file; DDPM_ECREATE, DDPM_EIO. The buffer must outlive *out, which the
 *  caller owns. */
DDPM_NODISCARD ddpm_status ddpm_eval_rows_open(ddpm_eval_rows **out, const char *path,
                                               const char *identity, void *buffer, size_t bytes,
                                               size_t unit_bytes);
void ddpm_eval_rows_close(ddpm_eval_rows *rows); /**< takes NULL */
/** Whether the unit stands in the buffer. */
bool ddpm_eval_rows_has(const ddpm_eval_rows *rows, size_t unit);
/** Appends what now stands in the buffer as this unit, and waits for the disk. DDPM_EIO. */
DDPM_NODISCARD ddpm_status ddpm_eval_rows_add(ddpm_eval_rows *rows, size_t unit);
#endif
