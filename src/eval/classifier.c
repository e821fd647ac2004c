#include "classifier.h"

#include "ddpm/base/hash.h"
#include "ddpm/base/memory.h"
#include "ddpm/base/philox.h"

#include <math.h>
#include <stdlib.h>

static const size_t stage_channels[CLASSIFIER_STAGES] = { 16, 32, DDPM_CLASSIFIER_FEATURES };
enum { GROUP_CHANNELS = 4 };

static size_t take(size_t *floats, size_t count)
{
    const size_t at = *floats;
    *floats += count;
    return at;
}

static ddpm_status build_stage(classifier_stage *s, size_t *floats, size_t *scratch, ddpm_shape in,
                               size_t k, size_t stride)
{
    const ddpm_conv3x3 op = { .in = in, .k = k, .stride = stride };
    DDPM_TRY(ddpm_conv3x3_plan_create(&s->plan, &op));
    s->norm = (ddpm_norm){ .shape = ddpm_conv3x3_out_shape(&op),
                           .groups = k / GROUP_CHANNELS,
                           .epsilon = 1e-6f,
                           .silu = true };
    s->input_channels = in.c;
    s->w = take(floats, 9 * in.c * k);
    s->bias = take(floats, k);
    s->gamma = take(floats, k);
    s->beta = take(floats, k);
    const size_t count = ddpm_shape_count(s->norm.shape), groups = in.n * s->norm.groups;
    float **buffers[] = { &s->conv, &s->out, &s->d_out, &s->d_conv };
    for (size_t i = 0; i < 4; i++)
        DDPM_TRY(ddpm_memory_alloc(buffers[i], count, sizeof(float), DDPM_MEMORY_ACTIVATIONS));
    DDPM_TRY(ddpm_memory_alloc(&s->mean, groups, sizeof(float), DDPM_MEMORY_ACTIVATIONS));
    DDPM_TRY(ddpm_memory_alloc(&s->rstd, groups, sizeof(float), DDPM_MEMORY_ACTIVATIONS));
    const size_t conv = ddpm_conv3x3_scratch_bytes(s->plan);
    const size_t norm = ddpm_norm_scratch_bytes(&s->norm);
    *scratch = *scratch > conv ? *scratch : conv;
    *scratch = *scratch > norm ? *scratch : norm;
    return DDPM_OK;
}

static ddpm_status build(ddpm_classifier *c)
{
    const size_t n = c->shape.n, features = DDPM_CLASSIFIER_FEATURES;
    size_t scratch = 0;
    ddpm_shape in = c->shape;
    for (size_t i = 0; i < CLASSIFIER_STAGES; i++) {
        DDPM_TRY(
            build_stage(&c->stage[i], &c->floats, &scratch, in, stage_channels[i], i == 0 ? 1 : 2));
        in = c->stage[i].norm.shape;
    }
    c->dense_w = take(&c->floats, features * c->classes);
    c->dense_bias = take(&c->floats, c->classes);
    DDPM_TRY(ddpm_memory_alloc(&c->weights, c->floats, sizeof(float), DDPM_MEMORY_WEIGHTS));
    DDPM_TRY(ddpm_memory_alloc(&c->features, n, features * sizeof(float), DDPM_MEMORY_ACTIVATIONS));
    DDPM_TRY(
        ddpm_memory_alloc(&c->d_features, n, features * sizeof(float), DDPM_MEMORY_ACTIVATIONS));
    DDPM_TRY(ddpm_memory_alloc(&c->logits, n, c->classes * sizeof(float), DDPM_MEMORY_ACTIVATIONS));
    return ddpm_memory_alloc(&c->scratch, scratch, 1, DDPM_MEMORY_SCRATCH);
}

/* Uniform with variance 2 / fan_in (He et al. 2015). */
static void draw(float *w, size_t count, size_t fan_in, size_t offset, uint64_t seed)
{
    const ddpm_random random = { .seed = seed,
                                 .index = offset,
                                 .purpose = DDPM_RANDOM_EVAL_CLASSIFIER };
    const double limit = sqrt(6.0 / (double)fan_in);
    ddpm_random_uniform(w, count, &random);
    for (size_t i = 0; i < count; i++) w[i] = (float)(limit * (2.0 * (double)w[i] - 1.0));
}

static void init(ddpm_classifier *c)
{
    for (size_t i = 0; i < CLASSIFIER_STAGES; i++) {
        const classifier_stage *s = &c->stage[i];
        const size_t fan_in = 9 * s->input_channels, k = stage_channels[i];
        draw(c->weights + s->w, fan_in * k, fan_in, s->w, c->seed);
        for (size_t j = 0; j < k; j++) c->weights[s->gamma + j] = 1.0f;
    }
    draw(c->weights + c->dense_w, DDPM_CLASSIFIER_FEATURES * c->classes, DDPM_CLASSIFIER_FEATURES,
         c->dense_w, c->seed);
}

ddpm_status ddpm_classifier_create(ddpm_classifier **out, ddpm_shape shape, size_t classes,
                                   uint64_t seed)
{
    if (classes < 2)
        return ddpm_fail(DDPM_ECONFIG, "a classifier takes labels of at least two classes");
    if (shape.h < 8 || shape.w < 8)
        return ddpm_fail(DDPM_ECONFIG,
                         "images of %zu x %zu are too small to classify; 8 x 8 would do", shape.h,
                         shape.w);
    ddpm_classifier *c = calloc(1, sizeof *c);
    if (!c) return ddpm_fail(DDPM_EOS, "out of memory for a classifier");
    c->shape = (ddpm_shape){ DDPM_CLASSIFIER_BATCH, shape.h, shape.w, shape.c };
    c->classes = classes;
    c->seed = seed;
    const ddpm_status status = build(c);
    if (status == DDPM_OK) {
        init(c);
        *out = c;
    } else
        ddpm_classifier_free(c);
    return status;
}

void ddpm_classifier_free(ddpm_classifier *c)
{
    if (!c) return;
    for (size_t i = 0; i < CLASSIFIER_STAGES; i++) {
        classifier_stage *s = &c->stage[i];
        ddpm_conv3x3_plan_free(s->plan);
        ddpm_memory_free(s->conv);
        ddpm_memory_free(s->out);
        ddpm_memory_free(s->d_out);
        ddpm_memory_free(s->d_conv);
        ddpm_memory_free(s->mean);
        ddpm_memory_free(s->rstd);
    }
    ddpm_memory_free(c->weights);
    ddpm_memory_free(c->features);
    ddpm_memory_free(c->d_features);
    ddpm_memory_free(c->logits);
    ddpm_memory_free(c->scratch);
    free(c);
}

float *ddpm_classifier_weights(ddpm_classifier *c, size_t *floats)
{
    *floats = c->floats;
    return c->weights;
}

ddpm_shape ddpm_classifier_shape(const ddpm_classifier *c)
{
    return (ddpm_shape){ 0, c->shape.h, c->shape.w, c->shape.c };
}

void ddpm_classifier_hash(char hash[33], const ddpm_classifier *c)
{
    ddpm_xxh128_hex(hash, c->weights, c->floats * sizeof *c->weights);
}
