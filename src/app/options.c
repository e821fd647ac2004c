#include "app.h"

#include "ddpm/base/log.h"
#include "ddpm/base/text.h"
#include "ddpm/train/model.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct argp_option config_options[] = {
    { "config", 'c', "FILE", 0, "Read the configuration from this INI file", 0 },
    { "set", 's', "SECTION.KEY=VALUE", 0, "Set one key over the file; may be given many times", 0 },
    { 0 },
};

static error_t parse(int key, char *argument, struct argp_state *state)
{
    ddpm_app_options *options = state->input;
    switch (key) {
    case 'c': options->file = argument; return 0;
    case 's': {
        const size_t count = options->assignment_count + 1;
        const char **grown = realloc(options->assignment, count * sizeof *grown);
        if (!grown) return ENOMEM;
        grown[count - 1] = argument;
        options->assignment = grown;
        options->assignment_count = count;
        return 0;
    }
    case ARGP_KEY_ARG: argp_error(state, "unexpected argument '%s'", argument); return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

const struct argp ddpm_app__config_argp = { .options = config_options, .parser = parse };

ddpm_status ddpm_app__load(ddpm_config *config, const ddpm_app_options *options,
                           bool file_is_needed)
{
    ddpm_config_init(config);
    if (options->file)
        DDPM_TRY(ddpm_config_read(config, options->file));
    else if (file_is_needed)
        return ddpm_fail(DDPM_EUSAGE, "no configuration: name an INI file with --config FILE");
    for (size_t i = 0; i < options->assignment_count; i++)
        DDPM_TRY(ddpm_config_set(config, options->assignment[i]));
    DDPM_TRY(ddpm_config_check(config));
    return ddpm_model_check(config);
}

void ddpm_app__options_free(ddpm_app_options *options)
{
    free(options->assignment);
}

int64_t ddpm_app__number(const char *text, int64_t min, int64_t max, const char *what,
                         struct argp_state *state)
{
    int64_t value = 0;
    if (!ddpm_text_int64(&value, text, min, max))
        argp_error(state, "%s: '%s' is no whole number from %lld to %lld", what, text,
                   (long long)min, (long long)max);
    return value;
}

/* The held-out images, where they are there. */
static ddpm_status add_held_out(ddpm_plan_data *data, const ddpm_config *config,
                                const ddpm_dataset_info *training)
{
    ddpm_dataset *set;
    if (config->eval.every == 0 || access(config->eval.data, F_OK) != 0) return DDPM_OK;
    DDPM_TRY(ddpm_dataset_open(&set, config->eval.data));
    const ddpm_dataset_info *info = ddpm_dataset_get_info(set);
    const ddpm_status status = ddpm_model_check_held_out(config, info, training);
    data->bytes += ddpm_dataset_memory_bytes(set);
    data->held_out_images = info->shape.n;
    ddpm_dataset_close(set);
    return status;
}

static ddpm_status fit(ddpm_config *config, ddpm_plan_data *data, const ddpm_dataset *set)
{
    const ddpm_dataset_info *info = ddpm_dataset_get_info(set);
    data->bytes = ddpm_dataset_memory_bytes(set);
    DDPM_TRY(ddpm_model_fit_data(config, info));
    DDPM_TRY(add_held_out(data, config, info));
    return ddpm_config_check(config);
}

ddpm_status ddpm_app__fit_data(ddpm_config *config, ddpm_plan_data *data)
{
    *data = (ddpm_plan_data){ 0 };
    const bool size_is_known = config->model.image_size > 0 && config->model.image_channels > 0;
    if (!*config->data.path || (size_is_known && access(config->data.path, F_OK) != 0))
        return DDPM_OK;
    ddpm_dataset *set;
    DDPM_TRY(ddpm_dataset_open(&set, config->data.path));
    const ddpm_status status = fit(config, data, set);
    ddpm_dataset_close(set);
    return status;
}

int ddpm_app__conclude(ddpm_comm *comm, ddpm_status status)
{
    /* A failure inside MPI may be this rank's alone. */
    const bool speaks = ddpm_comm_rank(comm) == 0 || status == DDPM_EINTERNAL;
    const int code = speaks ? ddpm_log_failure(status) : (int)status;
    ddpm_comm_stop(comm);
    return code;
}

int ddpm_app__conclude_alone(ddpm_status status)
{
    if (status == DDPM_OK) ddpm_command_release();
    return ddpm_log_failure(status);
}
