/* Grids of samples in the course of a run. */
#include "trainer_internal.h"

#include "ddpm/base/log.h"
#include "ddpm/train/model.h"
#include "ddpm/train/sample.h"

#include <inttypes.h>

static bool may_go_on(size_t done, size_t total, void *context)
{
    (void)done, (void)total;
    return ddpm_train__may_go_on(context);
}

/* A grid of samples by the first of the averages. The images of a grid begin with the same noise
 * every time, so that grids of one run can be compared. */
static ddpm_status write_grid(ddpm_trainer *trainer, const char *path)
{
    const ddpm_config *config = &trainer->config;
    ddpm_sample_options options;
    ddpm_sample_options_init(&options, ddpm_model_sampler(config));
    options.steps = (size_t)config->sample.steps;
    options.eta = config->sample.eta;
    options.seed = (uint64_t)config->train.seed;
    options.progress = may_go_on;
    options.progress_context = trainer;
    options.together = true;
    ddpm_schedule *schedule = NULL;
    ddpm_sampling *sampling = NULL;
    ddpm_status status = ddpm_model_schedule(&schedule, config);
    if (status == DDPM_OK) status = ddpm_model_sampling(&options, config, schedule);
    if (status == DDPM_OK)
        status = ddpm_sampling_create(&sampling, ddpm_step_unet_config(trainer->step), schedule,
                                      &options);
    if (status == DDPM_OK && !ddpm_train__may_go_on(trainer))
        status = ddpm_fail(DDPM_EAGAIN, "no time is left for a grid");
    status = ddpm_comm_agree(trainer->comm, status);
    const float *average = NULL;
    if (status == DDPM_OK) status = ddpm_step_average(&average, trainer->step, 0);
    if (status == DDPM_OK)
        status = ddpm_sampling_write_grid(sampling, trainer->comm, average,
                                          (size_t)config->sample.count, path);
    ddpm_sampling_free(sampling);
    ddpm_schedule_free(schedule);
    return status;
}

ddpm_status ddpm_train__draw_grid(ddpm_trainer *trainer, bool *stopped)
{
    char path[DDPM_RUN_PATH + 64];
    snprintf(path, sizeof path, "%s/step-%09" PRIu64 ".png", trainer->dir.samples,
             trainer->progress.step);
    ddpm_watchdog_at(trainer->watchdog, trainer->progress.step, DDPM_AT_GRID);
    ddpm_train__begin_calls(trainer);
    const ddpm_status status = write_grid(trainer, path);
    if (status == DDPM_OK) {
        if (ddpm_comm_rank(trainer->comm) == 0) ddpm_log_info("samples  %s", path);
        return DDPM_OK;
    }
    *stopped = status == DDPM_EAGAIN;
    if (status == DDPM_EINTERNAL || *stopped) return *stopped ? DDPM_OK : status;
    if (ddpm_comm_rank(trainer->comm) == 0)
        ddpm_log_warning("no grid of samples: %s", ddpm_status_message());
    return DDPM_OK;
}
