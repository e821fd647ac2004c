/** @file base/log.h
 *  What a user reads while a program runs, on standard error. Only rank 0 speaks, except where a
 *  message is about one rank. A live line (progress on a terminal) is rewritten in place and
 *  steps aside for other messages. Thread-safe. */
#ifndef DDPM_BASE_LOG_H
#define DDPM_BASE_LOG_H
#include "ddpm/base/status.h"

#include <stdbool.h>

typedef enum { DDPM_LOG_ERROR, DDPM_LOG_WARNING, DDPM_LOG_INFO, DDPM_LOG_DEBUG } ddpm_log_level;

/** Names the program in front of errors and warnings, and the rank of this process. Messages
 *  above `level` are dropped. Call once before the first message; later calls replace it. */
void ddpm_log_init(const char *program, ddpm_log_level level);
void ddpm_log_set_rank(int rank, int size);

DDPM_PRINTF(1, 2) void ddpm_log_error(const char *format, ...);   /**< every rank speaks */
DDPM_PRINTF(1, 2) void ddpm_log_warning(const char *format, ...); /**< every rank speaks */
DDPM_PRINTF(1, 2) void ddpm_log_info(const char *format, ...);    /**< rank 0 only */
DDPM_PRINTF(1, 2) void ddpm_log_debug(const char *format, ...);   /**< every rank, when asked for */

/** True where rank 0's standard error is a terminal that can rewrite a line. */
bool ddpm_log_is_live(void);
/** Replaces the live line (rank 0, terminal only; else nothing). */
DDPM_PRINTF(1, 2) void ddpm_log_live(const char *format, ...);
/** Leaves the live line where it is and goes on below. */
void ddpm_log_live_end(void);

/** Prints this thread's failure as "program: message" and returns its exit code. */
int ddpm_log_failure(ddpm_status status);
#endif
