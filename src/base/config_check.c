/* Contradictions between configuration keys, each of which is fine by itself. */
#include "config_internal.h"

#include <inttypes.h>
#include <string.h>

#define QUOTE(name) ddpm_config_quote(config, (name)).text

static ddpm_status check_train(const ddpm_config *config)
{
    if (config->train.batch % config->train.micro_batch != 0)
        return ddpm_fail(DDPM_ECONFIG, "%s is not a multiple of %s", QUOTE("train.batch"),
                         QUOTE("train.micro_batch"));
    if (config->ema.rates.count == 0)
        return ddpm_fail(DDPM_ECONFIG,
                         "%s is empty: at least one rate is needed (0 copies the "
                         "weights)",
                         QUOTE("ema.rates"));
    for (size_t i = 0; i < config->ema.rates.count; i++)
        for (size_t k = 0; k < i; k++)
            if (config->ema.rates.at[i] == config->ema.rates.at[k])
                return ddpm_fail(DDPM_ECONFIG, "%s names a rate twice", QUOTE("ema.rates"));
    return DDPM_OK;
}

static ddpm_status check_model(const ddpm_config *config)
{
    const ddpm_int_list *mult = &config->model.channel_mult, *heights = &config->model.attention;
    if (mult->count == 0)
        return ddpm_fail(DDPM_ECONFIG, "%s is empty: the network needs at least one level",
                         QUOTE("model.channel_mult"));
    for (size_t level = 0; level < mult->count; level++)
        if (config->model.channels * mult->at[level] % config->model.groups != 0)
            return ddpm_fail(DDPM_ECONFIG, "%s times %s is not divisible by %s at level %zu",
                             QUOTE("model.channels"), QUOTE("model.channel_mult"),
                             QUOTE("model.groups"), level);
    const int64_t size = config->model.image_size, width = config->model.image_width;
    if (size == 0 && width != 0)
        return ddpm_fail(DDPM_ECONFIG, "%s needs model.image_size", QUOTE("model.image_width"));
    if (size == 0) return DDPM_OK; /* the data will tell */
    const int64_t halvings = (int64_t)1 << (mult->count - 1);
    if (size % halvings != 0 || width % halvings != 0)
        return ddpm_fail(DDPM_ECONFIG,
                         "%s and %s must be multiples of %" PRId64 ", since %s has %zu levels",
                         QUOTE("model.image_size"), QUOTE("model.image_width"), halvings,
                         QUOTE("model.channel_mult"), mult->count);
    for (size_t i = 0; i < heights->count; i++) {
        bool found = false;
        for (size_t level = 0; level < mult->count; level++)
            found = found || heights->at[i] == size >> level;
        if (!found)
            return ddpm_fail(DDPM_ECONFIG,
                             "%s: no level has the height %" PRId64 "; they are %s divided by 1 "
                             "to %" PRId64,
                             QUOTE("model.attention"), heights->at[i], QUOTE("model.image_size"),
                             halvings);
    }
    return DDPM_OK;
}

static ddpm_status check_eval(const ddpm_config *config)
{
    if (config->eval.every == 0) return DDPM_OK;
    const bool by_bound = strcmp(config->eval.metric, "bpd") == 0;
    if (!*config->eval.data)
        return ddpm_fail(DDPM_ECONFIG,
                         "%s needs eval.data: name a data set of images that are not trained on",
                         QUOTE("eval.every"));
    if (config->eval.draws == 1 && config->diffusion.steps > 1)
        return ddpm_fail(DDPM_ECONFIG, "%s: the first is t = 0; at least 2 are needed, or 0",
                         QUOTE("eval.draws"));
    if (by_bound && strcmp(config->diffusion.process, "flow") == 0)
        return ddpm_fail(DDPM_ECONFIG,
                         "%s, but %s: a flow has no variational bound, so no bits a dimension by "
                         "it; eval.metric = loss is possible",
                         QUOTE("eval.metric"), QUOTE("diffusion.process"));
    if (by_bound && config->eval.draws == 0)
        return ddpm_fail(DDPM_ECONFIG, "%s, but %s: bits a dimension are not computed then",
                         QUOTE("eval.metric"), QUOTE("eval.draws"));
    return DDPM_OK;
}

ddpm_status ddpm_config_check(const ddpm_config *config)
{
    DDPM_TRY(check_train(config));
    DDPM_TRY(check_model(config));
    DDPM_TRY(ddpm_base__check_objective(config));
    if (config->diffusion.beta_start > config->diffusion.beta_end &&
        ddpm_config_has_part(config, "diffusion.beta_start") &&
        ddpm_config_has_part(config, "diffusion.beta_end"))
        return ddpm_fail(DDPM_ECONFIG, "%s is larger than %s", QUOTE("diffusion.beta_start"),
                         QUOTE("diffusion.beta_end"));
    if (config->sample.every > 0 && config->sample.steps > config->diffusion.steps)
        return ddpm_fail(DDPM_ECONFIG, "%s is more than %s", QUOTE("sample.steps"),
                         QUOTE("diffusion.steps"));
    return check_eval(config);
}
