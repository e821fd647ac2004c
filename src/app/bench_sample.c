/* Sampling steps as they are, with weights that were never trained. One batch a rank takes `steps`
 * steps; images a second are what sample.steps of them would give. */
#include "bench.h"

#include "ddpm/base/clock.h"
#include "ddpm/base/memory.h"
#include "ddpm/train/model.h"
#include "ddpm/train/sample.h"

#include <stdlib.h>

typedef struct {
    uint64_t mark;
    size_t steps; /* seen so far */
    double total, best;
} stopwatch;

static bool lap(size_t done, size_t total, void *context)
{
    (void)total;
    stopwatch *watch = context;
    const uint64_t now = ddpm_clock_ns();
    const double seconds = ddpm_clock_seconds(watch->mark, now);
    watch->mark = now;
    if (done == 1) return true; /* not counted */
    watch->total += seconds;
    if (watch->steps++ == 0 || seconds < watch->best) watch->best = seconds;
    return true;
}

static ddpm_status drop(const float *images, size_t first, size_t count, void *context)
{
    (void)images, (void)first, (void)count, (void)context;
    return DDPM_OK;
}

static ddpm_status draw(ddpm_sampling *sampling, ddpm_comm *comm, size_t batch, uint64_t seed)
{
    const ddpm_params *params = ddpm_sampling_params(sampling);
    const size_t images = (size_t)ddpm_comm_size(comm) * batch;
    float *weights = NULL;
    ddpm_status status = ddpm_memory_alloc(&weights, params->total, sizeof *weights,
                                           DDPM_MEMORY_WEIGHTS);
    status = ddpm_comm_agree(comm, status);
    if (status == DDPM_OK) {
        ddpm_params_init(weights, params, seed);
        status = ddpm_sampling_run(sampling, comm, weights, images, drop, NULL);
    }
    ddpm_memory_free(weights);
    return status;
}

ddpm_status ddpm_app__bench_sample(ddpm_bench_result *result, ddpm_comm *comm,
                                   const ddpm_config *config, const ddpm_bench_options *bench)
{
    stopwatch watch = { .mark = ddpm_clock_ns() };
    ddpm_sample_options options;
    ddpm_sample_options_init(&options, ddpm_model_sampler(config));
    options.steps = bench->steps + 1;
    options.batch = bench->batch;
    options.spacing = "sections"; /* takes any number of steps */
    options.eta = config->sample.eta;
    options.progress = lap;
    options.progress_context = &watch;
    ddpm_unet_config unet;
    ddpm_schedule *schedule = NULL;
    ddpm_sampling *sampling = NULL;
    ddpm_status status = ddpm_model_unet_config(&unet, config);
    if (status == DDPM_OK) status = ddpm_model_schedule(&schedule, config);
    if (status == DDPM_OK) status = ddpm_model_sampling(&options, config, schedule);
    if (status == DDPM_OK) status = ddpm_sampling_create(&sampling, &unet, schedule, &options);
    status = ddpm_comm_agree(comm, status);
    if (status == DDPM_OK)
        status = draw(sampling, comm, bench->batch, (uint64_t)config->train.seed);
    ddpm_sampling_free(sampling);
    ddpm_schedule_free(schedule);
    if (status != DDPM_OK) return status;
    const double images = (double)ddpm_comm_size(comm) * (double)bench->batch;
    const double steps_an_image = (double)config->sample.steps;
    result->step_seconds = watch.total / (double)bench->steps;
    result->images_per_second = images / (result->step_seconds * steps_an_image);
    result->best_images_per_second = images / (watch.best * steps_an_image);
    result->phase_count = 1;
    result->phase[0] = "step";
    result->phase_seconds[0] = result->step_seconds;
    return DDPM_OK;
}
