/* HDF5 1.10 checks its own files less than strangers' files need: a hostile one makes it read
 * through wild pointers, divide by zero or recurse without end
 * (docs/decisions/005-hostile-hdf5.md). What the user then gets is a message with the file, and the
 * status of bad data. Nothing else can be done: the library's memory is no longer sound. */
#include "h5_private.h"

#include <signal.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif

static _Thread_local const char *blamed;

#ifdef SANITIZED
void ddpm_h5__catch_crashes(void) {} /* they report better */
static void give_stack(void) {}
#else

static const int signals[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT };
/* Where a handler runs after the stack overflowed; of each thread that reads. */
static void give_stack(void)
{
    enum { BYTES = 1 << 15 };
    static _Thread_local unsigned char stack[BYTES];
    static _Thread_local bool given;
    if (given) return;
    given = true;
    stack_t now;
    if (sigaltstack(NULL, &now) == 0 && now.ss_flags & SS_DISABLE)
        sigaltstack(&(stack_t){ .ss_sp = stack, .ss_size = sizeof stack }, NULL);
}

enum { SIGNALS = sizeof signals / sizeof *signals };
static struct sigaction earlier[SIGNALS];

/* Only what may be called in a signal handler. */
_Noreturn static void tell(const char *name)
{
    char text[] =
        ": HDF5 crashed while it read this file, which is damaged or made to do harm: get it "
        "anew from a source that you trust\n";
    char file[DDPM_H5_PATH_BYTES];
    const size_t bytes = strnlen(name, sizeof file);
    memcpy(file, name, bytes);
    const struct iovec parts[] = { { file, bytes }, { text, sizeof text - 1 } };
    const ssize_t written = writev(STDERR_FILENO, parts, 2);
    (void)written;
    _exit(DDPM_EDATA);
}

static void on_crash(int signal)
{
    if (blamed) tell(blamed);
    /* Not a file's fault: what would have happened without us, as soon as this returns. */
    for (size_t i = 0; i < SIGNALS; i++)
        if (signals[i] == signal) sigaction(signal, &earlier[i], NULL);
    raise(signal);
}

void ddpm_h5__catch_crashes(void)
{
    struct sigaction action = { .sa_handler = on_crash, .sa_flags = SA_ONSTACK };
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < SIGNALS; i++) sigaction(signals[i], &action, &earlier[i]);
}
#endif

const char *ddpm_h5__blame(const char *name)
{
    const char *before = blamed;
    if (name) give_stack();
    blamed = name;
    return before;
}
