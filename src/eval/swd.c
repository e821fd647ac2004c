#include "ddpm/eval/swd.h"

#include "ddpm/base/memory.h"
#include "ddpm/base/philox.h"
#include "ddpm/kernels/linear.h"
#include "pyramid.h"
#include "sort.h"

#include <math.h>
#include <string.h>

enum { AT_ONCE = 8, /* directions */ SIDE_LEAST = 16, STREAM_DIRECTIONS = 1 << 16 };

static ddpm_shape half(ddpm_shape s)
{
    return (ddpm_shape){ s.n, s.h / 2, s.w / 2, s.c };
}

size_t ddpm_swd_levels(ddpm_shape s)
{
    size_t levels = 1;
    for (; s.h % 2 == 0 && s.w % 2 == 0 && s.h / 2 >= SIDE_LEAST && s.w / 2 >= SIDE_LEAST &&
           levels < DDPM_SWD_LEVELS;
         s = half(s))
        levels++;
    return levels;
}

/* The pieces of both sets at one level. */
typedef struct {
    const ddpm_swd_options *options;
    size_t level, levels, pieces, d; /* pieces of a set, and their values */
    float *piece[2];                 /* [pieces,D] */
    float *work[3];                  /* an image each */
    float *projected[2];             /* [pieces,AT_ONCE] */
    float *sorted[2], *scratch;      /* [pieces] */
    float *direction;                /* [D,AT_ONCE] */
} slicer;

/* Level `level` of the pyramid of work[0], in its place; returns its shape. */
static ddpm_shape find_level(slicer *s)
{
    ddpm_shape shape = s->options->shape;
    for (size_t l = 0; l < s->level; l++) {
        pyramid_down(s->work[1], s->work[0], shape);
        shape = half(shape);
        memcpy(s->work[0], s->work[1], shape.h * shape.w * shape.c * sizeof(float));
    }
    if (s->level + 1 == s->levels) return shape; /* what is left */
    pyramid_down(s->work[1], s->work[0], shape);
    pyramid_up(s->work[2], s->work[1], half(shape));
    for (size_t i = 0; i < shape.h * shape.w * shape.c; i++) s->work[0][i] -= s->work[2][i];
    return shape;
}

/* Where the pieces of an image are: the same in either set for the same image number. */
static void cut(float *to, const slicer *s, ddpm_shape shape, size_t set, size_t image)
{
    const size_t across = shape.w - DDPM_SWD_PATCH + 1;
    const size_t places = across * (shape.h - DDPM_SWD_PATCH + 1);
    for (size_t p = 0; p < s->options->patches; p++, to += s->d) {
        const ddpm_random random = { .seed = s->options->seed,
                                     .index = ((uint64_t)image << 1 | set) << 16 | p,
                                     .purpose = DDPM_RANDOM_EVAL_CHOICE,
                                     .stream = (uint32_t)s->level };
        const size_t place = (size_t)ddpm_random_below(places, &random);
        for (size_t y = 0; y < DDPM_SWD_PATCH; y++)
            memcpy(to + y * DDPM_SWD_PATCH * shape.c,
                   s->work[0] + ((place / across + y) * shape.w + place % across) * shape.c,
                   DDPM_SWD_PATCH * shape.c * sizeof *to);
    }
}

/* Each channel of a set to mean 0 and standard deviation 1, over pieces and places. */
static void normalise(float *pieces, const slicer *s)
{
    const size_t channels = s->options->shape.c, count = s->pieces * s->d;
    const size_t per_channel = count / channels;
    for (size_t c = 0; c < channels; c++) {
        double sum = 0.0, squares = 0.0;
        const double n = (double)per_channel;
        for (size_t i = c; i < count; i += channels) sum += (double)pieces[i];
        const double mean = sum / n;
        for (size_t i = c; i < count; i += channels)
            squares += ((double)pieces[i] - mean) * ((double)pieces[i] - mean);
        const double factor = squares > 0.0 ? 1.0 / sqrt(squares / n) : 0.0;
        for (size_t i = c; i < count; i += channels)
            pieces[i] = (float)(((double)pieces[i] - mean) * factor);
    }
}

static ddpm_status collect(slicer *s, size_t set)
{
    const ddpm_swd_options *o = s->options;
    for (size_t i = 0; i < o->shape.n; i++) {
        DDPM_TRY(o->read[set](s->work[0], i, 1, o->context[set]));
        const ddpm_shape shape = find_level(s);
        cut(s->piece[set] + i * o->patches * s->d, s, shape, set, i);
    }
    normalise(s->piece[set], s);
    return DDPM_OK;
}

/* Directions first .. first + AT_ONCE - 1: uniform on the sphere. */
static void draw_directions(slicer *s, size_t first)
{
    for (size_t k = 0; k < AT_ONCE; k++) {
        const ddpm_random random = { .seed = s->options->seed,
                                     .index = first + k,
                                     .purpose = DDPM_RANDOM_EVAL_CHOICE,
                                     .stream = STREAM_DIRECTIONS };
        double square = 0.0;
        ddpm_random_normal(s->scratch, s->d, &random);
        for (size_t i = 0; i < s->d; i++) square += (double)s->scratch[i] * (double)s->scratch[i];
        for (size_t i = 0; i < s->d; i++)
            s->direction[i * AT_ONCE + k] = (float)((double)s->scratch[i] / sqrt(square));
    }
}

/* In one dimension the distance pairs what has the same rank. */
static double slice(slicer *s, size_t k)
{
    double sum = 0.0;
    for (size_t set = 0; set < 2; set++) {
        for (size_t i = 0; i < s->pieces; i++)
            s->sorted[set][i] = s->projected[set][i * AT_ONCE + k];
        eval_sort(s->sorted[set], s->scratch, s->pieces);
    }
    for (size_t i = 0; i < s->pieces; i++)
        sum += fabs((double)s->sorted[0][i] - (double)s->sorted[1][i]);
    return sum / (double)s->pieces;
}

static double distance_of_level(slicer *s)
{
    const size_t directions = s->options->directions;
    const ddpm_linear op = { .rows = s->pieces, .c = s->d, .k = AT_ONCE };
    double sum = 0.0;
    for (size_t first = 0; first < directions; first += AT_ONCE) {
        draw_directions(s, first);
        for (size_t set = 0; set < 2; set++)
            ddpm_linear_forward(s->projected[set], s->piece[set], s->direction, NULL, NULL, &op);
        for (size_t k = 0; k < AT_ONCE && first + k < directions; k++) sum += slice(s, k);
    }
    return 1000.0 * sum / (double)directions;
}

static ddpm_status allocate(slicer *s)
{
    const ddpm_shape shape = s->options->shape;
    const size_t image = shape.h * shape.w * shape.c, longest = s->pieces > s->d ? s->pieces : s->d;
    for (size_t k = 0; k < 3; k++)
        DDPM_TRY(ddpm_memory_alloc(&s->work[k], image, sizeof(float), DDPM_MEMORY_SCRATCH));
    for (size_t k = 0; k < 2; k++) {
        DDPM_TRY(
            ddpm_memory_alloc(&s->piece[k], s->pieces, s->d * sizeof(float), DDPM_MEMORY_DATA));
        DDPM_TRY(ddpm_memory_alloc(&s->projected[k], s->pieces, AT_ONCE * sizeof(float),
                                   DDPM_MEMORY_SCRATCH));
        DDPM_TRY(ddpm_memory_alloc(&s->sorted[k], s->pieces, sizeof(float), DDPM_MEMORY_SCRATCH));
    }
    DDPM_TRY(ddpm_memory_alloc(&s->direction, s->d, AT_ONCE * sizeof(float), DDPM_MEMORY_SCRATCH));
    return ddpm_memory_alloc(&s->scratch, longest, sizeof(float), DDPM_MEMORY_SCRATCH);
}

static void release(slicer *s)
{
    for (size_t k = 0; k < 3; k++) ddpm_memory_free(s->work[k]);
    for (size_t k = 0; k < 2; k++) {
        ddpm_memory_free(s->piece[k]);
        ddpm_memory_free(s->projected[k]);
        ddpm_memory_free(s->sorted[k]);
    }
    ddpm_memory_free(s->direction);
    ddpm_memory_free(s->scratch);
}

ddpm_status ddpm_swd_of(ddpm_swd *out, const ddpm_swd_options *options)
{
    ddpm_shape shape = options->shape;
    if (shape.h < DDPM_SWD_PATCH || shape.w < DDPM_SWD_PATCH)
        return ddpm_fail(DDPM_ECONFIG, "images of %zu x %zu are smaller than a patch of %d x %d",
                         shape.h, shape.w, DDPM_SWD_PATCH, DDPM_SWD_PATCH);
    *out = (ddpm_swd){ .levels = ddpm_swd_levels(shape) };
    slicer s = { .options = options,
                 .levels = out->levels,
                 .pieces = shape.n * options->patches,
                 .d = (size_t)DDPM_SWD_PATCH * DDPM_SWD_PATCH * shape.c };
    ddpm_status status = allocate(&s);
    for (; status == DDPM_OK && s.level < s.levels; s.level++, shape = half(shape)) {
        status = collect(&s, 0);
        if (status == DDPM_OK) status = collect(&s, 1);
        if (status != DDPM_OK) break;
        out->side[s.level] = shape.h < shape.w ? shape.h : shape.w;
        out->distance[s.level] = distance_of_level(&s);
        out->mean += out->distance[s.level] / (double)s.levels;
    }
    release(&s);
    return status;
}
