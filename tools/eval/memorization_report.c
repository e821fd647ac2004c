#include "memorization.h"

#include "ddpm/base/log.h"
#include "ddpm/base/memory.h"
#include "ddpm/eval/plot.h"
#include "ddpm/io/image.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAIRS = 32, PAIRS_A_ROW = 4 };
static const double quantile = 0.01;

static ddpm_status summarise(memorization_side *s)
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
static ddpm_status draw_pairs(memorization_job *j)
{
    const memorization_side *s = &j->samples;
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

static ddpm_status draw_distribution(const memorization_job *j)
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

static json_t *nearness(const memorization_side *s)
{
    const ddpm_nearness *n = &s->nearness;
    return json_pack("{s:f,s:f,s:f,s:I,s:I}", "median", n->median, "least", n->least,
                     "standing_out", n->standing_out, "copies", (json_int_t)n->copies, "images",
                     (json_int_t)n->images);
}

static bool is_compared(const memorization_job *j)
{
    return j->held_out.nearness.sorted != NULL;
}

/* NaN: there is none. */
static double ratio_of(const memorization_job *j)
{
    if (!is_compared(j)) return (double)NAN;
    return ddpm_nearness_ratio(&j->samples.nearness, &j->held_out.nearness);
}

static double share_below(const memorization_job *j)
{
    return ddpm_nearness_share_below(&j->samples.nearness, &j->held_out.nearness, quantile);
}

static json_t *result_of(const memorization_job *j)
{
    const ddpm_nearness *samples = &j->samples.nearness;
    const double ratio = ratio_of(j);
    const bool has_ratio = isfinite(ratio);
    json_t *json = json_pack("{s:s,s:s,s:f,s:I,s:o,s:o,s:o}", "metric",
                             has_ratio ? "memorization_ratio" : "nearest_rmse", "key", j->key,
                             "value", has_ratio ? ratio : samples->median, "images",
                             (json_int_t)samples->images, "distance", nearness(&j->samples),
                             "samples", eval_images_describe(&j->samples.images), "reference",
                             eval_images_describe(&j->train));
    if (!json || !is_compared(j)) return json;
    json_object_set_new(json, "memorization_ratio", eval_json_real(ratio));
    json_object_set_new(json, "held_out_distance", nearness(&j->held_out));
    json_object_set_new(json, "held_out", eval_images_describe(&j->held_out.images));
    json_object_set_new(json, "share_below_held_out_percentile", eval_json_real(share_below(j)));
    return json;
}

static void print_side(const char *name, const ddpm_nearness *n)
{
    printf("%-16s %8zu images: median %.3f, least %.3f, %.2f%% nearer than a third of the second, "
           "%zu copies\n",
           name, n->images, n->median, n->least, 100.0 * n->standing_out, n->copies);
}

static void print_comparison(const memorization_job *j)
{
    const double ratio = ratio_of(j), share = share_below(j);
    print_side("held-out", &j->held_out.nearness);
    if (isfinite(ratio))
        printf("ratio of medians %.4f: near 1 nothing is remembered, near 0 all is\n", ratio);
    else
        printf("ratio of medians -: half of the held-out images stand in the training set\n");
    printf("samples nearer than the nearest %g%% of held-out images: ", 100.0 * quantile);
    if (isfinite(share))
        printf("%.2f%%\n", 100.0 * share);
    else
        printf("-, since these stand in the training set\n");
}

static void print_table(const memorization_job *j)
{
    eval_images_print("samples", &j->samples.images);
    eval_images_print("training set", &j->train);
    if (is_compared(j)) eval_images_print("held-out", &j->held_out.images);
    printf("distance to the nearest training image, RMSE of 0..255; a copy is below %g\n",
           DDPM_NEARNESS_COPY);
    print_side("samples", &j->samples.nearness);
    if (is_compared(j)) print_comparison(j);
    printf("written          %s/memorization-%s{-pairs.png,.svg,.png}\n", j->directory, j->key);
}

/* Few as they may be, a model was trained on them. */
static void warn_of_copies(const memorization_job *j)
{
    const ddpm_nearness *held_out = &j->held_out.nearness;
    if (is_compared(j) && held_out->copies > 0)
        ddpm_log_warning("%zu of %zu held-out images of %s stand in the training set %s: they are "
                         "not held out",
                         held_out->copies, held_out->images, j->held_out.images.path,
                         j->train.path);
}

ddpm_status memorization_report(memorization_job *j)
{
    const eval_common *common = &j->arguments->common;
    DDPM_TRY(summarise(&j->samples));
    if (j->held_out.nearest) DDPM_TRY(summarise(&j->held_out));
    warn_of_copies(j);
    DDPM_TRY(draw_pairs(j));
    DDPM_TRY(draw_distribution(j));
    DDPM_TRY(eval_publish(result_of(j), common, j->directory));
    if (!common->json) print_table(j);
    return DDPM_OK;
}
