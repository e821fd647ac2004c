/* What of a training objective goes together. The rules of ddpm_objective_check, and those of
 * everything around it, said in the words of the configuration: a test holds the two against each
 * other. */
#include "config_internal.h"

#include <string.h>

static ddpm_status clash(const ddpm_config *config, const char *one, const char *other,
                         const char *why)
{
    return ddpm_fail(DDPM_ECONFIG, "%s does not go with %s: %s",
                     ddpm_config_quote(config, one).text, ddpm_config_quote(config, other).text,
                     why);
}

static bool is(const char *value, const char *word)
{
    return strcmp(value, word) == 0;
}

static bool learns_variance(const ddpm_config *config)
{
    return is(config->objective.variance, "learned") ||
           is(config->objective.variance, "learned_range");
}

static ddpm_status check_flow(const ddpm_config *config)
{
    const char *prediction = config->objective.prediction;
    if (!is(prediction, "auto") && !is(prediction, "velocity"))
        return clash(config, "objective.prediction", "diffusion.process",
                     "what a flow has is a velocity; take that, or auto");
    if (!is(config->objective.loss, "mse"))
        return clash(config, "objective.loss", "diffusion.process",
                     "the bound is that of a diffusion, and a flow is trained by mse");
    if (learns_variance(config))
        return clash(config, "objective.variance", "diffusion.process",
                     "a flow has no variance to learn; leave it out");
    if (is(config->objective.timesteps, "importance"))
        return clash(config, "objective.timesteps", "diffusion.process",
                     "it keeps losses of the timesteps of a diffusion; a flow takes stratified, "
                     "uniform or logit_normal");
    return DDPM_OK;
}

static ddpm_status check_diffusion(const ddpm_config *config)
{
    if (is(config->objective.prediction, "velocity"))
        return clash(config, "objective.prediction", "diffusion.process",
                     "a velocity is that of a flow; take eps, x0, xprev or v, or "
                     "diffusion.process = flow");
    if (is(config->objective.timesteps, "logit_normal"))
        return clash(config, "objective.timesteps", "diffusion.process",
                     "its times are those of a flow; take stratified, uniform or importance, or "
                     "diffusion.process = flow");
    return DDPM_OK;
}

static ddpm_status check_loss(const ddpm_config *config)
{
    const char *loss = config->objective.loss;
    if (learns_variance(config) && is(loss, "mse"))
        return clash(config, "objective.variance", "objective.loss",
                     "mse does not train what the network says of the variance; take loss hybrid "
                     "or kl, or a fixed variance");
    if (!learns_variance(config) && is(loss, "hybrid"))
        return clash(config, "objective.loss", "objective.variance",
                     "hybrid is mse, and the bound for a variance that is learned; take "
                     "learned_range, or loss mse");
    if (config->objective.min_snr > 0.0 && is(loss, "kl"))
        return clash(config, "objective.min_snr", "objective.loss",
                     "the bound has weights of its own; leave min_snr out, or take loss mse or "
                     "hybrid");
    return DDPM_OK;
}

static ddpm_status check_classes(const ddpm_config *config)
{
    ddpm_config standard;
    ddpm_config_init(&standard);
    const double dropout = config->train.label_dropout;
    if (config->model.classes == 0 && dropout > 0.0 && dropout != standard.train.label_dropout)
        return clash(config, "train.label_dropout", "model.classes",
                     "there is no class to withhold; set model.classes, or leave it out");
    if (config->model.classes > 0 && dropout == 1.0)
        return clash(config, "train.label_dropout", "model.classes",
                     "the network would never be told a class; 0.1 is usual");
    return DDPM_OK;
}

ddpm_status ddpm_base__check_objective(const ddpm_config *config)
{
    const bool flows = is(config->diffusion.process, "flow");
    DDPM_TRY(flows ? check_flow(config) : check_diffusion(config));
    DDPM_TRY(check_loss(config));
    return check_classes(config);
}
