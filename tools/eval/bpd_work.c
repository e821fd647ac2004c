#include "bpd.h"

#include "ddpm/base/clock.h"
#include "ddpm/base/log.h"
#include "ddpm/base/memory.h"
#include "ddpm/base/text.h"
#include "work.h"

static void evaluate(float *output, const float *xt, const float *times, void *context)
{
    const bpd_job *job = context;
    ddpm_unet_forward(job->unet, output, xt, times, job->weights, NULL);
}

/* A call of the network: batch by batch, in each over the strata. */
typedef struct {
    uint64_t first; /* image */
    size_t count, stratum, unit;
} call;

static call call_at(const bpd_job *job, size_t number)
{
    const ddpm_bpd_options *o = &job->options;
    const size_t batch = number / o->strata_count, left = job->images - batch * o->batch;
    call at = { .first = (uint64_t)batch * o->batch,
                .count = left < o->batch ? left : o->batch,
                .stratum = number % o->strata_count };
    at.unit = batch * ddpm_bpd_segments(o) + ddpm_bpd_segment(at.stratum, o);
    return at;
}

static ddpm_status do_call(double *values, size_t number, void *context)
{
    bpd_job *job = context;
    const call at = call_at(job, number);
    DDPM_TRY(ddpm_dataset_read_batch(job->set, job->x0, job->labels, at.first, job->options.batch));
    if (job->labels) ddpm_unet_set_classes(job->unet, job->labels);
    ddpm_bpd_call(values, job->scratch, job->x0, at.first, at.stratum, &job->options);
    return DDPM_OK;
}

/* Rank 0 puts the calls of a unit together, and keeps it with the last. */
static ddpm_status keep(size_t number, const double *values, void *context)
{
    bpd_job *job = context;
    if (!job->parts) return DDPM_OK;
    const call at = call_at(job, number);
    ddpm_bpd_add(job->unit, values, at.first, at.count, at.stratum, &job->options);
    if (!ddpm_bpd_ends_segment(at.stratum, &job->options)) return DDPM_OK;
    return ddpm_eval_parts_add(job->parts, at.unit, job->unit);
}

/* Not one of another number of images: an earlier -n cut its batch. */
static bool is_done(size_t number, void *context)
{
    const bpd_job *job = context;
    const call at = call_at(job, number);
    const double *values = ddpm_eval_parts_get(job->parts, at.unit);
    return values && (size_t)values[0] == at.count;
}

static void say_cost(const bpd_job *job, size_t todo, size_t calls)
{
    const ddpm_bpd_options *o = &job->options;
    char evaluations[32], time[32];
    if (todo == 0) {
        ddpm_log_info("all of it is done already, in %s", job->directory);
        return;
    }
    float times[DDPM_BPD_BATCH_MOST] = { 0 };
    evaluate(job->scratch, job->x0, times, (void *)job); /* the first packs weights */
    const uint64_t start = ddpm_clock_ns();
    evaluate(job->scratch, job->x0, times, (void *)job);
    const double seconds = ddpm_clock_seconds(start, ddpm_clock_ns());
    ddpm_text_count(evaluations, (uint64_t)todo * o->batch);
    ddpm_text_seconds(time, (double)todo * seconds / ddpm_comm_size(job->comm));
    ddpm_log_info("bits/dim of %zu images of %s by %s (step %llu, %s): %zu of %zu steps an image",
                  job->images, job->arguments->data, job->source.path,
                  (unsigned long long)job->source.step, job->source.weights, o->strata_count,
                  o->schedule->steps);
    if (todo < calls)
        ddpm_log_info("%.1f%% of it is done already",
                      100.0 * (double)(calls - todo) / (double)calls);
    ddpm_log_info("%s evaluations of the network, %d rank%s: about %s", evaluations,
                  ddpm_comm_size(job->comm), ddpm_comm_size(job->comm) == 1 ? "" : "s", time);
}

ddpm_status bpd_work(bpd_job *job)
{
    const size_t calls = job->batches * job->options.strata_count;
    uint64_t *todo = NULL;
    size_t count = 0;
    job->options.network = evaluate;
    job->options.network_context = job;
    ddpm_status status = eval_find_work(&todo, &count, calls, is_done, job, job->comm);
    if (status == DDPM_OK)
        status = ddpm_comm_agree(job->comm, ddpm_unet_freeze(job->unet, job->weights));
    if (status == DDPM_OK) {
        if (ddpm_comm_rank(job->comm) == 0) say_cost(job, count, calls);
        status = eval_share_work(&(ddpm_share){ .name = "bound",
                                                .units = count,
                                                .number = todo,
                                                .values = ddpm_bpd_call_values(&job->options),
                                                .compute = do_call,
                                                .take = keep,
                                                .context = job },
                                 job->comm);
    }
    ddpm_memory_free(todo);
    return status;
}
