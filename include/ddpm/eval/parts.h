/** @file eval/parts.h
 *  What is done of an evaluation that takes long: a file of lines, one a unit of work, each with a
 *  hash over the evaluation's identity and itself. A killed evaluation goes on behind the last
 * whole line; what was computed of another checkpoint, data set or setting is never taken up. */
#ifndef DDPM_EVAL_PARTS_H
#define DDPM_EVAL_PARTS_H
#include "ddpm/base/status.h"

#include <stddef.h>

typedef struct ddpm_eval_parts ddpm_eval_parts;

/** Opens or begins `path`. `identity`: a text in which evaluations that must not be mixed differ.
 *  Every unit, of 0 .. units - 1, has `values` > 0 numbers; lines of units beyond are left alone,
 *  those that are damaged are passed over with a warning, one that was being written is cut off.
 *  DDPM_ECONFIG: the file is of another identity; DDPM_EAGAIN: another process writes it;
 *  DDPM_EDATA, DDPM_ECREATE, DDPM_EIO. The caller owns *out. */
DDPM_NODISCARD ddpm_status ddpm_eval_parts_open(ddpm_eval_parts **out, const char *path,
                                                const char *identity, size_t units, size_t values);
void ddpm_eval_parts_close(ddpm_eval_parts *parts); /**< takes NULL */
/** The numbers of a unit, bit for bit as they were added; NULL where it is not done. */
const double *ddpm_eval_parts_get(const ddpm_eval_parts *parts, size_t unit);
/** Appends a line and waits for the disk. DDPM_EIO; DDPM_EDATA: a number is not finite. */
DDPM_NODISCARD ddpm_status ddpm_eval_parts_add(ddpm_eval_parts *parts, size_t unit,
                                               const double *values);
#endif
