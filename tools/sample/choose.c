#include "choose.h"

#include "ddpm/base/text.h"
#include "ddpm/train/model.h"

#include <math.h>
#include <string.h>

static const char *default_sampler(const sample_job *job)
{
    if (job->schedule->is_flow) return "euler";
    return job->mode->noisy ? "ddpm" : "ddim";
}

static ddpm_status choose_steps(sample_job *job, const ddpm_sampler_info *info)
{
    const size_t all = job->schedule->steps, wanted = job->arguments->steps;
    size_t steps = job->mode->default_steps ? job->mode->default_steps : info->default_steps;
    if (steps == 0 || steps > all) steps = all;
    job->options.steps = wanted ? wanted : steps;
    if (wanted <= all) return DDPM_OK;
    return ddpm_fail(DDPM_ECONFIG, "--steps %zu, but %s was trained with diffusion.steps = %zu",
                     wanted, job->source.path, all);
}

static ddpm_status choose_spacing(sample_job *job)
{
    const char *spacing = job->arguments->spacing;
    if (!spacing) return DDPM_OK;
    if (job->schedule->is_flow)
        return ddpm_fail(DDPM_ECONFIG, "--spacing %s: %s is a flow, whose steps are all equal",
                         spacing, job->source.path);
    job->options.spacing = spacing;
    return DDPM_OK;
}

static ddpm_status choose_eta(sample_job *job, const ddpm_sampler_info *info)
{
    const char *eta = job->arguments->eta;
    if (!eta) return DDPM_OK;
    if (!info->takes_eta)
        return ddpm_fail(DDPM_EUSAGE, "--eta is for --sampler ddim, and this is %s", info->name);
    if (ddpm_text_double(&job->options.eta, eta, 0.0, 1.0)) return DDPM_OK;
    return ddpm_fail(DDPM_EUSAGE, "--eta %s: a number from 0 to 1 is needed", eta);
}

/* The model's own, unless a fixed one is asked for: a network that learned none has none to say. */
static ddpm_status choose_variance(sample_job *job, const ddpm_sampler_info *info)
{
    const char *name = job->arguments->variance;
    const ddpm_variance own = job->options.variance;
    if (!name) return DDPM_OK;
    if (!info->takes_variance)
        return ddpm_fail(DDPM_EUSAGE, "--variance is for --sampler ddpm, and this is %s",
                         info->name);
    DDPM_TRY(ddpm_variance_find(&job->options.variance, name));
    if (!ddpm_variance_is_learned(job->options.variance) || job->options.variance == own)
        return DDPM_OK;
    return ddpm_fail(DDPM_ECONFIG,
                     "--variance %s: %s was trained with objective.variance = %s, and can be "
                     "sampled with that, fixedlarge or fixedsmall",
                     name, job->source.path, ddpm_variance_names[own]);
}

static ddpm_status choose_clip(sample_job *job, const ddpm_sampler_info *info)
{
    const char *clip = job->arguments->clip;
    if (!clip) return DDPM_OK;
    for (int i = 0; ddpm_clip_names[i]; i++)
        if (strcmp(clip, ddpm_clip_names[i]) == 0) job->options.clip = (ddpm_clip)i;
    if (job->options.clip != DDPM_CLIP_NONE && !info->takes_eps)
        return ddpm_fail(DDPM_EUSAGE,
                         "--clip %s is for --sampler ddim, euler or heun, which go by the noise; "
                         "%s goes by the image alone",
                         clip, info->name);
    return DDPM_OK;
}

static ddpm_status choose_guidance(sample_job *job)
{
    const char *text = job->arguments->guidance;
    if (!text) return DDPM_OK;
    if (!ddpm_text_double(&job->options.guidance, text, -1e6, 1e6))
        return ddpm_fail(DDPM_EUSAGE, "--guidance %s: a number is needed; 1 is none", text);
    return DDPM_OK;
}

static ddpm_status no_classes(const sample_job *job, const char *option, const char *text)
{
    return ddpm_fail(DDPM_ECONFIG, "%s %s: %s was trained without classes (model.classes = 0)",
                     option, text, job->source.path);
}

/* Of images that go by one on the command line: its label if it has one, or no class. */
static void class_of_inputs(sample_job *job)
{
    int64_t class = job->labels[0];
    for (size_t i = 1; i < job->mode->images; i++)
        if (job->labels[i] != class) class = SAMPLE_NO_CLASS;
    job->classes[0] = class;
    job->options.class_count = 1;
}

static ddpm_status fill_classes(sample_job *job)
{
    const sample_arguments *arguments = job->arguments;
    if (arguments->class) {
        memcpy(job->classes, arguments->classes, sizeof job->classes);
        job->options.class_count = arguments->class_count;
        if (job->mode->one_class && arguments->class_count > 1)
            return ddpm_fail(DDPM_ECONFIG,
                             "--class %s: --%s shows what %s, so its images are of one class: "
                             "name one",
                             arguments->class, job->mode->name, job->mode->one_class);
    } else if (job->mode->images > 0) {
        class_of_inputs(job);
    } else if (job->mode->one_class) {
        job->classes[0] = (int64_t)(job->options.first % job->unet.classes);
        job->options.class_count = 1;
    }
    job->options.class_of_image = job->classes;
    return DDPM_OK;
}

static ddpm_status choose_classes(sample_job *job)
{
    const sample_arguments *arguments = job->arguments;
    const bool guided = job->options.guidance != 1.0;
    const bool knows_none = job->source.config.train.label_dropout > 0.0;
    if (job->unet.classes == 0) {
        if (arguments->class) return no_classes(job, "--class", arguments->class);
        return guided ? no_classes(job, "--guidance", arguments->guidance) : DDPM_OK;
    }
    DDPM_TRY(fill_classes(job));
    size_t none = 0;
    for (size_t i = 0; i < job->options.class_count; i++)
        if (job->classes[i] == SAMPLE_NO_CLASS) {
            job->classes[i] = (int64_t)job->unet.classes;
            none++;
        } else if ((size_t)job->classes[i] >= job->unet.classes) {
            return ddpm_fail(DDPM_ECONFIG, "%s %lld: %s knows classes 0 to %zu%s",
                             arguments->class ? "--class" : "the image's label is",
                             (long long)job->classes[i], job->source.path, job->unet.classes - 1,
                             arguments->class ? "" : "; say --class K or none");
        }
    if (guided && none > 0 && none == job->options.class_count)
        return ddpm_fail(DDPM_ECONFIG,
                         "--guidance %s guides to a class, and there is none: say "
                         "--class K",
                         arguments->guidance);
    if ((guided || none > 0) && !knows_none)
        return ddpm_fail(DDPM_ECONFIG,
                         "%s was trained with train.label_dropout = 0, so it does not know images "
                         "of no class: %s",
                         job->source.path, guided ? "no --guidance" : "say --class K");
    return DDPM_OK;
}

const char *sample_class_text(const sample_job *job)
{
    static char text[SAMPLE_CLASSES * 8];
    const ddpm_sample_options *options = &job->options;
    if (options->class_count == 0) return "each in turn";
    text[0] = '\0';
    for (size_t i = 0; i < options->class_count; i++) {
        const size_t used = strlen(text), left = sizeof text - used;
        const char *comma = i ? "," : "";
        if ((size_t)job->classes[i] == job->unet.classes)
            snprintf(text + used, left, "%snone", comma);
        else
            snprintf(text + used, left, "%s%lld", comma, (long long)job->classes[i]);
    }
    return text;
}

ddpm_status sample_choose(sample_job *job)
{
    const sample_arguments *arguments = job->arguments;
    const char *name = arguments->sampler ? arguments->sampler : default_sampler(job);
    const ddpm_sampler_info *info = ddpm_sampler_find(name);
    ddpm_sample_options_init(&job->options, info->name);
    job->options.seed = arguments->seed;
    job->options.first = arguments->first;
    job->options.batch = arguments->batch ? arguments->batch : DDPM_SAMPLE_BATCH;
    if (job->mode->draw) return DDPM_OK; /* the network has no part in it */
    DDPM_TRY(ddpm_model_sampling(&job->options, &job->source.config, job->schedule));
    DDPM_TRY(choose_steps(job, info));
    DDPM_TRY(choose_spacing(job));
    DDPM_TRY(choose_eta(job, info));
    DDPM_TRY(choose_variance(job, info));
    DDPM_TRY(choose_clip(job, info));
    DDPM_TRY(choose_guidance(job));
    return choose_classes(job);
}
