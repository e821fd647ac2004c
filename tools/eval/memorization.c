#include "memorization.h"

#include "ddpm/base/log.h"
#include "ddpm/base/memory.h"

#include <stdio.h>
#include <string.h>

enum { OPTION_HELD_OUT = 256 };

static const struct argp_option options[] = {
    { "held-out", OPTION_HELD_OUT, "TEST.h5", 0,
      "Images that the model was not trained on, to compare with", 0 },
    { "count", 'n', "N", 0, "At most so many samples and held-out images; default: all", 0 },
    { 0 },
};
static const char help[] = "How near samples come to the training images.\v"
                           "Writes a picture of the closest pairs, and how the distances are "
                           "distributed, into DIR (default: eval/ beside the samples).";

static error_t parse(int key, char *text, struct argp_state *state)
{
    memorization_arguments *to = state->input;
    switch (key) {
    case OPTION_HELD_OUT: to->held_out = text; return 0;
    case 'n': to->most = (size_t)eval_number(text, 1, 100000000, "-n", state); return 0;
    case ARGP_KEY_ARG: eval_take(&to->samples, &to->train, text, state); return 0;
    case ARGP_KEY_END:
        if (!to->train) argp_error(state, "samples and the training set are needed");
        return 0;
    default: return ARGP_ERR_UNKNOWN;
    }
}

static ddpm_status load(memorization_side *s, const memorization_job *j)
{
    DDPM_TRY(eval_images_match(&s->images, &j->train));
    DDPM_TRY(eval_images_load(&s->x, &s->images));
    return ddpm_memory_alloc(&s->nearest, s->images.count, 2 * sizeof *s->nearest,
                             DDPM_MEMORY_OTHER);
}

static ddpm_status search(memorization_side *s, memorization_job *j)
{
    const ddpm_shape shape = s->images.shape;
    const ddpm_status status = ddpm_comm_agree(j->comm, load(s, j));
    if (status != DDPM_OK) return status;
    return ddpm_neighbours_find(s->nearest,
                                &(ddpm_neighbour_search){ .queries = s->x,
                                                          .n = s->images.count,
                                                          .d = shape.h * shape.w * shape.c,
                                                          .k = 2,
                                                          .rows = j->train.count,
                                                          .read = eval_images_read,
                                                          .context = &j->train,
                                                          .comm = j->comm });
}

static ddpm_status open_sets(memorization_job *j)
{
    const memorization_arguments *a = j->arguments;
    DDPM_TRY(eval_images_open(&j->samples.images, a->samples, a->most));
    DDPM_TRY(eval_images_open(&j->train, a->train, 0));
    if (a->held_out) DDPM_TRY(eval_images_open(&j->held_out.images, a->held_out, a->most));
    if (a->held_out &&
        strcmp(eval_images_hash(&j->held_out.images), eval_images_hash(&j->train)) == 0)
        return ddpm_fail(DDPM_ECONFIG, "--held-out %s is the training set itself", a->held_out);
    return DDPM_OK;
}

static ddpm_status run(memorization_job *j)
{
    const memorization_arguments *a = j->arguments;
    const bool first = ddpm_comm_rank(j->comm) == 0;
    char identity[512];
    ddpm_status status = open_sets(j);
    if (status == DDPM_OK && first) status = eval_directory(j->directory, &a->common, a->samples);
    snprintf(identity, sizeof identity, "memorization 1\nsamples %s\ntrain %s\nheld out %s\nn %zu",
             eval_images_hash(&j->samples.images), eval_images_hash(&j->train),
             eval_images_hash(&j->held_out.images), a->most);
    eval_key(j->key, identity);
    DDPM_TRY(eval_agree(j->comm, status, identity));
    ddpm_log_info("%zu samples%s against %zu training images", j->samples.images.count,
                  a->held_out ? ", and held-out images," : "", j->train.count);
    DDPM_TRY(search(&j->samples, j));
    if (a->held_out) DDPM_TRY(search(&j->held_out, j));
    return ddpm_comm_agree(j->comm, first ? memorization_report(j) : DDPM_OK);
}

static void close_side(memorization_side *s)
{
    eval_images_close(&s->images);
    ddpm_memory_free(s->x);
    ddpm_memory_free(s->nearest);
    ddpm_nearness_free(&s->nearness);
}

static ddpm_status perform(ddpm_comm *comm, const void *given)
{
    memorization_job j = { .arguments = given, .comm = comm };
    DDPM_TRY(eval_prepare(comm, &j.arguments->common));
    const ddpm_status status = run(&j);
    eval_images_close(&j.train);
    close_side(&j.samples);
    close_side(&j.held_out);
    return status;
}

int eval_memorization(int argc, char **argv)
{
    static const struct argp argp = {
        .options = options, .parser = parse, .args_doc = "SAMPLES.h5 TRAIN.h5", .doc = help
    };
    memorization_arguments given = { 0 };
    ddpm_command_parse(&argp, &eval_common_argp, argc, argv, &given);
    return eval_run(perform, &given, &given.common);
}
