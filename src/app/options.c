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

/* Bytes that the held-out images take, where they are there. */
static ddpm_status add_held_out(uint64_t *bytes, const ddpm_config *config)
{
    ddpm_dataset *data;
    if (config->eval.every == 0 || access(config->eval.data, F_OK) != 0) return DDPM_OK;
    DDPM_TRY(ddpm_dataset_open(&data, config->eval.data));
    *bytes += ddpm_dataset_memory_bytes(data);
    ddpm_dataset_close(data);
    return DDPM_OK;
}

ddpm_status ddpm_app__fit_data(ddpm_config *config, uint64_t *bytes)
{
    *bytes = 0;
    const bool size_is_known = config->model.image_size > 0 && config->model.image_channels > 0;
    if (!*config->data.path || (size_is_known && access(config->data.path, F_OK) != 0))
        return DDPM_OK;
    ddpm_dataset *data;
    DDPM_TRY(ddpm_dataset_open(&data, config->data.path));
    const ddpm_status status = ddpm_model_fit_data(config, ddpm_dataset_get_info(data));
    *bytes = ddpm_dataset_memory_bytes(data);
    ddpm_dataset_close(data);
    DDPM_TRY(status);
    DDPM_TRY(add_held_out(bytes, config));
    return ddpm_config_check(config);
}

void ddpm_app__warn_idle(const ddpm_config *config)
{
    char idle[DDPM_MODEL_IDLE_TEXT];
    if (*ddpm_model_idle_text(idle, sizeof idle, config)) ddpm_log_warning("%s", idle);
}

int ddpm_app__conclude(ddpm_comm *comm, ddpm_status status)
{
    /* A failure inside MPI may be this rank's alone. */
    const bool speaks = ddpm_comm_rank(comm) == 0 || status == DDPM_EINTERNAL;
    const int code = speaks ? ddpm_log_failure(status) : (int)status;
    ddpm_comm_stop(comm);
    return code;
}
