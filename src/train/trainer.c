#include "trainer_internal.h"

#include "ddpm/base/clock.h"
#include "ddpm/base/log.h"
#include "ddpm/base/text.h"
#include "ddpm/train/model.h"
#include "ddpm/train/threads.h"
#include "preflight.h"
#include "restore.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Rank 0 decides, as ranks may differ in their configurations until that is found. */
static ddpm_status start_watchdog(ddpm_trainer *trainer)
{
    const ddpm_watchdog_options options = { .timeout = trainer->config.dist.timeout,
                                            .straggler = trainer->config.dist.straggler };
    bool check = trainer->config.dist.check_collectives;
    DDPM_TRY(ddpm_comm_broadcast(trainer->comm, &check, sizeof check, 0));
    if (check) DDPM_TRY(ddpm_comm_check_collectives(trainer->comm));
    return ddpm_watchdog_create(&trainer->watchdog, trainer->comm, &options);
}

void ddpm_train__at_file(ddpm_trainer *trainer, ddpm_place place)
{
    static const double least_bytes_per_second = 20e6, sync_seconds = 10.0;
    ddpm_watchdog_at(trainer->watchdog, trainer->progress.step, place);
    if (ddpm_comm_rank(trainer->comm) == 0)
        ddpm_watchdog_allow(trainer->watchdog,
                            sync_seconds +
                                (double)trainer->plan.checkpoint_bytes / least_bytes_per_second);
}

/* The run directory, on rank 0; every rank learns whether there is a checkpoint to go on from. */
static ddpm_status open_directory(ddpm_trainer *trainer, bool *resumes, char *checkpoint,
                                  size_t size, const ddpm_trainer_options *options)
{
    ddpm_status status = DDPM_OK;
    ddpm_train__at_file(trainer, DDPM_AT_RESTORE);
    if (ddpm_comm_rank(trainer->comm) == 0)
        status = ddpm_train__run_dir_open(&trainer->dir, checkpoint, size, options->directory,
                                          options->start);
    DDPM_TRY(ddpm_comm_agree(trainer->comm, status));
    *resumes = *checkpoint != 0;
    return ddpm_comm_broadcast(trainer->comm, resumes, sizeof *resumes, 0);
}

static ddpm_status open_data(ddpm_trainer *trainer)
{
    ddpm_config *config = &trainer->config;
    if (!*config->data.path)
        return ddpm_fail(DDPM_ECONFIG, "data.path is not set: name a data set made by ddpm-data");
    DDPM_TRY(ddpm_dataset_open(&trainer->data, config->data.path));
    DDPM_TRY(ddpm_model_fit_data(config, ddpm_dataset_get_info(trainer->data)));
    return ddpm_config_check(config);
}

static ddpm_status plan(ddpm_trainer *trainer)
{
    DDPM_TRY(ddpm_plan_make(&trainer->plan, &trainer->config, ddpm_comm_size(trainer->comm),
                            ddpm_dataset_memory_bytes(trainer->data)));
    return ddpm_plan_check_memory(&trainer->plan, ddpm_comm_node_size(trainer->comm));
}

/* Who and where the run is now; of a resumed run this may change. */
static void describe_progress(ddpm_trainer *trainer)
{
    ddpm_progress *progress = &trainer->progress;
    const ddpm_dataset_info *data = ddpm_dataset_get_info(trainer->data);
    progress->ranks = ddpm_comm_size(trainer->comm);
    progress->threads = trainer->threads;
    snprintf(progress->host, sizeof progress->host, "%s", ddpm_comm_host(trainer->comm));
    snprintf(progress->dataset_hash, sizeof progress->dataset_hash, "%s", data->content_hash);
    snprintf(progress->dataset_name, sizeof progress->dataset_name, "%s", data->name);
    progress->dataset_images = data->shape.n;
}

/* Weights and progress: from the checkpoint, or new. */
static ddpm_status prepare_state(ddpm_trainer *trainer, bool resumes, const char *checkpoint,
                                 const ddpm_trainer_options *options)
{
    if (resumes) {
        const ddpm_restore_options restore = { .path = checkpoint,
                                               .config = &trainer->config,
                                               .data = ddpm_dataset_get_info(trainer->data),
                                               .allow_data_change = options->allow_data_change };
        ddpm_train__at_file(trainer, DDPM_AT_RESTORE);
        DDPM_TRY(ddpm_train__restore(trainer->step, &trainer->progress, trainer->comm, &restore));
        ddpm_log_info("resume   %s, after %" PRIu64 " steps", checkpoint, trainer->progress.step);
    } else {
        ddpm_step_init(trainer->step);
        trainer->progress.loss = (double)NAN;
        snprintf(trainer->progress.run_id, sizeof trainer->progress.run_id, "%s",
                 trainer->dir.run_id);
    }
    describe_progress(trainer);
    return DDPM_OK;
}

/* What rank 0 writes in the run directory. */
static ddpm_status open_outputs(ddpm_trainer *trainer, const char *checkpoint)
{
    if (ddpm_comm_rank(trainer->comm) != 0) return DDPM_OK;
    const ddpm_writer_source source = { .dir = &trainer->dir,
                                        .config = &trainer->config,
                                        .params = ddpm_step_params(trainer->step),
                                        .state = ddpm_step_state(trainer->step) };
    trainer->saver = (ddpm_saver){ .attempts = (int)trainer->config.checkpoint.attempts,
                                   .retry_seconds = trainer->config.checkpoint.retry,
                                   .last_step = trainer->progress.step };
    DDPM_TRY(ddpm_train__writer_create(&trainer->saver.writer, &source));
    snprintf(trainer->saver.last, sizeof trainer->saver.last, "%s", checkpoint);
    DDPM_TRY(ddpm_train__run_dir_write_config(&trainer->dir, &trainer->config));
    return ddpm_train__metrics_open(&trainer->metrics, trainer->dir.metrics,
                                    trainer->progress.step);
}

ddpm_status ddpm_trainer_create(ddpm_trainer **out, ddpm_comm *comm,
                                const ddpm_trainer_options *options)
{
    char checkpoint[DDPM_RUN_PATH + 64] = "";
    bool resumes = false;
    const uint64_t start_ns = ddpm_clock_ns();
    ddpm_trainer *trainer = calloc(1, sizeof *trainer);
    ddpm_status status = trainer ? DDPM_OK : ddpm_fail(DDPM_EOS, "no memory for a training run");
    status = ddpm_comm_agree(comm, status);
    if (status != DDPM_OK) goto done;
    assert(trainer);
    trainer->comm = comm;
    trainer->start_ns = start_ns;
    trainer->config = *options->config;
    status = start_watchdog(trainer);
    if (status != DDPM_OK) goto done;
    status = ddpm_threads_set(&trainer->threads, comm, trainer->config.train.threads);
    if (status != DDPM_OK) goto done;
    status = ddpm_comm_agree(comm, open_data(trainer));
    if (status != DDPM_OK) goto done;
    const ddpm_dataset_info *data = ddpm_dataset_get_info(trainer->data);
    status = ddpm_train__require_same(comm, &trainer->config, data);
    if (status != DDPM_OK) goto done;
    status = ddpm_comm_agree(comm, plan(trainer));
    if (status != DDPM_OK) goto done;
    status = open_directory(trainer, &resumes, checkpoint, sizeof checkpoint, options);
    if (status != DDPM_OK) goto done;
    ddpm_log_info("run      %s", options->directory);
    ddpm_train__describe(comm, &trainer->config, &trainer->plan, data, trainer->threads);
    ddpm_watchdog_at(trainer->watchdog, 0, DDPM_AT_START);
    status = ddpm_step_create(&trainer->step, comm, &trainer->config);
    if (status != DDPM_OK) goto done;
    ddpm_step_watch(trainer->step, trainer->watchdog);
    status = prepare_state(trainer, resumes, checkpoint, options);
    if (status != DDPM_OK) goto done;
    status = ddpm_comm_agree(comm, open_outputs(trainer, checkpoint));
done:
    if (status == DDPM_OK)
        *out = trainer;
    else
        ddpm_trainer_free(trainer);
    return status;
}

void ddpm_trainer_free(ddpm_trainer *trainer)
{
    if (!trainer) return;
    ddpm_train__writer_free(trainer->saver.writer); /* before what it reads from */
    ddpm_train__metrics_close(trainer->metrics);
    ddpm_train__run_dir_close(&trainer->dir);
    ddpm_step_free(trainer->step);
    ddpm_dataset_close(trainer->data);
    ddpm_watchdog_free(trainer->watchdog);
    free(trainer);
}
