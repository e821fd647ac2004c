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
#include <unistd.h>

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
    const ddpm_dataset_info *info = ddpm_dataset_get_info(trainer->data);
    DDPM_TRY(ddpm_model_fit_data(config, info));
    DDPM_TRY(ddpm_config_check(config));
    if (config->eval.every == 0) return DDPM_OK;
    return ddpm_train__evaluator_create(&trainer->evaluator, config, info);
}

/* What is evaluated is the same on all ranks, and had better not be what is trained on. */
static ddpm_status check_evaluator(ddpm_trainer *trainer)
{
    if (!trainer->evaluator) return DDPM_OK;
    const ddpm_dataset_info *training = ddpm_dataset_get_info(trainer->data);
    const ddpm_dataset_info *held_out = ddpm_train__evaluator_data(trainer->evaluator);
    DDPM_TRY(ddpm_comm_require_same(trainer->comm, "eval.data (its content hash)",
                                    held_out->content_hash));
    if (ddpm_comm_rank(trainer->comm) != 0) return DDPM_OK;
    if (strcmp(training->content_hash, held_out->content_hash) == 0)
        ddpm_log_warning("eval.data = %s has the very images that are trained on: what it measures "
                         "is no held-out loss",
                         trainer->config.eval.data);
    if (held_out->is_float && trainer->config.eval.draws > 0 &&
        strcmp(trainer->config.diffusion.process, "flow") != 0)
        ddpm_log_warning("eval.data = %s is not of 8 bits: L_0 of the bound is the likelihood of "
                         "bins of 2/255 all the same",
                         trainer->config.eval.data);
    return DDPM_OK;
}

static void describe_evaluation(const ddpm_trainer *trainer)
{
    if (!trainer->evaluator) return;
    char images[32], every[32];
    const ddpm_config *config = &trainer->config;
    const ddpm_dataset_info *data = ddpm_train__evaluator_data(trainer->evaluator);
    const bool keeps = strcmp(config->eval.metric, "none") != 0;
    ddpm_log_info("eval     every %s steps on %s images of %s%s%s",
                  ddpm_text_count(every, (uint64_t)config->eval.every),
                  ddpm_text_count(images, ddpm_train__evaluator_images(trainer->evaluator)),
                  *data->name ? data->name : config->eval.data, keeps ? "; keeps the best by " : "",
                  keeps ? config->eval.metric : "");
}

static ddpm_status plan(ddpm_trainer *trainer)
{
    ddpm_plan_data data = { .bytes = ddpm_dataset_memory_bytes(trainer->data) };
    if (trainer->evaluator) {
        data.bytes += ddpm_train__evaluator_data_bytes(trainer->evaluator);
        data.held_out_images = ddpm_train__evaluator_data(trainer->evaluator)->shape.n;
    }
    DDPM_TRY(
        ddpm_plan_make(&trainer->plan, &trainer->config, ddpm_comm_size(trainer->comm), &data));
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

/* Where the checkpoint of the best evaluation is gone (a run that fell back behind damaged ones may
 * find it so) the next one is the best. */
static void check_best(ddpm_trainer *trainer)
{
    ddpm_best *best = &trainer->progress.best;
    char path[DDPM_RUN_PATH + 64], name[64];
    if (best->step == 0) return;
    ddpm_checkpoint_file_name(name, sizeof name, best->step);
    snprintf(path, sizeof path, "%s/%s", trainer->dir.checkpoints, name);
    if (access(path, F_OK) == 0) return;
    ddpm_log_warning("%s, the best checkpoint so far, is gone: the next evaluation counts as the "
                     "best",
                     path);
    *best = (ddpm_best){ .step = 0 };
}

/* What rank 0 writes in the run directory. */
static ddpm_status open_outputs(ddpm_trainer *trainer, const char *checkpoint)
{
    if (ddpm_comm_rank(trainer->comm) != 0) return DDPM_OK;
    check_best(trainer);
    const ddpm_writer_source source = { .dir = &trainer->dir,
                                        .best = trainer->progress.best,
                                        .config = &trainer->config,
                                        .params = ddpm_step_params(trainer->step),
                                        .state = ddpm_step_state(trainer->step) };
    trainer->saver = (ddpm_saver){ .attempts = (int)trainer->config.checkpoint.attempts,
                                   .retry_seconds = trainer->config.checkpoint.retry,
                                   .last_step = trainer->progress.step,
                                   .last_evaluated = trainer->progress.evaluated };
    DDPM_TRY(ddpm_train__writer_create(&trainer->saver.writer, &source));
    snprintf(trainer->saver.last, sizeof trainer->saver.last, "%s", checkpoint);
    DDPM_TRY(ddpm_train__run_dir_write_config(&trainer->dir, &trainer->config));
    return ddpm_train__metrics_open(&trainer->metrics, trainer->dir.metrics, trainer->progress.step,
                                    trainer->progress.evaluated);
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
    status = check_evaluator(trainer);
    if (status != DDPM_OK) goto done;
    status = ddpm_comm_agree(comm, plan(trainer));
    if (status != DDPM_OK) goto done;
    status = open_directory(trainer, &resumes, checkpoint, sizeof checkpoint, options);
    if (status != DDPM_OK) goto done;
    ddpm_log_info("run      %s", options->directory);
    ddpm_train__describe(comm, &trainer->config, &trainer->plan, data, trainer->threads);
    describe_evaluation(trainer);
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
    ddpm_train__evaluator_free(trainer->evaluator);
    ddpm_dataset_close(trainer->data);
    ddpm_watchdog_free(trainer->watchdog);
    free(trainer);
}
