#include "ddpm/train/model.h"

#include "ddpm/base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const float group_norm_epsilon =
    1e-6f; /* of the official code; frameworks default to 1e-5 */

static bool learns_variance(const ddpm_config *config)
{
    return strncmp(config->objective.variance, "learned", strlen("learned")) == 0;
}

static bool is_flow(const ddpm_config *config)
{
    return strcmp(config->diffusion.process, "flow") == 0;
}

ddpm_status ddpm_model_unet_config(ddpm_unet_config *out, const ddpm_config *config)
{
    if (config->model.image_size == 0 || config->model.image_channels == 0)
        return ddpm_fail(
            DDPM_ECONFIG, "%s is not known: set it, or data.path to a data set that says it",
            config->model.image_size == 0 ? "model.image_size" : "model.image_channels");
    const ddpm_int_list *mult = &config->model.channel_mult;
    const ddpm_int_list *attention = &config->model.attention;
    if (mult->count > DDPM_UNET_LEVELS)
        return ddpm_fail(DDPM_ECONFIG, "model.channel_mult has %zu levels; at most %d are possible",
                         mult->count, DDPM_UNET_LEVELS);
    if (attention->count > DDPM_UNET_LEVELS)
        return ddpm_fail(DDPM_ECONFIG, "model.attention has %zu sizes; at most %d are possible",
                         attention->count, DDPM_UNET_LEVELS);

    *out = (ddpm_unet_config){
        .height = (size_t)config->model.image_size,
        .width = (size_t)(config->model.image_width ? config->model.image_width
                                                    : config->model.image_size),
        .in_channels = (size_t)config->model.image_channels,
        .out_channels = (size_t)config->model.image_channels * (learns_variance(config) ? 2 : 1),
        .channels = (size_t)config->model.channels,
        .classes = (size_t)config->model.classes,
        .levels = mult->count,
        .blocks = (size_t)config->model.blocks,
        .attention_count = attention->count,
        .groups = (size_t)config->model.groups,
        .dropout = (float)config->model.dropout,
        .epsilon = group_norm_epsilon,
        .keep = !config->train.recompute,
        .bf16 = strcmp(config->train.precision, "bf16") == 0,
    };
    for (size_t i = 0; i < mult->count; i++) out->mult[i] = (size_t)mult->at[i];
    for (size_t i = 0; i < attention->count; i++) out->attention[i] = (size_t)attention->at[i];
    return ddpm_unet_check(out);
}

ddpm_status ddpm_model_schedule(ddpm_schedule **out, const ddpm_config *config)
{
    const size_t steps = (size_t)config->diffusion.steps;
    if (is_flow(config)) return ddpm_schedule_flow(out, steps);
    return ddpm_schedule_create(out, config->diffusion.schedule, steps,
                                config->diffusion.beta_start, config->diffusion.beta_end);
}

const char *ddpm_model_sampler(const ddpm_config *config)
{
    if (strcmp(config->sample.sampler, "auto") != 0) return config->sample.sampler;
    return is_flow(config) ? "euler" : "ddim";
}

const char *ddpm_model_prediction(const ddpm_config *config)
{
    if (strcmp(config->objective.prediction, "auto") != 0) return config->objective.prediction;
    return is_flow(config) ? "velocity" : "eps";
}

const char *ddpm_model_objective_text(char *text, size_t size, const ddpm_config *config)
{
    char weights[64] = "", variance[64] = "", classes[96] = "", number[32];
    if (config->objective.min_snr > 0.0)
        snprintf(weights, sizeof weights, ", min-SNR %s",
                 ddpm_text_real(number, config->objective.min_snr));
    if (!is_flow(config))
        snprintf(variance, sizeof variance, ", variance %s", config->objective.variance);
    if (config->model.classes > 0)
        snprintf(classes, sizeof classes, "; %lld classes, %s withheld",
                 (long long)config->model.classes,
                 ddpm_text_real(number, config->train.label_dropout));
    snprintf(text, size, "%s by %s%s%s, timesteps %s%s", ddpm_model_prediction(config),
             config->objective.loss, weights, variance, config->objective.timesteps, classes);
    return text;
}

static bool is_standard(const ddpm_config *config, size_t key)
{
    ddpm_config standard;
    char value[DDPM_CONFIG_PATH], usual[DDPM_CONFIG_PATH];
    ddpm_config_init(&standard);
    return strcmp(ddpm_config_value(config, key, value, sizeof value),
                  ddpm_config_value(&standard, key, usual, sizeof usual)) == 0;
}

const char *ddpm_model_idle_text(char *text, size_t size, const ddpm_config *config)
{
    size_t used = 0;
    *text = '\0';
    for (size_t i = 0; i < ddpm_config_key_count && used < size; i++) {
        const char *name = ddpm_config_keys[i].name;
        if (ddpm_config_has_part(config, name) || is_standard(config, i)) continue;
        used += (size_t)snprintf(text + used, size - used, "%s%s", used ? ", " : "",
                                 ddpm_config_quote(config, name).text);
    }
    if (used > 0 && used < size)
        snprintf(
            text + used, size - used, ": without effect under %s",
            ddpm_config_quote(config, is_flow(config) ? "diffusion.process" : "diffusion.schedule")
                .text);
    return text;
}

ddpm_status ddpm_model_objective(ddpm_objective *out, const ddpm_config *config,
                                 const ddpm_schedule *schedule)
{
    *out = (ddpm_objective){ .min_snr_gamma = config->objective.min_snr, .schedule = schedule };
    DDPM_TRY(ddpm_prediction_find(&out->prediction, ddpm_model_prediction(config)));
    DDPM_TRY(ddpm_loss_find(&out->loss, config->objective.loss));
    DDPM_TRY(ddpm_variance_find(&out->variance, config->objective.variance));
    const ddpm_status status = ddpm_objective_check(out);
    return status == DDPM_OK ? DDPM_OK : ddpm_fail_within(status, "objective");
}

ddpm_status ddpm_model_sampling(ddpm_sample_options *options, const ddpm_config *config,
                                const ddpm_schedule *schedule)
{
    ddpm_objective objective;
    DDPM_TRY(ddpm_model_objective(&objective, config, schedule));
    options->prediction = objective.prediction;
    options->variance = objective.variance;
    if (schedule->is_flow) options->clip = DDPM_CLIP_NONE;
    return DDPM_OK;
}

static ddpm_status check_sampler(const ddpm_config *config, const ddpm_schedule *schedule)
{
    ddpm_sample_options options;
    ddpm_schedule *respaced = NULL;
    ddpm_sample_options_init(&options, ddpm_model_sampler(config));
    DDPM_TRY(ddpm_model_sampling(&options, config, schedule));
    DDPM_TRY(
        ddpm_schedule_space(&respaced, schedule, options.spacing, (size_t)config->sample.steps));
    const ddpm_sampler_options sampler = { .name = options.sampler,
                                           .prediction = options.prediction,
                                           .variance = options.variance,
                                           .trained = schedule };
    const ddpm_status status = ddpm_sampler_check(&sampler, respaced ? respaced : schedule);
    ddpm_schedule_free(respaced);
    return status;
}

/* A grid that could not be drawn would only be missed hours into the run. */
static ddpm_status check_grids(const ddpm_config *config, const ddpm_schedule *schedule)
{
    if (config->sample.every == 0) return DDPM_OK;
    const ddpm_status status = check_sampler(config, schedule);
    if (status != DDPM_OK)
        return ddpm_fail_within(status, "%s, %s", ddpm_config_quote(config, "sample.sampler").text,
                                ddpm_config_quote(config, "sample.steps").text);
    if (config->sample.eta == 0.0 || ddpm_sampler_find(ddpm_model_sampler(config))->takes_eta)
        return DDPM_OK;
    return ddpm_fail(DDPM_ECONFIG, "%s does not go with %s: eta is ddim's; leave it out",
                     ddpm_config_quote(config, "sample.eta").text,
                     ddpm_config_quote(config, "sample.sampler").text);
}

ddpm_status ddpm_model_check(const ddpm_config *config)
{
    ddpm_schedule *schedule = NULL;
    ddpm_objective objective;
    DDPM_TRY(ddpm_model_schedule(&schedule, config));
    ddpm_status status = ddpm_model_objective(&objective, config, schedule);
    if (status == DDPM_OK) status = check_grids(config, schedule);
    ddpm_schedule_free(schedule);
    return status;
}

/* Takes the data's size where the configuration leaves it open (0), or holds it against it. */
static ddpm_status fit(int64_t *value, const char *name, const ddpm_config *config, size_t of_data,
                       const char *what, const ddpm_dataset_info *data)
{
    if (*value == 0) *value = (int64_t)of_data;
    if (*value == (int64_t)of_data) return DDPM_OK;

    return ddpm_fail(DDPM_ECONFIG,
                     "%s, but the images of %s (%s) have %s %zu: leave it out to take what the "
                     "data have, or import them at that size",
                     ddpm_config_quote(config, name).text, config->data.path, data->name, what,
                     of_data);
}

ddpm_status ddpm_model_fit_data(ddpm_config *config, const ddpm_dataset_info *data)
{
    const char *width_key = "model.image_width";
    if (config->model.image_size != 0 && config->model.image_width == 0) { /* square images */
        config->model.image_width = config->model.image_size;
        width_key = "model.image_size";
    }
    DDPM_TRY(
        fit(&config->model.image_size, "model.image_size", config, data->shape.h, "height", data));
    DDPM_TRY(fit(&config->model.image_width, width_key, config, data->shape.w, "width", data));
    DDPM_TRY(fit(&config->model.image_channels, "model.image_channels", config, data->shape.c,
                 "channels", data));
    if (config->model.classes == 0) return DDPM_OK;
    if (!data->has_labels)
        return ddpm_fail(DDPM_ECONFIG,
                         "%s, but the images of %s (%s) have no labels: leave it out, or import "
                         "them with labels",
                         ddpm_config_quote(config, "model.classes").text, config->data.path,
                         data->name);
    if ((uint64_t)config->model.classes < data->classes)
        return ddpm_fail(DDPM_ECONFIG,
                         "%s, but the labels of %s (%s) go up to %zu: it must be at least %zu",
                         ddpm_config_quote(config, "model.classes").text, config->data.path,
                         data->name, data->classes - 1, data->classes);
    return DDPM_OK;
}

/* Every choice of images has its remedy in how they were imported. */
ddpm_status ddpm_model_check_held_out(const ddpm_config *config, const ddpm_dataset_info *held_out,
                                      const ddpm_dataset_info *training)
{
    const ddpm_shape *a = &held_out->shape, *b = &training->shape;
    if (a->h != b->h || a->w != b->w || a->c != b->c || held_out->is_float != training->is_float)
        return ddpm_fail(DDPM_ECONFIG,
                         "eval.data = %s has images of %zux%zux%zu %s, and data.path = %s of "
                         "%zux%zux%zu %s: import both in the same way",
                         config->eval.data, a->h, a->w, a->c,
                         held_out->is_float ? "float32" : "uint8", config->data.path, b->h, b->w,
                         b->c, training->is_float ? "float32" : "uint8");
    if (held_out->range_min != training->range_min || held_out->range_max != training->range_max)
        return ddpm_fail(DDPM_ECONFIG,
                         "eval.data = %s scales %g to %g to [-1,1], and data.path = %s %g to %g: "
                         "import both with the same --range",
                         config->eval.data, (double)held_out->range_min,
                         (double)held_out->range_max, config->data.path,
                         (double)training->range_min, (double)training->range_max);
    if (config->model.classes == 0) return DDPM_OK;
    if (!held_out->has_labels)
        return ddpm_fail(DDPM_ECONFIG, "eval.data = %s has no labels, which model.classes needs",
                         config->eval.data);
    if (held_out->classes > (size_t)config->model.classes)
        return ddpm_fail(DDPM_ECONFIG,
                         "the labels of eval.data = %s go up to %zu, but model.classes = %" PRId64,
                         config->eval.data, held_out->classes - 1, config->model.classes);
    return DDPM_OK;
}
