#include "ddpm/eval/memorization.h"

#include "ddpm/base/log.h"
#include "ddpm/base/memory.h"
#include "ddpm/eval/plot.h"
#include "ddpm/io/image.h"
#include "images.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OPTION_HELD_OUT = 256, PAIRS = 32, PAIRS_A_ROW = 4 };
static const double quantile = 0.01;

typedef struct {
    eval_common common;
    const char *samples, *train, *held_out;
    size_t most;
} arguments;

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
    arguments *to = state->input;
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

/* Images and the two training images nearest to each. */
typedef struct {
    eval_images images;
    float *x;
    ddpm_neighbour *nearest;
    ddpm_nearness nearness;
} side;

typedef struct {
    const arguments *arguments;
    ddpm_comm *comm;
    eval_images train;
    side samples, held_out;
    char directory[EVAL_PATH], key[EVAL_KEY];
} job;

static ddpm_status load(side *s, const job *j)
{
    DDPM_TRY(eval_images_match(&s->images, &j->train));
    DDPM_TRY(eval_images_load(&s->x, &s->images));
    return ddpm_memory_alloc(&s->nearest, s->images.count, 2 * sizeof *s->nearest,
                             DDPM_MEMORY_OTHER);
}

static ddpm_status search(side *s, job *j)
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

static ddpm_status summarise(side *s)
{
    const ddpm_shape shape = s->images.shape;
    return ddpm_nearness_of(&s->nearness, s->nearest, s->images.count, shape.h * shape.w * shape.c);
}

static const ddpm_neighbour *of_order; /* qsort has no context; one thread */
static int closer(const void *a, const void *b)
{
    const size_t i = *(const size_t *)a, k = *(const size_t *)b;
    const double x = of_order[2 * i].square, y = of_order[2 * k].square;
    return x != y ? (x > y) - (x < y) : (i > k) - (i < k);
}

/* Sample and training image side by side, the closest first. */
static ddpm_status draw_pairs(job *j)
{
    const side *s = &j->samples;
    const ddpm_shape shape = s->images.shape;
    const size_t d = shape.h * shape.w * shape.c, n = s->images.count;
    const size_t pairs = n < PAIRS ? n : PAIRS;
    char path[EVAL_PATH + 64];
    float *x = NULL;
    size_t *order = malloc(n * sizeof *order);
    if (!order) return ddpm_fail(DDPM_EOS, "out of memory");
    for (size_t i = 0; i < n; i++) order[i] = i;
    of_order = s->nearest;
    qsort(order, n, sizeof *order, closer);
    ddpm_status status = ddpm_memory_alloc(&x, 2 * pairs, d * sizeof *x, DDPM_MEMORY_DATA);
    for (size_t p = 0; p < pairs && status == DDPM_OK; p++) {
        memcpy(x + 2 * p * d, s->x + order[p] * d, d * sizeof *x);
        status = eval_images_read(x + (2 * p + 1) * d, (size_t)s->nearest[2 * order[p]].index, 1,
                                  &j->train);
    }
    snprintf(path, sizeof path, "%s/memorization-%s-pairs.png", j->directory, j->key);
    if (status == DDPM_OK)
        status = ddpm_image_write_grid(path, x, 2 * pairs, shape.h, shape.w, shape.c,
                                       2 * (size_t)PAIRS_A_ROW);
    ddpm_memory_free(x);
    free(order);
    return status;
}

static ddpm_status draw_distribution(const job *j)
{
    const ddpm_nearness *of[] = { &j->samples.nearness, &j->held_out.nearness };
    static const char *const names[] = { "samples", "held-out images" };
    ddpm_plot_series series[2];
    double *shares[2] = { NULL, NULL };
    ddpm_status status = DDPM_OK;
    const size_t count = of[1]->sorted ? 2 : 1;
    for (size_t k = 0; k < count && status == DDPM_OK; k++) {
        shares[k] = malloc(of[k]->images * sizeof **shares);
        if (!shares[k]) status = ddpm_fail(DDPM_EOS, "out of memory for a plot");
        for (size_t i = 0; shares[k] && i < of[k]->images; i++)
            shares[k][i] = ((double)i + 0.5) / (double)of[k]->images;
        series[k] = (ddpm_plot_series){
            .name = names[k], .x = of[k]->sorted, .y = shares[k], .count = of[k]->images
        };
    }
    char stem[EVAL_PATH + 64];
    snprintf(stem, sizeof stem, "%s/memorization-%s", j->directory, j->key);
    const ddpm_plot plot = { .title = "Distance to the nearest training image",
                             .x_label = "RMSE of 0..255",
                             .y_label = "share of images that are nearer",
                             .series = series,
                             .series_count = count };
    if (status == DDPM_OK) status = ddpm_plot_write(&plot, stem);
    free(shares[0]);
    free(shares[1]);
    return status;
}

static json_t *nearness(const side *s)
{
    const ddpm_nearness *n = &s->nearness;
    return json_pack("{s:f,s:f,s:f,s:I}", "median", n->median, "least", n->least, "standing_out",
                     n->standing_out, "images", (json_int_t)n->images);
}

static json_t *result_of(const job *j)
{
    const ddpm_nearness *samples = &j->samples.nearness, *held_out = &j->held_out.nearness;
    const bool compared = held_out->sorted != NULL;
    json_t *json = json_pack(
        "{s:s,s:s,s:f,s:I,s:o,s:o,s:o}", "metric", compared ? "memorization_ratio" : "nearest_rmse",
        "key", j->key, "value", compared ? samples->median / held_out->median : samples->median,
        "images", (json_int_t)samples->images, "distance", nearness(&j->samples), "samples",
        eval_images_describe(&j->samples.images), "reference", eval_images_describe(&j->train));
    if (!json || !compared) return json;
    json_object_set_new(json, "held_out_distance", nearness(&j->held_out));
    json_object_set_new(json, "held_out", eval_images_describe(&j->held_out.images));
    json_object_set_new(json, "share_below_held_out_percentile",
                        json_real(ddpm_nearness_share_below(samples, held_out, quantile)));
    return json;
}

static void print_side(const char *name, const ddpm_nearness *n)
{
    printf("%-16s %8zu images: median %.3f, least %.3f, %.2f%% nearer than a third of the second\n",
           name, n->images, n->median, n->least, 100.0 * n->standing_out);
}

static void print_table(const job *j)
{
    const ddpm_nearness *samples = &j->samples.nearness, *held_out = &j->held_out.nearness;
    eval_images_print("samples", &j->samples.images);
    eval_images_print("training set", &j->train);
    if (held_out->sorted) eval_images_print("held-out", &j->held_out.images);
    printf("distance to the nearest training image, RMSE of 0..255\n");
    print_side("samples", samples);
    if (held_out->sorted) {
        print_side("held-out", held_out);
        printf("ratio of medians %.4f: near 1 nothing is remembered, near 0 all is\n",
               samples->median / held_out->median);
        printf("samples nearer than the nearest %g%% of held-out images: %.2f%%\n",
               100.0 * quantile, 100.0 * ddpm_nearness_share_below(samples, held_out, quantile));
    }
    printf("written          %s/memorization-%s{-pairs.png,.svg,.png}\n", j->directory, j->key);
}

/* Rank 0. */
static ddpm_status report(job *j)
{
    const eval_common *common = &j->arguments->common;
    DDPM_TRY(summarise(&j->samples));
    if (j->held_out.nearest) DDPM_TRY(summarise(&j->held_out));
    DDPM_TRY(draw_pairs(j));
    DDPM_TRY(draw_distribution(j));
    DDPM_TRY(eval_publish(result_of(j), common, j->directory));
    if (!common->json) print_table(j);
    return DDPM_OK;
}

static ddpm_status open_sets(job *j)
{
    const arguments *a = j->arguments;
    DDPM_TRY(eval_images_open(&j->samples.images, a->samples, a->most));
    DDPM_TRY(eval_images_open(&j->train, a->train, 0));
    if (a->held_out) DDPM_TRY(eval_images_open(&j->held_out.images, a->held_out, a->most));
    if (a->held_out &&
        strcmp(eval_images_hash(&j->held_out.images), eval_images_hash(&j->train)) == 0)
        return ddpm_fail(DDPM_ECONFIG, "--held-out %s is the training set itself", a->held_out);
    return DDPM_OK;
}

static ddpm_status run(job *j)
{
    const arguments *a = j->arguments;
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
    return ddpm_comm_agree(j->comm, first ? report(j) : DDPM_OK);
}

static void close_side(side *s)
{
    eval_images_close(&s->images);
    ddpm_memory_free(s->x);
    ddpm_memory_free(s->nearest);
    ddpm_nearness_free(&s->nearness);
}

static ddpm_status perform(ddpm_comm *comm, const void *given)
{
    job j = { .arguments = given, .comm = comm };
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
    arguments given = { 0 };
    ddpm_command_parse(&argp, &eval_common_argp, argc, argv, &given);
    return eval_run(perform, &given, &given.common);
}
