#include "run_lock.h"

#include "ddpm/base/clock.h"
#include "ddpm/base/log.h"
#include "ddpm/base/thread.h"
#include "lock_holder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

enum { PATH_BYTES = 4096 };

/* Six beats may be late: a file server may be away for a while. */
static const ddpm_lock_ways usual = { .beat_ms = 5000, .stale_ms = 30000 };

struct ddpm_run_lock {
    char path[PATH_BYTES];
    ddpm_lock_ways ways;
    int fd; /* flock goes with it */
    ddpm_lock_holder mine;
    bool started;
    pthread_t thread;
    pthread_mutex_t guard; /* for what follows */
    pthread_cond_t changed;
    bool stop, lost;
    ddpm_lock_holder other; /* who has it now, if lost */
};

static void sleep_ms(long ms)
{
    const struct timespec pause = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };
    nanosleep(&pause, NULL);
}

static ddpm_status refuse(const ddpm_run_lock *lock, const ddpm_lock_holder *holder)
{
    const int length = (int)(strrchr(lock->path, '/') - lock->path);
    return ddpm_fail(DDPM_EAGAIN,
                     "%.*s is in use by another job (%s): wait for it, end it, or name another "
                     "directory with --run",
                     length, lock->path,
                     *holder->who ? holder->who : "which did not say who it is");
}

/* The file as it is now: other nodes' changes are to be seen by opening it anew. */
static bool look(ddpm_lock_holder *holder, const ddpm_run_lock *lock)
{
    const int fd = open(lock->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    const bool held = ddpm_train__lock_read(holder, fd);
    close(fd);
    return held;
}

static bool same_beat(const ddpm_lock_holder *a, const ddpm_lock_holder *b)
{
    return strcmp(a->nonce, b->nonce) == 0 && a->beat == b->beat;
}

/* DDPM_EAGAIN once the holder's heart beats, or somebody else takes the lock. */
static ddpm_status watch(const ddpm_run_lock *lock, const ddpm_lock_holder *holder)
{
    ddpm_lock_holder now;
    ddpm_log_info("%s was held by another job (%s); looking for %ld s whether that is still alive",
                  lock->path, holder->who, lock->ways.stale_ms / 1000);
    for (long waited = 0; waited < lock->ways.stale_ms; waited += lock->ways.beat_ms / 2) {
        sleep_ms(lock->ways.beat_ms / 2);
        if (!look(&now, lock)) return DDPM_OK;
        if (!same_beat(&now, holder)) return refuse(lock, &now);
    }
    return DDPM_OK;
}

/* Whether the lock may be taken. */
static ddpm_status examine(const ddpm_run_lock *lock, bool locked)
{
    ddpm_lock_holder holder;
    if (!ddpm_train__lock_read(&holder, lock->fd)) return DDPM_OK;
    if (locked && (ddpm_train__lock_is_here(&holder) || !*holder.nonce)) return DDPM_OK;
    if (!ddpm_train__lock_is_dead(&holder)) DDPM_TRY(watch(lock, &holder));
    ddpm_log_info("%s is stale: %s has ended without letting go", lock->path, holder.who);
    return DDPM_OK;
}

/* Two that came at the same time have both written; the later one stays. */
static ddpm_status settle(const ddpm_run_lock *lock)
{
    ddpm_lock_holder now = { .pid = 0 };
    sleep_ms(2 * lock->ways.beat_ms);
    if (look(&now, lock) && strcmp(now.nonce, lock->mine.nonce) == 0) return DDPM_OK;
    return refuse(lock, &now);
}

/* One beat, unless the lock is somebody else's by now. Without the guard: the file server may take
 * its time, and the training asks between steps. */
static void beat(ddpm_run_lock *lock)
{
    ddpm_lock_holder now;
    pthread_mutex_unlock(&lock->guard);
    const bool lost = look(&now, lock) && strcmp(now.nonce, lock->mine.nonce) != 0;
    if (!lost) {
        lock->mine.beat++;
        if (ddpm_train__lock_write(lock->fd, &lock->mine) != DDPM_OK)
            ddpm_log_debug("%s", ddpm_status_message()); /* others will take the lock for stale */
    }
    pthread_mutex_lock(&lock->guard);
    if (!lost) return;
    lock->lost = true;
    lock->other = now;
}

static void *run(void *argument)
{
    ddpm_run_lock *lock = argument;
    pthread_mutex_lock(&lock->guard);
    while (!lock->stop && !lock->lost) {
        const struct timespec until = ddpm_clock_later((double)lock->ways.beat_ms * 1e-3);
        if (pthread_cond_timedwait(&lock->changed, &lock->guard, &until) == ETIMEDOUT) beat(lock);
    }
    pthread_mutex_unlock(&lock->guard);
    return NULL;
}

static ddpm_status take(ddpm_run_lock *lock)
{
    lock->fd = open(lock->path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (lock->fd < 0)
        return ddpm_fail(DDPM_ECREATE,
                         "%s: %s: the run directory must be writable; name another one with --run",
                         lock->path, strerror(errno));
    bool locked = false;
    if (!lock->ways.no_flock) locked = flock(lock->fd, LOCK_EX | LOCK_NB) == 0;
    if (!locked && !lock->ways.no_flock && errno == EWOULDBLOCK) {
        ddpm_lock_holder holder;
        /* Between its flock and its line the holder needs a moment. */
        for (int i = 0; !ddpm_train__lock_read(&holder, lock->fd) && i < 100; i++) sleep_ms(10);
        return refuse(lock, &holder);
    }
    if (!locked)
        ddpm_log_warning(
            "%s: %s: the file system has no locks; a heartbeat in the file keeps other "
            "jobs out",
            lock->path, lock->ways.no_flock ? "not asked for" : strerror(errno));
    DDPM_TRY(examine(lock, locked));
    ddpm_train__lock_myself(&lock->mine);
    const ddpm_status status = ddpm_train__lock_write(lock->fd, &lock->mine);
    if (!locked) return status == DDPM_OK ? settle(lock) : status;
    if (status != DDPM_OK) ddpm_log_warning("%s", ddpm_status_message());
    return DDPM_OK;
}

ddpm_status ddpm_train__lock_in(ddpm_run_lock **out, const char *directory,
                                const ddpm_lock_ways *ways)
{
    ddpm_run_lock *lock = calloc(1, sizeof *lock);
    if (!lock) return ddpm_fail(DDPM_EOS, "no memory for a lock");
    lock->ways = *ways;
    snprintf(lock->path, sizeof lock->path, "%s/lock", directory);
    pthread_mutex_init(&lock->guard, NULL);
    ddpm_clock_condition(&lock->changed);
    ddpm_status status = take(lock);
    if (status == DDPM_OK)
        status = ddpm_thread_start(&lock->thread, run, lock, "holds the run directory's lock");
    lock->started = status == DDPM_OK;
    if (status == DDPM_OK) {
        *out = lock;
        return DDPM_OK;
    }
    lock->lost = true; /* what is in the file is not ours */
    ddpm_train__unlock(lock);
    return status;
}

ddpm_status ddpm_train__lock(ddpm_run_lock **out, const char *directory)
{
    return ddpm_train__lock_in(out, directory, &usual);
}

ddpm_status ddpm_train__lock_check(ddpm_run_lock *lock)
{
    pthread_mutex_lock(&lock->guard);
    const bool lost = lock->lost;
    pthread_mutex_unlock(&lock->guard);
    if (!lost) return DDPM_OK;
    return ddpm_fail_within(refuse(lock, &lock->other),
                            "this job stood still for so long that it was taken for dead");
}

/* A lock that is let go is empty, so that nobody waits for its heart. */
void ddpm_train__unlock(ddpm_run_lock *lock)
{
    if (!lock) return;
    if (lock->started) {
        pthread_mutex_lock(&lock->guard);
        lock->stop = true;
        pthread_cond_broadcast(&lock->changed);
        pthread_mutex_unlock(&lock->guard);
        pthread_join(lock->thread, NULL);
    }
    if (lock->fd >= 0 && !lock->lost && ftruncate(lock->fd, 0) != 0)
        ddpm_log_debug("%s: %s", lock->path, strerror(errno));
    if (lock->fd >= 0) close(lock->fd);
    pthread_cond_destroy(&lock->changed);
    pthread_mutex_destroy(&lock->guard);
    free(lock);
}
