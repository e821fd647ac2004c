#include "ddpm/base/thread.h"

#include <signal.h>
#include <string.h>

ddpm_status ddpm_thread_start(pthread_t *thread, void *(*run)(void *), void *context,
                              const char *what)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int error = pthread_create(thread, NULL, run, context);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!error) return DDPM_OK;
    return ddpm_fail(DDPM_EOS, "cannot start the thread that %s: %s", what, strerror(error));
}
