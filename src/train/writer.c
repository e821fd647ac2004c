#include "writer.h"

#include "ddpm/base/clock.h"
#include "ddpm/base/log.h"
#include "ddpm/base/memory.h"
#include "ddpm/base/thread.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct ddpm_writer {
    ddpm_writer_source source;
    ddpm_state copy; /* the thread's while it is busy, as are progress and copy_seconds */
    ddpm_progress progress;
    double copy_seconds;
    ddpm_best best;       /* whose checkpoint is durable; the thread's while it is busy */
    uint64_t best_before; /* of which the checkpoint before tells: a run may fall back to that */
    bool started;
    pthread_t thread;
    pthread_mutex_t lock; /* for what follows */
    pthread_cond_t changed;
    bool busy, has_written, stop;
    ddpm_written written;
};

/* The best of before goes with the first checkpoint after the one that made it so. */
static void prune(ddpm_writer *writer)
{
    const ddpm_writer_source *source = &writer->source;
    const uint64_t best[] = { writer->best.step, writer->best_before };
    writer->best_before = writer->best.step;
    if (ddpm_checkpoint_prune(source->dir->checkpoints, source->config->checkpoint.keep,
                              source->config->checkpoint.keep_every, best,
                              sizeof best / sizeof *best) != DDPM_OK)
        ddpm_log_warning("old checkpoints stay: %s", ddpm_status_message());
}

static void write_state(ddpm_writer *writer, ddpm_written *written, const ddpm_state *state,
                        const ddpm_progress *progress)
{
    const ddpm_writer_source *source = &writer->source;
    char name[64];
    const uint64_t begin = ddpm_clock_ns();
    ddpm_checkpoint_file_name(name, sizeof name, progress->step);
    snprintf(written->path, sizeof written->path, "%s/%s", source->dir->checkpoints, name);
    ddpm_progress now = *progress;
    ddpm_clock_utc(now.created, sizeof now.created);
    if (now.best.step != now.step) now.best = writer->best;
    written->step = progress->step;
    written->evaluated = progress->evaluated;
    written->status = ddpm_checkpoint_write(written->path, source->config, source->params, state,
                                            &now);
    snprintf(written->message, sizeof written->message, "%s",
             written->status == DDPM_OK ? "" : ddpm_status_message());
    if (written->status == DDPM_OK) {
        writer->best = now.best;
        prune(writer);
    }
    written->seconds = ddpm_clock_seconds(begin, ddpm_clock_ns());
}

static void *run(void *argument)
{
    ddpm_writer *writer = argument;
    pthread_mutex_lock(&writer->lock);
    while (!writer->stop || writer->busy) {
        if (!writer->busy) {
            pthread_cond_wait(&writer->changed, &writer->lock);
            continue;
        }
        pthread_mutex_unlock(&writer->lock);
        ddpm_written written = { .copy_seconds = writer->copy_seconds };
        write_state(writer, &written, &writer->copy, &writer->progress);
        pthread_mutex_lock(&writer->lock);
        writer->written = written;
        writer->has_written = true;
        writer->busy = false;
        pthread_cond_broadcast(&writer->changed);
    }
    pthread_mutex_unlock(&writer->lock);
    return NULL;
}

static ddpm_status allocate_copy(ddpm_writer *writer)
{
    const ddpm_state *state = writer->source.state;
    ddpm_state *copy = &writer->copy;
    const size_t floats = writer->source.params->total, size = sizeof(float);
    const ddpm_memory_kind kind = DDPM_MEMORY_CHECKPOINT;
    copy->ema_count = state->ema_count;
    memcpy(copy->ema_decay, state->ema_decay, sizeof copy->ema_decay);
    DDPM_TRY(ddpm_memory_alloc(&copy->weights, floats, size, kind));
    DDPM_TRY(ddpm_memory_alloc(&copy->m, floats, size, kind));
    DDPM_TRY(ddpm_memory_alloc(&copy->v, floats, size, kind));
    for (size_t e = 0; e < copy->ema_count; e++)
        DDPM_TRY(ddpm_memory_alloc(&copy->ema[e], floats, size, kind));
    copy->importance_floats = state->importance_floats;
    if (copy->importance_floats > 0)
        return ddpm_memory_alloc(&copy->importance, copy->importance_floats, size, kind);
    return DDPM_OK;
}

static void free_copy(ddpm_state *copy)
{
    ddpm_memory_free(copy->weights);
    ddpm_memory_free(copy->m);
    ddpm_memory_free(copy->v);
    for (size_t e = 0; e < DDPM_EMA_MOST; e++) ddpm_memory_free(copy->ema[e]);
    ddpm_memory_free(copy->importance);
}

ddpm_status ddpm_train__writer_create(ddpm_writer **out, const ddpm_writer_source *source)
{
    ddpm_writer *writer = calloc(1, sizeof *writer);
    if (!writer) return ddpm_fail(DDPM_EOS, "no memory for the writer of checkpoints");
    writer->source = *source;
    writer->best = source->best;
    writer->best_before = source->best.step;
    pthread_mutex_init(&writer->lock, NULL);
    ddpm_clock_condition(&writer->changed);
    ddpm_status status = allocate_copy(writer);
    if (status == DDPM_OK)
        status = ddpm_thread_start(&writer->thread, run, writer, "writes checkpoints");
    writer->started = status == DDPM_OK;
    if (status == DDPM_OK)
        *out = writer;
    else
        ddpm_train__writer_free(writer);
    return status;
}

void ddpm_train__writer_free(ddpm_writer *writer)
{
    if (!writer) return;
    if (writer->started) {
        pthread_mutex_lock(&writer->lock);
        writer->stop = true;
        pthread_cond_broadcast(&writer->changed);
        pthread_mutex_unlock(&writer->lock);
        pthread_join(writer->thread, NULL);
    }
    pthread_cond_destroy(&writer->changed);
    pthread_mutex_destroy(&writer->lock);
    free_copy(&writer->copy);
    free(writer);
}

bool ddpm_train__writer_is_busy(ddpm_writer *writer)
{
    pthread_mutex_lock(&writer->lock);
    const bool busy = writer->busy;
    pthread_mutex_unlock(&writer->lock);
    return busy;
}

void ddpm_train__writer_give(ddpm_writer *writer, const ddpm_progress *progress)
{
    assert(!ddpm_train__writer_is_busy(writer));
    const ddpm_state *state = writer->source.state;
    ddpm_state *copy = &writer->copy;
    const size_t bytes = writer->source.params->total * sizeof(float);
    const uint64_t begin = ddpm_clock_ns();
    memcpy(copy->weights, state->weights, bytes);
    memcpy(copy->m, state->m, bytes);
    memcpy(copy->v, state->v, bytes);
    for (size_t e = 0; e < copy->ema_count; e++) memcpy(copy->ema[e], state->ema[e], bytes);
    if (copy->importance)
        memcpy(copy->importance, state->importance, copy->importance_floats * sizeof(float));
    writer->progress = *progress;
    writer->copy_seconds = ddpm_clock_seconds(begin, ddpm_clock_ns());
    pthread_mutex_lock(&writer->lock);
    writer->busy = true;
    pthread_cond_broadcast(&writer->changed);
    pthread_mutex_unlock(&writer->lock);
}

ddpm_best ddpm_train__writer_best(ddpm_writer *writer)
{
    assert(!ddpm_train__writer_is_busy(writer));
    return writer->best;
}

bool ddpm_train__writer_wait(ddpm_writer *writer, double seconds)
{
    const struct timespec until = ddpm_clock_later(seconds);
    int error = 0;
    pthread_mutex_lock(&writer->lock);
    while (writer->busy && !error)
        error = seconds < 0.0 ? pthread_cond_wait(&writer->changed, &writer->lock)
                              : pthread_cond_timedwait(&writer->changed, &writer->lock, &until);
    const bool idle = !writer->busy;
    pthread_mutex_unlock(&writer->lock);
    return idle;
}

bool ddpm_train__writer_take(ddpm_writer *writer, ddpm_written *written)
{
    pthread_mutex_lock(&writer->lock);
    const bool has_written = writer->has_written;
    if (has_written) *written = writer->written;
    writer->has_written = false;
    pthread_mutex_unlock(&writer->lock);
    return has_written;
}

void ddpm_train__writer_write(ddpm_writer *writer, ddpm_written *written,
                              const ddpm_progress *progress)
{
    assert(!ddpm_train__writer_is_busy(writer));
    *written = (ddpm_written){ .step = progress->step };
    write_state(writer, written, writer->source.state, progress);
}
