/** @file base/status.h
 *  Why something failed: a code that is also the program's exit code, and a message.
 *
 *  A status is for what the world does (files, users, memory); a bug of ours is an assert. The
 *  message is written where the error is found and names what, where, why and the remedy. */
#ifndef DDPM_BASE_STATUS_H
#define DDPM_BASE_STATUS_H
#include <assert.h>

#define DDPM_PRINTF(format_index, first) __attribute__((format(printf, format_index, first)))
#define DDPM_NODISCARD                   __attribute__((warn_unused_result))

/** The values are those of <sysexits.h>, so that a program exits with the status it failed with
 *  (docs/errors.md). A larger value is not a worse error. */
typedef enum ddpm_status {
    DDPM_OK = 0,
    DDPM_EUSAGE = 64,    /**< the command line */
    DDPM_EDATA = 65,     /**< bytes were read, and are not what they claim to be; NaN in training */
    DDPM_ENOINPUT = 66,  /**< an input file is missing or unreadable */
    DDPM_EINTERNAL = 70, /**< a bug of ours, or of a library */
    DDPM_EOS = 71,       /**< out of memory, no more threads */
    DDPM_ECREATE = 73,   /**< an output file or directory cannot be created */
    DDPM_EIO = 74,       /**< reading or writing failed midway: disk full, EIO */
    DDPM_EAGAIN = 75,    /**< stopped before the end; run again to go on */
    DDPM_EPERM = 77,     /**< not permitted */
    DDPM_ECONFIG = 78    /**< the configuration, or a configuration against data or checkpoint */
} ddpm_status;

/** Records why (printf style) for this thread, and returns `status`, which is not DDPM_OK. */
#define ddpm_fail(status, ...)                                                                     \
    ddpm_status_of_failure(ddpm_fail_at(__FILE__, __LINE__, (status), __VA_ARGS__))
/** Says, also to the reader of one file alone such as a static analyser, that it failed. */
DDPM_NODISCARD static inline ddpm_status ddpm_status_of_failure(ddpm_status status)
{
    assert(status != DDPM_OK);
    return status;
}
DDPM_PRINTF(4, 5)
DDPM_NODISCARD ddpm_status ddpm_fail_at(const char *file, int line, ddpm_status status,
                                        const char *format, ...);

/** Puts "prefix: " before the message of the failure that is being passed up; returns `status`. */
DDPM_PRINTF(2, 3)
DDPM_NODISCARD ddpm_status ddpm_fail_within(ddpm_status status, const char *format, ...);

/** The message of this thread's last failure; "" if none. Valid until the next failure. */
const char *ddpm_status_message(void);
/** "file:line" of the code that found it, for debug logs. */
const char *ddpm_status_origin(void);
/** "configuration", "input/output", ... for a table or JSON. */
const char *ddpm_status_name(ddpm_status status);

/** Returns early on failure; for functions that own nothing yet. */
#define DDPM_TRY(call)                                                                             \
    do {                                                                                           \
        const ddpm_status try_status = (call);                                                     \
        if (try_status != DDPM_OK) return try_status;                                              \
    } while (0)

#endif
