/* The pieces that are compared: cut from one level of each image's pyramid. */
#include "ddpm/base/philox.h"
#include "ddpm/dist/share.h"
#include "pyramid.h"
#include "swd_private.h"

#include <math.h>
#include <string.h>

enum { IMAGES = 64 /* of a unit of work */ };

/* Level `level` of the pyramid of work[0], in its place; returns its shape. */
static ddpm_shape find_level(swd_slicer *s)
{
    ddpm_shape shape = s->options->shape;
    for (size_t l = 0; l < s->level; l++) {
        pyramid_down(s->work[1], s->work[0], shape);
        shape = swd_half(shape);
        memcpy(s->work[0], s->work[1], shape.h * shape.w * shape.c * sizeof(float));
    }
    if (s->level + 1 == s->levels) return shape; /* what is left */
    pyramid_down(s->work[1], s->work[0], shape);
    pyramid_up(s->work[2], s->work[1], swd_half(shape));
    for (size_t i = 0; i < shape.h * shape.w * shape.c; i++) s->work[0][i] -= s->work[2][i];
    return shape;
}

/* Where the pieces of an image are: the same in either set for the same image number. */
static void cut(float *to, const swd_slicer *s, ddpm_shape shape, size_t set, size_t image)
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

static float *pieces_of(const swd_slicer *s, size_t unit, size_t *count)
{
    const size_t first = unit * IMAGES, left = s->options->shape.n - first;
    *count = (left < IMAGES ? left : IMAGES) * s->options->patches * s->d;
    return s->piece[s->set] + first * s->options->patches * s->d;
}

static swd_moments moments_of(const float *x, size_t n, size_t stride)
{
    double sum = 0.0, squares = 0.0;
    for (size_t i = 0; i < n; i++) sum += (double)x[i * stride];
    const double mean = sum / (double)n;
    for (size_t i = 0; i < n; i++) {
        const double apart = (double)x[i * stride] - mean;
        squares += apart * apart;
    }
    return (swd_moments){ (double)n, mean, squares };
}

/* Cuts the pieces of a unit's images; values [C]: their moments. */
static ddpm_status cut_images(double *values, size_t unit, void *context)
{
    swd_slicer *s = context;
    const ddpm_swd_options *o = s->options;
    const size_t first = unit * IMAGES, channels = o->shape.c;
    size_t count;
    float *pieces = pieces_of(s, unit, &count);
    for (size_t i = first; i < o->shape.n && i < first + IMAGES; i++) {
        DDPM_TRY(o->read[s->set](s->work[0], i, 1, o->context[s->set]));
        cut(pieces + (i - first) * o->patches * s->d, s, find_level(s), s->set, i);
    }
    for (size_t c = 0; c < channels; c++) {
        const swd_moments of = moments_of(pieces + c, count / channels, channels);
        memcpy(values + 3 * c, (double[]){ of.count, of.mean, of.squares }, 3 * sizeof *values);
    }
    return DDPM_OK;
}

/* Moments of two parts together (Chan, Golub and LeVeque 1979). */
static ddpm_status merge_moments(size_t unit, const double *values, void *context)
{
    swd_slicer *s = context;
    (void)unit;
    for (size_t c = 0; c < s->options->shape.c; c++, values += 3) {
        swd_moments *m = s->channel + c;
        const double n = m->count + values[0], apart = values[1] - m->mean;
        m->mean += apart * values[0] / n;
        m->squares += values[2] + apart * apart * m->count * values[0] / n;
        m->count = n;
    }
    return DDPM_OK;
}

/* Each channel of a set to mean 0 and standard deviation 1, over pieces and places. */
static ddpm_status normalise(double *none, size_t unit, void *context)
{
    const swd_slicer *s = context;
    const size_t channels = s->options->shape.c;
    size_t count;
    float *pieces = pieces_of(s, unit, &count);
    (void)none;
    for (size_t c = 0; c < channels; c++) {
        const swd_moments m = s->channel[c];
        const double factor = m.squares > 0.0 ? 1.0 / sqrt(m.squares / m.count) : 0.0;
        for (size_t i = c; i < count; i += channels)
            pieces[i] = (float)(((double)pieces[i] - m.mean) * factor);
    }
    return DDPM_OK;
}

ddpm_status swd_collect(swd_slicer *s, size_t set)
{
    const ddpm_swd_options *o = s->options;
    const size_t image_bytes = o->patches * s->d * sizeof(float);
    ddpm_share cutting = { .name = "patches",
                           .units = (o->shape.n + IMAGES - 1) / IMAGES,
                           .values = 3 * o->shape.c,
                           .compute = cut_images,
                           .take = merge_moments,
                           .context = s };
    ddpm_share normalising = { .units = cutting.units, .compute = normalise, .context = s };
    s->set = set;
    memset(s->channel, 0, o->shape.c * sizeof *s->channel);
    DDPM_TRY(ddpm_share_work(&cutting, o->comm));
    DDPM_TRY(ddpm_share_work(&normalising, o->comm));
    return ddpm_share_spread(s->piece[set], o->shape.n * image_bytes, IMAGES * image_bytes,
                             o->comm);
}
