#include "courier.h"

#include "ddpm/base/clock.h"
#include "ddpm/base/thread.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct ddpm_courier {
    ddpm_exchange *exchange;
    size_t buckets;
    bool threaded;
    pthread_t thread;
    pthread_mutex_t lock; /* for what follows; the exchange is the thread's while `busy` */
    pthread_cond_t changed;
    bool busy;    /* a job is under way */
    bool awaited; /* the main thread waits for its end: no core to be spared */
    bool stop;
    size_t handed;
    ddpm_status failure;
    char message[2048];
    double total, exposed;
};

/* While the backward pass computes, 100 us cost the network nothing and the thread no core. Not
 * even while the main thread waits does it spin: where ranks are more than cores, who yields waits
 * for a whole time slice of another rank, and who sleeps is woken first. */
static void let_time_pass(bool awaited)
{
    static const struct timespec pause = { .tv_nsec = 100000 },
                                 awaited_pause = { .tv_nsec = 10000 };
    nanosleep(awaited ? &awaited_pause : &pause, NULL);
}

static bool is_idle(const ddpm_courier *courier)
{
    return !courier->busy || ddpm_dist__exchange_done(courier->exchange) == courier->handed;
}

/* One attempt to get on; takes and gives back the lock. */
static void work(ddpm_courier *courier)
{
    const uint64_t begin = ddpm_clock_ns();
    const size_t handed = courier->handed;
    const bool awaited = courier->awaited;
    bool progress;
    pthread_mutex_unlock(&courier->lock);
    const ddpm_status status = ddpm_dist__exchange_advance(courier->exchange, handed, &progress);
    if (status == DDPM_OK && !progress) let_time_pass(awaited);
    pthread_mutex_lock(&courier->lock);
    courier->total += ddpm_clock_seconds(begin, ddpm_clock_ns());
    if (status != DDPM_OK) {
        courier->failure = status;
        snprintf(courier->message, sizeof courier->message, "%s", ddpm_status_message());
    }
    if (status != DDPM_OK || ddpm_dist__exchange_done(courier->exchange) == courier->buckets) {
        courier->busy = false;
        pthread_cond_broadcast(&courier->changed);
    }
}

static void *run(void *argument)
{
    ddpm_courier *courier = argument;
    pthread_mutex_lock(&courier->lock);
    while (!courier->stop) {
        if (is_idle(courier))
            pthread_cond_wait(&courier->changed, &courier->lock);
        else
            work(courier);
    }
    pthread_mutex_unlock(&courier->lock);
    return NULL;
}

ddpm_status ddpm_dist__courier_create(ddpm_courier **out, ddpm_exchange *exchange, size_t buckets,
                                      bool threaded)
{
    ddpm_courier *courier = calloc(1, sizeof *courier);
    if (!courier) return ddpm_fail(DDPM_EOS, "no memory for a reducer");
    courier->exchange = exchange;
    courier->buckets = buckets;
    courier->failure = DDPM_OK;
    pthread_mutex_init(&courier->lock, NULL);
    pthread_cond_init(&courier->changed, NULL);
    ddpm_status status = DDPM_OK;
    if (threaded) status = ddpm_thread_start(&courier->thread, run, courier, "communicates");
    courier->threaded = threaded && status == DDPM_OK;
    if (status == DDPM_OK)
        *out = courier;
    else
        ddpm_dist__courier_free(courier);
    return status;
}

void ddpm_dist__courier_free(ddpm_courier *courier)
{
    if (!courier) return;
    if (courier->threaded) {
        pthread_mutex_lock(&courier->lock);
        courier->stop = true;
        pthread_cond_broadcast(&courier->changed);
        pthread_mutex_unlock(&courier->lock);
        pthread_join(courier->thread, NULL);
    }
    pthread_cond_destroy(&courier->changed);
    pthread_mutex_destroy(&courier->lock);
    free(courier);
}

void ddpm_dist__courier_begin(ddpm_courier *courier, float *const *roots, ddpm_job job)
{
    pthread_mutex_lock(&courier->lock);
    assert(!courier->busy);
    ddpm_dist__exchange_begin(courier->exchange, roots, job);
    courier->handed = 0;
    courier->busy = courier->failure == DDPM_OK && courier->buckets > 0;
    pthread_mutex_unlock(&courier->lock);
}

void ddpm_dist__courier_hand(ddpm_courier *courier, size_t count)
{
    pthread_mutex_lock(&courier->lock);
    assert(count >= courier->handed && count <= courier->buckets);
    courier->handed = count;
    pthread_cond_broadcast(&courier->changed);
    pthread_mutex_unlock(&courier->lock);
}

ddpm_status ddpm_dist__courier_finish(ddpm_courier *courier)
{
    const uint64_t begin = ddpm_clock_ns();
    ddpm_dist__courier_hand(courier, courier->buckets);
    pthread_mutex_lock(&courier->lock);
    courier->awaited = true;
    while (courier->busy) {
        if (courier->threaded)
            pthread_cond_wait(&courier->changed, &courier->lock);
        else
            work(courier);
    }
    courier->awaited = false;
    courier->exposed += ddpm_clock_seconds(begin, ddpm_clock_ns());
    const ddpm_status status = courier->failure;
    pthread_mutex_unlock(&courier->lock);
    return status == DDPM_OK ? DDPM_OK : ddpm_fail(status, "%s", courier->message);
}

void ddpm_dist__courier_seconds(const ddpm_courier *courier, double *total, double *exposed)
{
    *total = courier->total;
    *exposed = courier->exposed;
}
