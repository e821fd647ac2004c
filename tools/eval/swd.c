#include "ddpm/eval/swd.h"

#include "ddpm/base/log.h"
#include "images.h"

#include <stdio.h>

enum { OPTION_PATCHES = 256, OPTION_DIRECTIONS, OPTION_SEED, DEFAULT_IMAGES = 4096 };

typedef struct {
    eval_common common;
    const char *samples, *reference;
    size_t most, patches, directions;
    uint64_t seed;
} arguments;

static const struct argp_option options[] = {
    { "count", 'n', "N", 0, "At most so many images of each; default 4096", 0 },
    { "patches", OPTION_PATCHES, "P", 0, "Patches an image; default 128", 0 },
    { "directions", OPTION_DIRECTIONS, "D", 0, "Directions; default 512", 0 },
    { "seed", OPTION_SEED, "SEED", 0, "Of both; default 0", 0 },
    { 0 },
};

static error_t parse(int key, char *text, struct argp_state *state)
{
    arguments *to = state->input;
    switch (key) {
    case 'n': to->most = (size_t)eval_number(text, 1, 1000000, "-n", state); return 0;
    case OPTION_PATCHES:
        to->patches = (size_t)eval_number(text, 1, 65536, "--patches", state);
        return 0;
    case OPTION_DIRECTIONS:
        to->directions = (size_t)eval_number(text, 1, 65536, "--directions", state);
        return 0;
    case OPTION_SEED: to->seed = eval_seed(text, state); return 0;
    case ARGP_KEY_ARG: eval_take(&to->samples, &to->reference, text, state); return 0;
    case ARGP_KEY_END:
        if (!to->reference) argp_error(state, "samples and a data set are needed");
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

typedef struct {
    const arguments *arguments;
    ddpm_comm *comm;
    eval_images samples, reference; /* as many of both */
    ddpm_swd distance;
    char directory[EVAL_PATH], key[EVAL_KEY];
} job;

static json_t *result_of(const job *j)
{
    const arguments *a = j->arguments;
    const ddpm_swd *distance = &j->distance;
    json_t *levels = json_array();
    for (size_t l = 0; l < distance->levels; l++)
        json_array_append_new(levels, json_pack("{s:I,s:f}", "side", (json_int_t)distance->side[l],
                                                "distance", distance->distance[l]));
    return json_pack("{s:s,s:s,s:f,s:I,s:o,s:o,s:o,s:{s:I,s:I,s:I}}", "metric", "swd", "key",
                     j->key, "value", distance->mean, "images", (json_int_t)j->samples.count,
                     "levels", levels, "samples", eval_images_describe(&j->samples), "reference",
                     eval_images_describe(&j->reference), "settings", "patches",
                     (json_int_t)a->patches, "directions", (json_int_t)a->directions, "seed",
                     (json_int_t)a->seed);
}

/* Rank 0. */
static ddpm_status report(const job *j)
{
    const ddpm_swd *distance = &j->distance;
    DDPM_TRY(eval_publish(result_of(j), &j->arguments->common, j->directory));
    if (j->arguments->common.json) return DDPM_OK;
    eval_images_print("samples", &j->samples);
    eval_images_print("reference", &j->reference);
    for (size_t l = 0; l < distance->levels; l++)
        printf("side %-11zu %10.3f\n", distance->side[l], distance->distance[l]);
    printf("%-16s %10.3f thousandths\n", "mean", distance->mean);
    return DDPM_OK;
}

static ddpm_status open_sets(job *j)
{
    const arguments *a = j->arguments;
    DDPM_TRY(eval_images_open(&j->samples, a->samples, a->most));
    DDPM_TRY(eval_images_open(&j->reference, a->reference, a->most));
    DDPM_TRY(eval_images_match(&j->samples, &j->reference));
    const size_t n = j->samples.count < j->reference.count ? j->samples.count : j->reference.count;
    j->samples.count = j->reference.count = n;
    return DDPM_OK;
}

static ddpm_status run(job *j)
{
    const arguments *a = j->arguments;
    const bool first = ddpm_comm_rank(j->comm) == 0;
    const ddpm_shape *s = &j->samples.shape;
    char identity[512];
    ddpm_status status = open_sets(j);
    if (status == DDPM_OK && first) status = eval_directory(j->directory, &a->common, a->samples);
    snprintf(identity, sizeof identity, "swd 1\nsamples %s\nreference %s\n%zu %zu %zu %llu",
             eval_images_hash(&j->samples), eval_images_hash(&j->reference), j->samples.count,
             a->patches, a->directions, (unsigned long long)a->seed);
    eval_key(j->key, identity);
    DDPM_TRY(eval_agree(j->comm, status, identity));
    const ddpm_swd_options how = { .shape = { j->samples.count, s->h, s->w, s->c },
                                   .patches = a->patches,
                                   .directions = a->directions,
                                   .seed = a->seed,
                                   .read = { eval_images_read, eval_images_read },
                                   .context = { &j->samples, &j->reference },
                                   .comm = j->comm };
    ddpm_log_info("%zu images of each, %zu levels, %zu patches an image, %zu directions",
                  how.shape.n, ddpm_swd_levels(how.shape), a->patches, a->directions);
    DDPM_TRY(ddpm_swd_of(&j->distance, &how));
    return ddpm_comm_agree(j->comm, first ? report(j) : DDPM_OK);
}

static ddpm_status perform(ddpm_comm *comm, const void *given)
{
    job j = { .arguments = given, .comm = comm };
    DDPM_TRY(eval_prepare(comm, &j.arguments->common));
    const ddpm_status status = run(&j);
    eval_images_close(&j.samples);
    eval_images_close(&j.reference);
    return status;
}

int eval_swd(int argc, char **argv)
{
    static const struct argp argp = {
        .options = options,
        .parser = parse,
        .args_doc = "SAMPLES.h5 DATA.h5",
        .doc = "The sliced Wasserstein distance between patches of samples and of a data set."
    };
    arguments given = { .most = DEFAULT_IMAGES, .patches = 128, .directions = 512 };
    ddpm_command_parse(&argp, &eval_common_argp, argc, argv, &given);
    return eval_run(perform, &given, &given.common);
}
