#include "restore.h"

#include "ddpm/base/log.h"
#include "ddpm/train/model.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* The word for what "auto" stands for. */
static void say_prediction(ddpm_config *config)
{
    if (strcmp(config->objective.prediction, "auto") != 0) return;
    snprintf(config->objective.prediction, sizeof config->objective.prediction, "%s",
             ddpm_model_prediction(config));
}

static int first_difference(const ddpm_config *one, const ddpm_config *other)
{
    ddpm_config a = *one, b = *other;
    say_prediction(&a);
    say_prediction(&b);
    return ddpm_config_first_difference(&a, &b);
}

static ddpm_status check_config(const ddpm_config *theirs, const ddpm_restore_options *options)
{
    const int key = first_difference(options->config, theirs);
    if (key < 0) return DDPM_OK;
    char mine[512], their[512], origin[DDPM_CONFIG_PATH + 32];
    ddpm_config_value(options->config, (size_t)key, mine, sizeof mine);
    ddpm_config_value(theirs, (size_t)key, their, sizeof their);
    ddpm_config_origin(options->config, (size_t)key, origin, sizeof origin);
    return ddpm_fail(DDPM_ECONFIG,
                     "%s = %s (%s), but this run was started with %s = %s (%s): a run keeps it "
                     "from beginning to end; set it back, or begin another run with --run or "
                     "--fresh",
                     ddpm_config_keys[key].name, mine, origin, ddpm_config_keys[key].name, their,
                     options->path);
}

/* A run that began with uniform timesteps, when they were the default, keeps them where nobody says
 * otherwise now. */
static bool keeps_uniform(const ddpm_config *mine, const ddpm_config *theirs)
{
    return strcmp(theirs->objective.timesteps, ddpm_draw_names[DDPM_DRAW_UNIFORM]) == 0 &&
           strcmp(theirs->objective.timesteps, mine->objective.timesteps) != 0 &&
           !ddpm_config_is_set(mine, "objective.timesteps");
}

static void keep_uniform(ddpm_config *mine)
{
    snprintf(mine->objective.timesteps, sizeof mine->objective.timesteps, "%s",
             ddpm_draw_names[DDPM_DRAW_UNIFORM]);
}

static ddpm_status check_data(const ddpm_progress *progress, const ddpm_restore_options *options)
{
    const ddpm_dataset_info *data = options->data;
    if (strcmp(progress->dataset_hash, data->content_hash) == 0) return DDPM_OK;
    if (options->allow_data_change) {
        ddpm_log_warning("%s was trained with another data set (%s, %" PRIu64
                         " images); going on with %s, as --allow-data-change says",
                         options->path, progress->dataset_name, progress->dataset_images,
                         options->config->data.path);
        return DDPM_OK;
    }
    return ddpm_fail(DDPM_ECONFIG,
                     "%s was trained with other data: %s, %" PRIu64
                     " images, %s; %s has %zu images, %s; name the same data set with data.path, "
                     "or allow it with --allow-data-change",
                     options->path, progress->dataset_name, progress->dataset_images,
                     progress->dataset_hash, options->config->data.path, data->shape.n,
                     data->content_hash);
}

static ddpm_status read_state(ddpm_state *state, ddpm_checkpoint *checkpoint,
                              const ddpm_params *params)
{
    DDPM_TRY(ddpm_checkpoint_read(checkpoint, state->weights, params, DDPM_PART_MODEL, 0));
    DDPM_TRY(ddpm_checkpoint_read(checkpoint, state->m, params, DDPM_PART_M, 0));
    DDPM_TRY(ddpm_checkpoint_read(checkpoint, state->v, params, DDPM_PART_V, 0));
    /* ema.rates is the same as in the checkpoint's configuration, in the same order. */
    for (size_t e = 0; e < state->ema_count; e++)
        DDPM_TRY(ddpm_checkpoint_read(checkpoint, state->ema[e], params, DDPM_PART_EMA, e));
    if (state->importance_floats > 0)
        return ddpm_checkpoint_read_importance(checkpoint, state->importance,
                                               state->importance_floats);
    return DDPM_OK;
}

static ddpm_status read_all(ddpm_step *step, ddpm_progress *progress, bool *keeps,
                            const ddpm_restore_options *options)
{
    ddpm_checkpoint *checkpoint;
    DDPM_TRY(ddpm_checkpoint_open(&checkpoint, options->path));
    *progress = *ddpm_checkpoint_progress(checkpoint);
    const ddpm_config *theirs = ddpm_checkpoint_config(checkpoint);
    *keeps = keeps_uniform(options->config, theirs);
    if (*keeps) keep_uniform(options->config);
    ddpm_status status = check_config(theirs, options);
    if (status == DDPM_OK) status = check_data(progress, options);
    if (status == DDPM_OK)
        status = read_state(ddpm_step_state(step), checkpoint, ddpm_step_params(step));
    ddpm_checkpoint_close(checkpoint);
    return status;
}

/* On all ranks what rank 0 found. */
static ddpm_status share_timesteps(ddpm_step *step, bool keeps, ddpm_comm *comm,
                                   const ddpm_restore_options *options)
{
    DDPM_TRY(ddpm_comm_broadcast(comm, &keeps, sizeof keeps, 0));
    if (!keeps) return DDPM_OK;
    keep_uniform(options->config);
    ddpm_step_set_timesteps(step, DDPM_DRAW_UNIFORM);
    ddpm_log_info("resume   objective.timesteps = uniform, as this run began (it is not set, and "
                  "the default is another now)");
    return DDPM_OK;
}

ddpm_status ddpm_train__restore(ddpm_step *step, ddpm_progress *progress, ddpm_comm *comm,
                                const ddpm_restore_options *options)
{
    ddpm_status status = DDPM_OK;
    bool keeps = false;
    if (ddpm_comm_rank(comm) == 0) status = read_all(step, progress, &keeps, options);
    DDPM_TRY(ddpm_comm_agree(comm, status));
    DDPM_TRY(share_timesteps(step, keeps, comm, options));
    DDPM_TRY(ddpm_comm_broadcast(comm, progress, sizeof *progress, 0));
    return ddpm_step_spread(step);
}
