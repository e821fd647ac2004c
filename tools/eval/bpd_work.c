#include "bpd.h"

#include "ddpm/base/clock.h"
#include "ddpm/base/log.h"
#include "ddpm/base/memory.h"
#include "ddpm/base/text.h"
#include "ddpm/eval/share.h"
#include "work.h"

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

/* Not one of another number of images: an earlier -n cut its batch. */
static bool is_done(size_t unit, void *context)
{
    const bpd_job *job = context;
    const double *values = ddpm_eval_parts_get(job->parts, unit);
    return values && (size_t)values[0] == images_of(job, unit);
}

static void say_cost(const bpd_job *job, size_t todo)
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
        ddpm_log_info("%zu of %zu parts are done already", job->units - todo, job->units);
    ddpm_log_info("%s evaluations of the network, %d rank%s: about %s", evaluations,
                  ddpm_comm_size(job->comm), ddpm_comm_size(job->comm) == 1 ? "" : "s", time);
}

/* Rank 0 keeps what all come to. */
static ddpm_status keep(size_t unit, const double *values, void *context)
{
    bpd_job *job = context;
    if (!job->parts) return DDPM_OK;
    DDPM_TRY(ddpm_eval_parts_add(job->parts, unit, values));
    return eval_stop_if_asked();
}

ddpm_status bpd_work(bpd_job *job)
{
    uint64_t *todo = NULL;
    size_t count = 0;
    job->options.network = evaluate;
    job->options.network_context = job;
    ddpm_status status = eval_find_work(&todo, &count, job->units, is_done, job, job->comm);
    if (status == DDPM_OK)
        status = ddpm_comm_agree(job->comm, ddpm_unet_freeze(job->unet, job->weights));
    if (status == DDPM_OK) {
        eval_catch_signals();
        if (ddpm_comm_rank(job->comm) == 0) say_cost(job, count);
        status = ddpm_share_work(&(ddpm_share){ .name = "bound",
                                                .units = count,
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
