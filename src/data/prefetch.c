#include "ddpm/data/prefetch.h"

#include "ddpm/base/clock.h"
#include "ddpm/base/log.h"
#include "ddpm/base/memory.h"
#include "ddpm/base/thread.h"
#include "ddpm/data/order.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A ring of depth + 1 slots: `depth` are read ahead while one is in the hands of the caller.
   Requests made and taken only ever grow; request r lives in slot r % slots. */
struct ddpm_prefetch {
    ddpm_dataset *set;
    ddpm_prefetch_options options;
    size_t slots, image_values;
    float *x;               /* [slots][count][H,W,C] */
    uint64_t *sample_index; /* [slots][count] */
    int64_t *label;         /* [slots][count]; NULL: the set has none */
    uint64_t *image;        /* [count], of the request being read */
    bool *flip;             /* [count] */
    pthread_t thread;
    bool started;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* Under the lock: */
    uint64_t made, taken, released;
    bool stop;
    ddpm_status failure; /* of the request after the last one made */
    char message[1024];
    uint64_t waited_ns; /* of the caller alone */
};

static ddpm_status read_request(ddpm_prefetch *p, uint64_t request)
{
    const ddpm_prefetch_options *o = &p->options;
    const uint64_t step = o->first_step + request / o->per_step, part = request % o->per_step;
    const uint64_t first = step * o->global_batch + o->first + part * o->count;
    const size_t slot = (size_t)(request % p->slots);
    uint64_t *sample = p->sample_index + slot * o->count;
    for (size_t i = 0; i < o->count; i++) {
        sample[i] = first + i;
        p->image[i] = ddpm_order_image(o->seed, sample[i], ddpm_dataset_get_info(p->set)->shape.n);
        p->flip[i] = o->flip && ddpm_order_flip(o->seed, sample[i]);
    }
    return ddpm_dataset_read(p->set, p->x + slot * o->count * p->image_values,
                             p->label ? p->label + slot * o->count : NULL, p->image, p->flip,
                             o->count);
}

static void *run(void *context)
{
    ddpm_prefetch *p = context;
    pthread_mutex_lock(&p->lock);
    while (!p->stop && p->failure == DDPM_OK) {
        if (p->made - p->released == p->slots) {
            pthread_cond_wait(&p->changed, &p->lock);
            continue;
        }
        const uint64_t request = p->made;
        pthread_mutex_unlock(&p->lock);
        const ddpm_status status = read_request(p, request);
        pthread_mutex_lock(&p->lock);
        if (status == DDPM_OK)
            p->made++;
        else {
            p->failure = status;
            snprintf(p->message, sizeof p->message, "%s", ddpm_status_message());
        }
        pthread_cond_broadcast(&p->changed);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

ddpm_status ddpm_prefetch_create(ddpm_prefetch **out, ddpm_dataset *set,
                                 const ddpm_prefetch_options *options)
{
    assert(options->count > 0 && options->per_step > 0 && options->depth > 0);
    ddpm_prefetch *p = calloc(1, sizeof *p);
    if (!p) return ddpm_fail(DDPM_EOS, "out of memory for reading ahead");
    const ddpm_shape shape = ddpm_dataset_get_info(set)->shape;
    p->set = set;
    p->options = *options;
    p->slots = options->depth + 1;
    p->image_values = shape.h * shape.w * shape.c;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->changed, NULL);
    const size_t images = p->slots * options->count;
    ddpm_status status = ddpm_memory_alloc(&p->x, images, p->image_values * sizeof *p->x,
                                           DDPM_MEMORY_DATA);
    if (status == DDPM_OK)
        status = ddpm_memory_alloc(&p->sample_index, images, sizeof *p->sample_index,
                                   DDPM_MEMORY_DATA);
    if (status == DDPM_OK && ddpm_dataset_get_info(set)->has_labels)
        status = ddpm_memory_alloc(&p->label, images, sizeof *p->label, DDPM_MEMORY_DATA);
    if (status != DDPM_OK) goto done;
    p->image = calloc(options->count, sizeof *p->image);
    p->flip = calloc(options->count, sizeof *p->flip);
    if (!p->image || !p->flip) {
        status = ddpm_fail(DDPM_EOS, "out of memory for reading ahead");
        goto done;
    }
    status = ddpm_thread_start(&p->thread, run, p, "reads data");
    p->started = status == DDPM_OK;
done:
    if (status == DDPM_OK) {
        ddpm_log_debug("pid %ld: images at %p, %zu bytes", (long)getpid(), (void *)p->x,
                       images * p->image_values * sizeof *p->x);
        *out = p;
    } else
        ddpm_prefetch_free(p);
    return status;
}

void ddpm_prefetch_free(ddpm_prefetch *p)
{
    if (!p) return;
    if (p->started) {
        pthread_mutex_lock(&p->lock);
        p->stop = true;
        pthread_cond_broadcast(&p->changed);
        pthread_mutex_unlock(&p->lock);
        pthread_join(p->thread, NULL);
    }
    pthread_cond_destroy(&p->changed);
    pthread_mutex_destroy(&p->lock);
    ddpm_memory_free(p->x);
    ddpm_memory_free(p->sample_index);
    ddpm_memory_free(p->label);
    free(p->image);
    free(p->flip);
    free(p);
}

ddpm_status ddpm_prefetch_next(ddpm_prefetch *p, ddpm_batch *batch)
{
    const uint64_t start = ddpm_clock_ns();
    pthread_mutex_lock(&p->lock);
    if (p->released < p->taken) { /* what the caller had until now */
        p->released++;
        pthread_cond_broadcast(&p->changed);
    }
    while (p->made == p->taken && p->failure == DDPM_OK) pthread_cond_wait(&p->changed, &p->lock);
    ddpm_status status = DDPM_OK;
    if (p->made == p->taken)
        status = ddpm_fail(p->failure, "%s", p->message);
    else {
        const size_t first = (size_t)(p->taken++ % p->slots) * p->options.count;
        *batch = (ddpm_batch){ .x = p->x + first * p->image_values,
                               .sample_index = p->sample_index + first,
                               .label = p->label ? p->label + first : NULL };
    }
    pthread_mutex_unlock(&p->lock);
    p->waited_ns += ddpm_clock_ns() - start;
    return status;
}

double ddpm_prefetch_seconds_waited(const ddpm_prefetch *p)
{
    return (double)p->waited_ns * 1e-9;
}
