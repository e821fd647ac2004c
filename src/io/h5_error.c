#include "h5_private.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static pthread_mutex_t lock;

/* HDF5 as this library uses it. Its clean-up at exit is left out: after a file could not be closed
   (disk full) HDF5 1.10 crashes there, and every file of ours is closed by hand. */
static void start(void)
{
    pthread_mutexattr_t recursive;
    pthread_mutexattr_init(&recursive);
    pthread_mutexattr_settype(&recursive, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&lock, &recursive);
    pthread_mutexattr_destroy(&recursive);
    H5dont_atexit();
    H5open();
    /* A file may name any filter plug-in, and HDF5 would load it as code. */
    H5PLset_loading_state(0);
    ddpm_h5__catch_crashes();
}

ddpm_h5__held ddpm_h5__enter(const ddpm_h5 *file)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, start);
    pthread_mutex_lock(&lock);
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL); /* of this thread */
    return (ddpm_h5__held){ ddpm_h5__blame(file->kind == DDPM_H5_READS ? file->name : NULL) };
}

void ddpm_h5__leave(const ddpm_h5__held *held)
{
    ddpm_h5__blame(held->before);
    pthread_mutex_unlock(&lock);
}

typedef struct {
    char text[256];
    bool system; /* a system call of reading or writing failed */
} reason;

static herr_t take_innermost(unsigned depth, const H5E_error2_t *error, void *context)
{
    if (depth > 0) return 0;
    reason *why = context;
    snprintf(why->text, sizeof why->text, "%s", error->desc ? error->desc : "");
    why->system = error->maj_num == H5E_IO &&
                  (error->min_num == H5E_READERROR || error->min_num == H5E_WRITEERROR);
    return 0;
}

ddpm_status ddpm_h5__fail_at(const char *source, int line, const ddpm_h5 *file, ddpm_status status,
                             const char *format, ...)
{
    char what[DDPM_H5_PATH_BYTES + 256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    reason why = { .text = "" };
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, take_innermost, &why);
    H5Eclear2(H5E_DEFAULT);
    return ddpm_fail_at(source, line, why.system ? DDPM_EIO : status, "%s: %s%s%s%s", file->name,
                        what, *why.text ? " (HDF5: " : "", why.text, *why.text ? ")" : "");
}
