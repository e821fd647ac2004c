#include "bpd.h"

#include "ddpm/base/log.h"
#include "ddpm/base/memory.h"
#include "ddpm/train/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    OPTION_WEIGHTS = 256,
    OPTION_STEPS,
    OPTION_DRAWS,
    OPTION_SEED,
    OPTION_BATCH,
    OPTION_VARIANCE,
    OPTION_NO_CLIP,
    OPTION_BEST
};

static const struct argp_option options[] = {
    { "count", 'n', "N", 0, "The first N images; default 1000, or all of a smaller set", 0 },
    { "best", OPTION_BEST, NULL, 0, "Not a run's newest checkpoint, but its best (eval.metric)",
      0 },
    { "weights", OPTION_WEIGHTS, "WHICH", 0,
      "ema (default: the first of the run's averages), ema:RATE, or raw", 0 },
    { "steps", OPTION_STEPS, "S", 0, "Judge the model as respaced to S steps; default: its own",
      0 },
    { "draws", OPTION_DRAWS, "K", 0,
      "Evaluations an image, at timesteps drawn from K strata: unbiased; default 20, 'all' for "
      "every "
      "step, and all with --steps",
      0 },
    { "variance", OPTION_VARIANCE, "NAME", 0,
      "fixedlarge or fixedsmall, of a model that learned none; default: the configuration's", 0 },
    { "no-clip", OPTION_NO_CLIP, NULL, 0, "Do not clip the predicted image to [-1,1]", 0 },
    { "seed", OPTION_SEED, "SEED", 0, "Of noise and timesteps; default 0", 0 },
    { "batch", OPTION_BATCH, "B", 0, "Images a call of the network; default 8", 0 },
    { 0 },
};
static const char help[] =
    "Bits a dimension of a data set's images by the variational bound, term by term, and the "
    "rate-distortion curve.\v"
    "CKPT is a checkpoint, or a run directory: then its newest checkpoint that verifies. Under "
    "mpirun "
    "all ranks work, and the result is the same to the last bit. What is done is kept in DIR "
    "(default: eval/ in the run directory): the same command goes on with it.";

static error_t parse(int key, char *text, struct argp_state *state)
{
    bpd_arguments *to = state->input;
    switch (key) {
    case 'n': to->images = (size_t)eval_number(text, 1, 100000000, "-n", state); return 0;
    case OPTION_BEST: to->best = true; return 0;
    case OPTION_WEIGHTS: to->weights = text; return 0;
    case OPTION_VARIANCE: to->variance = text; return 0;
    case OPTION_NO_CLIP: to->no_clip = true; return 0;
    case OPTION_STEPS:
        to->steps = (size_t)eval_number(text, 1, 1 << 24, "--steps", state);
        return 0;
    case OPTION_DRAWS:
        to->draws_said = true;
        to->draws = strcmp(text, "all") == 0
                        ? 0
                        : (size_t)eval_number(text, 1, 1 << 24, "--draws", state);
        return 0;
    case OPTION_SEED: to->seed = eval_seed(text, state); return 0;
    case OPTION_BATCH:
        to->batch = (size_t)eval_number(text, 1, DDPM_BPD_BATCH_MOST, "--batch", state);
        return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num > 1)
            argp_error(state, "a checkpoint and a data set: %s is one too many", text);
        *(state->arg_num == 0 ? &to->checkpoint : &to->data) = text;
        return 0;
    case ARGP_KEY_END:
        if (!to->data) argp_error(state, "a checkpoint and a data set are needed");
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static ddpm_status choose_variance(bpd_job *job, const ddpm_objective *objective)
{
    const char *wanted = job->arguments->variance;
    job->options.variance = objective->variance;
    if (!wanted) return DDPM_OK;
    DDPM_TRY(ddpm_variance_find(&job->options.variance, wanted));
    if (job->options.variance == objective->variance) return DDPM_OK;
    if (ddpm_variance_is_learned(job->options.variance) ||
        ddpm_variance_is_learned(objective->variance))
        return ddpm_fail(DDPM_ECONFIG, "--variance %s: this model was trained with %s", wanted,
                         ddpm_variance_names[objective->variance]);
    return DDPM_OK;
}

static void name_job(bpd_job *job)
{
    const ddpm_bpd_options *o = &job->options;
    snprintf(job->identity, sizeof job->identity,
             "bpd 2\ncheckpoint sha256:%s\nweights %s\ndata %s\nsteps %zu\nevaluations %zu\n"
             "variance %s\nclip %d\nseed %llu\nbatch %zu",
             job->source.digest, job->source.weights, ddpm_dataset_get_info(job->set)->content_hash,
             o->schedule->steps, o->strata_count, ddpm_variance_names[o->variance], o->clip,
             (unsigned long long)o->seed, o->batch);
    eval_key(job->key, job->identity);
}

static ddpm_status build_bound(bpd_job *job)
{
    const bpd_arguments *arguments = job->arguments;
    ddpm_objective objective;
    DDPM_TRY(ddpm_model_schedule(&job->full, &job->source.config));
    DDPM_TRY(ddpm_model_objective(&objective, &job->source.config, job->full));
    if (arguments->steps > job->full->steps)
        return ddpm_fail(DDPM_ECONFIG, "--steps %zu, but %s was trained with diffusion.steps = %zu",
                         arguments->steps, job->source.path, job->full->steps);
    if (!job->full->is_flow)
        DDPM_TRY(ddpm_schedule_space(&job->respaced, job->full, "sections", arguments->steps));
    job->options = (ddpm_bpd_options){ .schedule = job->respaced ? job->respaced : job->full,
                                       .trained = job->full,
                                       .prediction = objective.prediction,
                                       .clip = !arguments->no_clip,
                                       .seed = arguments->seed,
                                       .batch = arguments->batch };
    DDPM_TRY(choose_variance(job, &objective));
    DDPM_TRY(ddpm_bpd_check(&job->options));
    const size_t steps = job->options.schedule->steps;
    size_t draws = arguments->draws;
    if (!arguments->draws_said) draws = arguments->steps || steps < BPD_DRAWS ? 0 : BPD_DRAWS;
    DDPM_TRY(ddpm_bpd_strata(&job->strata, &job->options.strata_count, steps, draws));
    job->options.strata = job->strata;
    return DDPM_OK;
}

static ddpm_status open_data(bpd_job *job)
{
    const bpd_arguments *arguments = job->arguments;
    DDPM_TRY(ddpm_dataset_open(&job->set, arguments->data));
    const ddpm_dataset_info *info = ddpm_dataset_get_info(job->set);
    snprintf(job->source.config.data.path, sizeof job->source.config.data.path, "%s",
             arguments->data);
    DDPM_TRY(ddpm_model_fit_data(&job->source.config, info));
    const size_t there = info->shape.n;
    job->images = arguments->images ? arguments->images : there < BPD_IMAGES ? there : BPD_IMAGES;
    if (job->images > there)
        return ddpm_fail(DDPM_ECONFIG, "-n %zu, but %s has %zu images", job->images,
                         arguments->data, there);
    if (info->is_float && ddpm_comm_rank(job->comm) == 0)
        ddpm_log_warning("%s is not of 8 bits: L_0 is the likelihood of bins of 2/255 all the same",
                         arguments->data);
    return DDPM_OK;
}

static ddpm_status allocate(bpd_job *job)
{
    ddpm_bpd_options *o = &job->options;
    job->batches = (job->images + o->batch - 1) / o->batch;
    job->units = job->batches * ddpm_bpd_segments(o);
    DDPM_TRY(ddpm_memory_alloc(&job->x0, o->batch, o->d * sizeof(float), DDPM_MEMORY_DATA));
    DDPM_TRY(ddpm_memory_alloc(&job->scratch, ddpm_bpd_scratch_floats(o), sizeof(float),
                               DDPM_MEMORY_SCRATCH));
    if (ddpm_comm_rank(job->comm) == 0)
        DDPM_TRY(ddpm_memory_alloc(&job->unit, ddpm_bpd_unit_values(o), sizeof(double),
                                   DDPM_MEMORY_SCRATCH));
    if (job->source.config.model.classes == 0) return DDPM_OK;
    return ddpm_memory_alloc(&job->labels, o->batch, sizeof(int64_t), DDPM_MEMORY_SCRATCH);
}

static ddpm_status build(bpd_job *job)
{
    ddpm_unet_config network;
    DDPM_TRY(build_bound(job));
    DDPM_TRY(open_data(job));
    DDPM_TRY(ddpm_model_unet_config(&network, &job->source.config));
    DDPM_TRY(ddpm_unet_create(&job->unet, &network, job->options.batch, DDPM_UNET_INFERENCE));
    job->options.channels = network.in_channels;
    job->options.d = network.height * network.width * network.in_channels;
    DDPM_TRY(allocate(job));
    name_job(job);
    return DDPM_OK;
}

static ddpm_status run(bpd_job *job)
{
    const bpd_arguments *arguments = job->arguments;
    const bool first = ddpm_comm_rank(job->comm) == 0;
    DDPM_TRY(sample_source_open(&job->checkpoint, &job->source, job->comm, arguments->checkpoint,
                                arguments->best, arguments->weights));
    ddpm_status status = ddpm_comm_agree(job->comm, build(job));
    if (status != DDPM_OK) return status;
    DDPM_TRY(ddpm_comm_require_same(job->comm, "what is compared", job->identity));
    DDPM_TRY(sample_source_weights(&job->weights, job->checkpoint, &job->source, job->comm,
                                   ddpm_unet_params(job->unet)));
    status = ddpm_comm_agree(job->comm, first ? bpd_open_parts(job) : DDPM_OK);
    if (status != DDPM_OK) return status;
    DDPM_TRY(bpd_work(job));
    return ddpm_comm_agree(job->comm, first ? bpd_report(job) : DDPM_OK);
}

static void close_job(bpd_job *job)
{
    ddpm_eval_parts_close(job->parts);
    ddpm_checkpoint_close(job->checkpoint);
    ddpm_dataset_close(job->set);
    ddpm_unet_free(job->unet);
    ddpm_schedule_free(job->full);
    ddpm_schedule_free(job->respaced);
    free(job->strata);
    ddpm_memory_free(job->weights);
    ddpm_memory_free(job->x0);
    ddpm_memory_free(job->scratch);
    ddpm_memory_free(job->unit);
    ddpm_memory_free(job->labels);
}

static ddpm_status perform(ddpm_comm *comm, const void *arguments)
{
    bpd_job job = { .arguments = arguments, .comm = comm };
    DDPM_TRY(eval_prepare(comm, &job.arguments->common));
    const ddpm_status status = run(&job);
    close_job(&job);
    return status;
}

int eval_bpd(int argc, char **argv)
{
    static const struct argp argp = {
        .options = options, .parser = parse, .args_doc = "CKPT DATA.h5", .doc = help
    };
    bpd_arguments arguments = { .batch = BPD_BATCH };
    ddpm_command_parse(&argp, &eval_common_argp, argc, argv, &arguments);
    return eval_run(perform, &arguments, &arguments.common);
}
