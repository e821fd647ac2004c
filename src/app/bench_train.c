/* Training steps as they are, on random images that are made before the clock starts. */
#include "bench.h"

#include "ddpm/base/clock.h"
#include "ddpm/base/memory.h"
#include "ddpm/base/philox.h"
#include "ddpm/train/step.h"

#include <assert.h>
#include <stdlib.h>

typedef struct {
    float *x;
    uint64_t *index;
    int64_t *label; /* all 0 */
    size_t micro_batch;
    size_t first, per_step; /* micro-batches of this rank */
    uint64_t batch, taken;  /* images of a step over all ranks; micro-batches so far */
} random_images;

/* With the sample indices of training, by which images get t and eps, and ranks tell theirs apart.
 */
static ddpm_status next_images(ddpm_batch *batch, void *context)
{
    random_images *images = context;
    const uint64_t step = images->taken / images->per_step;
    const uint64_t place = images->first + images->taken % images->per_step;
    const uint64_t first = step * images->batch + place * images->micro_batch;
    for (size_t n = 0; n < images->micro_batch; n++) images->index[n] = first + n;
    images->taken++;
    *batch = (ddpm_batch){ .x = images->x, .sample_index = images->index, .label = images->label };
    return DDPM_OK;
}

static ddpm_status make_images(random_images *images, const ddpm_step *step,
                               const ddpm_config *config, int rank)
{
    const ddpm_unet_config *unet = ddpm_step_unet_config(step);
    const size_t n = (size_t)config->train.micro_batch;
    const size_t floats = n * unet->height * unet->width * unet->in_channels;
    const ddpm_random random = { .seed = (uint64_t)config->train.seed,
                                 .index = (uint64_t)rank,
                                 .purpose = DDPM_RANDOM_DATA };
    images->micro_batch = n;
    images->batch = (uint64_t)config->train.batch;
    ddpm_step_micro_batches(step, &images->first, &images->per_step);
    DDPM_TRY(ddpm_memory_alloc(&images->index, n, sizeof *images->index, DDPM_MEMORY_DATA));
    DDPM_TRY(ddpm_memory_alloc(&images->label, n, sizeof *images->label, DDPM_MEMORY_DATA));
    DDPM_TRY(ddpm_memory_alloc(&images->x, floats, sizeof *images->x, DDPM_MEMORY_DATA));
    ddpm_random_uniform(images->x, floats, &random);
    for (size_t i = 0; i < floats; i++) images->x[i] = 2.0f * images->x[i] - 1.0f;
    return DDPM_OK;
}

/* Of the rank that waited least: the others also waited for the slowest one to compute. */
static ddpm_status add_communication(ddpm_bench_result *result, ddpm_comm *comm,
                                     const ddpm_step *step, const ddpm_reducer_stats *before,
                                     double steps)
{
    enum { TOTAL, EXPOSED, BYTES, VALUES };
    const ddpm_reducer_stats after = ddpm_step_reducer_stats(step);
    const double mine[VALUES] = { after.total_seconds - before->total_seconds,
                                  after.exposed_seconds - before->exposed_seconds,
                                  (double)(after.bytes_sent - before->bytes_sent) };
    const size_t ranks = (size_t)ddpm_comm_size(comm);
    double *all = calloc(ranks, sizeof mine);
    ddpm_status status = all ? DDPM_OK : ddpm_fail(DDPM_EOS, "no memory for the ranks' times");
    status = ddpm_comm_agree(comm, status);
    if (status == DDPM_OK) status = ddpm_comm_allgather_f64(comm, all, mine, VALUES);
    if (status == DDPM_OK && all) {
        const double *least = all;
        for (size_t r = 1; r < ranks; r++)
            if (all[r * VALUES + EXPOSED] < least[EXPOSED]) least = all + r * VALUES;
        result->communicates = true;
        result->communication_seconds = least[TOTAL] / steps;
        result->exposed_seconds = least[EXPOSED] / steps;
        result->sent_bytes = least[BYTES] / steps;
    }
    free(all);
    return status;
}

static ddpm_status time_steps(ddpm_bench_result *result, ddpm_comm *comm, ddpm_step *step,
                              random_images *images, const ddpm_config *config, size_t steps)
{
    const ddpm_step_request request = { .status = DDPM_OK };
    double total = 0.0, best = 0.0;
    ddpm_reducer_stats before = { .bytes_sent = 0 };
    result->phase_count = DDPM_PHASES;
    static_assert((int)DDPM_PHASES <= (int)DDPM_BENCH_PHASES, "every phase of a step has a place");
    for (size_t k = 0; k <= steps; k++) { /* the first one is not counted */
        ddpm_step_result done;
        const uint64_t begin = ddpm_clock_ns();
        DDPM_TRY(ddpm_step_run(step, &done, k, 0, &request, next_images, images));
        const double seconds = ddpm_clock_seconds(begin, ddpm_clock_ns());
        if (k == 0) {
            before = ddpm_step_reducer_stats(step);
            continue;
        }
        total += seconds;
        if (k == 1 || seconds < best) best = seconds;
        for (size_t p = 0; p < DDPM_PHASES; p++)
            result->phase_seconds[p] += done.phase_seconds[p] / (double)steps;
    }
    for (size_t p = 0; p < DDPM_PHASES; p++) result->phase[p] = ddpm_phase_names[p];
    const double batch = (double)config->train.batch;
    result->step_seconds = total / (double)steps;
    result->images_per_second = batch / result->step_seconds;
    result->best_images_per_second = batch / best;
    return add_communication(result, comm, step, &before, (double)steps);
}

ddpm_status ddpm_app__bench_train(ddpm_bench_result *result, ddpm_comm *comm,
                                  const ddpm_config *config, const ddpm_bench_options *options)
{
    ddpm_step *step;
    random_images images = { .x = NULL };
    DDPM_TRY(ddpm_step_create(&step, comm, config));
    ddpm_step_init(step);
    ddpm_status status = make_images(&images, step, config, ddpm_comm_rank(comm));
    status = ddpm_comm_agree(comm, status);
    if (status == DDPM_OK) status = time_steps(result, comm, step, &images, config, options->steps);
    ddpm_memory_free(images.x);
    ddpm_memory_free(images.index);
    ddpm_memory_free(images.label);
    ddpm_step_free(step);
    return status;
}
