#include "bpd.h"

#include "ddpm/base/clock.h"
#include "ddpm/base/log.h"
#include "ddpm/base/memory.h"
#include "ddpm/base/text.h"
#include "ddpm/eval/share.h"

#include <signal.h>

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    (void)number;
    interrupted = 1;
}

static void catch_signals(void)
{
    /* A second one ends the program at once. */
    const struct sigaction action = { .sa_handler = on_signal,
                                      .sa_flags = SA_RESTART | (int)SA_RESETHAND };
    static const int signals[] = { SIGINT, SIGTERM, SIGUSR1 };
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        sigaction(signals[i], &action, NULL);
}

static void evaluate(float *output, const float *xt, const float *times, void *context)
{
    const bpd_job *job = context;
    ddpm_unet_forward(job->unet, output, xt, times, job->weights, NULL);
}

/* Images first .. first + batch - 1; past the end of the set the last one again, so that every
 * call has the same size. */
static ddpm_status read_batch(bpd_job *job, uint64_t first)
{
    uint64_t index[DDPM_BPD_BATCH_MOST];
    const uint64_t last = ddpm_dataset_get_info(job->set)->shape.n - 1;
    for (size_t i = 0; i < job->options.batch; i++) index[i] = first + i < last ? first + i : last;
    DDPM_TRY(ddpm_dataset_read(job->set, job->x0, job->labels, index, NULL, job->options.batch));
    if (job->labels) ddpm_unet_set_classes(job->unet, job->labels);
    return DDPM_OK;
}

static size_t images_of(const bpd_job *job, size_t unit)
{
    const size_t first = unit / ddpm_bpd_segments(&job->options) * job->options.batch;
    const size_t left = job->images - first;
    return left < job->options.batch ? left : job->options.batch;
}

static ddpm_status do_unit(double *values, size_t unit, void *context)
{
    bpd_job *job = context;
    const size_t segments = ddpm_bpd_segments(&job->options);
    const uint64_t first = (uint64_t)(unit / segments) * job->options.batch;
    DDPM_TRY(read_batch(job, first));
    ddpm_bpd_unit(values, job->scratch, job->x0, first, images_of(job, unit), unit % segments,
                  &job->options);
    return DDPM_OK;
}

/* Units that are not there, or are of another number of images (an earlier -n cut their batch). */
static ddpm_status find_work(uint64_t **todo, uint64_t *count, bpd_job *job)
{
    ddpm_status status = ddpm_memory_alloc(todo, job->units, sizeof **todo, DDPM_MEMORY_SCRATCH);
    *count = 0;
    for (size_t u = 0; status == DDPM_OK && job->parts && u < job->units; u++) {
        const double *values = ddpm_eval_parts_get(job->parts, u);
        if (!values || (size_t)values[0] != images_of(job, u)) (*todo)[(*count)++] = u;
    }
    status = ddpm_comm_agree(job->comm, status);
    if (status != DDPM_OK) return status;
    DDPM_TRY(ddpm_comm_broadcast(job->comm, count, sizeof *count, 0));
    return ddpm_comm_broadcast(job->comm, *todo, job->units * sizeof **todo, 0);
}

static void say_cost(const bpd_job *job, uint64_t todo)
{
    const ddpm_bpd_options *o = &job->options;
    char evaluations[32], time[32];
    if (todo == 0) {
        ddpm_log_info("all of it is done already, in %s", job->directory);
        return;
    }
    /* Full segments, but for the last of each batch: close enough for an estimate. */
    const double calls = (double)todo * (double)o->strata_count / (double)ddpm_bpd_segments(o);
    float times[DDPM_BPD_BATCH_MOST] = { 0 };
    evaluate(job->scratch, job->x0, times, (void *)job); /* the first packs weights */
    const uint64_t start = ddpm_clock_ns();
    evaluate(job->scratch, job->x0, times, (void *)job);
    const double seconds = ddpm_clock_seconds(start, ddpm_clock_ns());
    ddpm_text_count(evaluations, (uint64_t)(calls * (double)o->batch));
    ddpm_text_seconds(time, calls * seconds / ddpm_comm_size(job->comm));
    ddpm_log_info("bits/dim of %zu images of %s by %s (step %llu, %s): %zu of %zu steps an image",
                  job->images, job->arguments->data, job->source.path,
                  (unsigned long long)job->source.step, job->source.weights, o->strata_count,
                  o->schedule->steps);
    if (todo < job->units)
        ddpm_log_info("%zu of %zu parts are done already", job->units - (size_t)todo, job->units);
    ddpm_log_info("%s evaluations of the network, %d rank%s: about %s", evaluations,
                  ddpm_comm_size(job->comm), ddpm_comm_size(job->comm) == 1 ? "" : "s", time);
}

/* Rank 0 keeps what all come to. */
static ddpm_status keep(size_t unit, const double *values, void *context)
{
    bpd_job *job = context;
    if (!job->parts) return DDPM_OK;
    DDPM_TRY(ddpm_eval_parts_add(job->parts, unit, values));
    if (!interrupted) return DDPM_OK;
    return ddpm_fail(DDPM_EAGAIN, "stopped; the same command goes on from here");
}

ddpm_status bpd_work(bpd_job *job)
{
    uint64_t *todo = NULL, count = 0;
    job->options.network = evaluate;
    job->options.network_context = job;
    ddpm_status status = find_work(&todo, &count, job);
    if (status == DDPM_OK)
        status = ddpm_comm_agree(job->comm, ddpm_unet_freeze(job->unet, job->weights));
    if (status == DDPM_OK) {
        catch_signals();
        if (ddpm_comm_rank(job->comm) == 0) say_cost(job, count);
        status = ddpm_share_work(&(ddpm_share){ .name = "bound",
                                                .units = (size_t)count,
                                                .number = todo,
                                                .values = ddpm_bpd_unit_values(&job->options),
                                                .compute = do_unit,
                                                .take = keep,
                                                .context = job },
                                 job->comm);
    }
    ddpm_memory_free(todo);
    return status;
}
