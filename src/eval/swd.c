#include "ddpm/eval/swd.h"

#include "ddpm/base/memory.h"
#include "ddpm/base/philox.h"
#include "ddpm/dist/share.h"
#include "ddpm/kernels/linear.h"
#include "sort.h"
#include "swd_private.h"

#include <math.h>

enum { SIDE_LEAST = 16, STREAM_DIRECTIONS = 1 << 16 };

size_t ddpm_swd_levels(ddpm_shape s)
{
    size_t levels = 1;
    for (; s.h % 2 == 0 && s.w % 2 == 0 && s.h / 2 >= SIDE_LEAST && s.w / 2 >= SIDE_LEAST &&
           levels < DDPM_SWD_LEVELS;
         s = swd_half(s))
        levels++;
    return levels;
}

/* Directions first .. first + SWD_AT_ONCE - 1: uniform on the sphere. */
static void draw_directions(swd_slicer *s, size_t first)
{
    for (size_t k = 0; k < SWD_AT_ONCE; k++) {
        const ddpm_random random = { .seed = s->options->seed,
                                     .index = first + k,
                                     .purpose = DDPM_RANDOM_EVAL_CHOICE,
                                     .stream = STREAM_DIRECTIONS };
        double square = 0.0;
        ddpm_random_normal(s->drawn, s->d, &random);
        for (size_t i = 0; i < s->d; i++) square += (double)s->drawn[i] * (double)s->drawn[i];
        for (size_t i = 0; i < s->d; i++)
            s->direction[i * SWD_AT_ONCE + k] = (float)((double)s->drawn[i] / sqrt(square));
    }
}

/* Where the pieces of a set are along the directions, each in ascending order. */
static void project(swd_slicer *s, size_t set)
{
    const ddpm_linear op = { .rows = s->pieces, .c = s->d, .k = SWD_AT_ONCE };
    ddpm_linear_forward(s->projected, s->piece[set], s->direction, NULL, NULL, &op);
#pragma omp parallel for schedule(static)
    for (size_t k = 0; k < SWD_AT_ONCE; k++) {
        float *sorted = s->sorted[set] + k * s->pieces;
        for (size_t i = 0; i < s->pieces; i++) sorted[i] = s->projected[i * SWD_AT_ONCE + k];
        eval_sort(sorted, s->scratch + k * s->pieces, s->pieces);
    }
}

/* In one dimension the distance pairs what has the same rank. values [SWD_AT_ONCE]: of each
 * direction. */
static ddpm_status slice(double *values, size_t unit, void *context)
{
    swd_slicer *s = context;
    draw_directions(s, unit * SWD_AT_ONCE);
    project(s, 0);
    project(s, 1);
    for (size_t k = 0; k < SWD_AT_ONCE; k++) {
        const float *a = s->sorted[0] + k * s->pieces, *b = s->sorted[1] + k * s->pieces;
        double sum = 0.0;
        for (size_t i = 0; i < s->pieces; i++) sum += fabs((double)a[i] - (double)b[i]);
        values[k] = sum / (double)s->pieces;
    }
    return DDPM_OK;
}

static ddpm_status add_slices(size_t unit, const double *values, void *context)
{
    swd_slicer *s = context;
    const size_t first = unit * SWD_AT_ONCE, directions = s->options->directions;
    for (size_t k = 0; k < SWD_AT_ONCE && first + k < directions; k++) s->sum += values[k];
    return DDPM_OK;
}

static ddpm_status find_distance(double *distance, swd_slicer *s)
{
    const size_t directions = s->options->directions;
    s->sum = 0.0;
    DDPM_TRY(ddpm_share_work(&(ddpm_share){ .name = "directions",
                                            .units = (directions + SWD_AT_ONCE - 1) / SWD_AT_ONCE,
                                            .values = SWD_AT_ONCE,
                                            .compute = slice,
                                            .take = add_slices,
                                            .context = s },
                             s->options->comm));
    *distance = 1000.0 * s->sum / (double)directions;
    return DDPM_OK;
}

static ddpm_status allocate(swd_slicer *s)
{
    const ddpm_shape shape = s->options->shape;
    const size_t image = shape.h * shape.w * shape.c, column = s->pieces * sizeof(float);
    for (size_t k = 0; k < 3; k++)
        DDPM_TRY(ddpm_memory_alloc(&s->work[k], image, sizeof(float), DDPM_MEMORY_SCRATCH));
    for (size_t k = 0; k < 2; k++) {
        DDPM_TRY(
            ddpm_memory_alloc(&s->piece[k], s->pieces, s->d * sizeof(float), DDPM_MEMORY_DATA));
        DDPM_TRY(ddpm_memory_alloc(&s->sorted[k], SWD_AT_ONCE, column, DDPM_MEMORY_SCRATCH));
    }
    DDPM_TRY(ddpm_memory_alloc(&s->projected, SWD_AT_ONCE, column, DDPM_MEMORY_SCRATCH));
    DDPM_TRY(ddpm_memory_alloc(&s->scratch, SWD_AT_ONCE, column, DDPM_MEMORY_SCRATCH));
    DDPM_TRY(ddpm_memory_alloc(&s->drawn, s->d, sizeof(float), DDPM_MEMORY_SCRATCH));
    DDPM_TRY(ddpm_memory_alloc(&s->channel, shape.c, sizeof *s->channel, DDPM_MEMORY_SCRATCH));
    return ddpm_memory_alloc(&s->direction, s->d, SWD_AT_ONCE * sizeof(float), DDPM_MEMORY_SCRATCH);
}

static void release(swd_slicer *s)
{
    for (size_t k = 0; k < 3; k++) ddpm_memory_free(s->work[k]);
    for (size_t k = 0; k < 2; k++) {
        ddpm_memory_free(s->piece[k]);
        ddpm_memory_free(s->sorted[k]);
    }
    ddpm_memory_free(s->projected);
    ddpm_memory_free(s->scratch);
    ddpm_memory_free(s->drawn);
    ddpm_memory_free(s->channel);
    ddpm_memory_free(s->direction);
}

ddpm_status ddpm_swd_of(ddpm_swd *out, const ddpm_swd_options *options)
{
    ddpm_shape shape = options->shape;
    if (shape.h < DDPM_SWD_PATCH || shape.w < DDPM_SWD_PATCH)
        return ddpm_fail(DDPM_ECONFIG, "images of %zu x %zu are smaller than a patch of %d x %d",
                         shape.h, shape.w, DDPM_SWD_PATCH, DDPM_SWD_PATCH);
    *out = (ddpm_swd){ .levels = ddpm_swd_levels(shape) };
    swd_slicer s = { .options = options,
                     .levels = out->levels,
                     .pieces = shape.n * options->patches,
                     .d = (size_t)DDPM_SWD_PATCH * DDPM_SWD_PATCH * shape.c };
    ddpm_status status = ddpm_share_agree(allocate(&s), options->comm);
    for (; status == DDPM_OK && s.level < s.levels; s.level++, shape = swd_half(shape)) {
        status = swd_collect(&s, 0);
        if (status == DDPM_OK) status = swd_collect(&s, 1);
        if (status == DDPM_OK) status = find_distance(&out->distance[s.level], &s);
        if (status != DDPM_OK) break;
        out->side[s.level] = shape.h < shape.w ? shape.h : shape.w;
        out->mean += out->distance[s.level] / (double)s.levels;
    }
    release(&s);
    return status;
}
