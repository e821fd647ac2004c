#include "tape.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

enum { DOWN, UP };

typedef struct {
    ddpm_nn__tape *tape;
    ddpm_nn__build *build;
    const ddpm_unet_config *config;
} writer;

/* The most operations: time embedding, conv_in, three in the middle, the tail; on each level
 * blocks + blocks + 1 residual blocks, each with attention, and a resampling each way. */
static size_t most_operations(const ddpm_unet_config *config)
{
    return 6 + config->levels * (2 * (2 * config->blocks + 1) + 2);
}

/* The operation reads the value when it runs forward and again when it runs backward. Its memory
 * lives from the operation that makes it. Inference reads the network's input where the caller has
 * it; training copies it, for the caller's may change before the backward pass. */
static void use(writer *w, size_t value, size_t operation)
{
    ddpm_nn__build *build = w->build;
    if (value == DDPM_NN__NO_VALUE || (value == DDPM_NN__INPUT && !build->training)) return;
    if (build->status != DDPM_OK) return;
    ddpm_nn__value *v = &w->tape->value[value];
    const size_t made = value == DDPM_NN__INPUT ? 0 : value - 1;
    const size_t last = build->training ? ddpm_nn__backward_step(operation) : operation;
    if (v->data == DDPM_NN__NO_BUFFER)
        build->status = ddpm_nn__plan_add(&v->data, &build->plan,
                                          ddpm_shape_count(v->shape) * sizeof(float), made, last);
    else
        ddpm_nn__plan_extend(&build->plan, v->data, last);
}

static ddpm_nn__op *begin(writer *w, ddpm_nn__op_kind kind, size_t x, const char *name)
{
    ddpm_nn__op *op = &w->tape->op[w->tape->count];
    w->build->operation = w->tape->count;
    *op = (ddpm_nn__op){ .kind = kind,
                         .x = x,
                         .skip = DDPM_NN__NO_VALUE,
                         .dx = DDPM_NN__NO_BUFFER,
                         .param_begin = w->build->params.total,
                         .macs = w->build->macs };
    snprintf(op->name, sizeof op->name, "%s", name);
    return op;
}

/* Returns the value that the operation makes. */
static size_t end(writer *w, ddpm_nn__op *op, ddpm_shape shape)
{
    const size_t operation = w->tape->count++, y = operation + 1;
    op->param_end = w->build->params.total;
    op->macs = w->build->macs - op->macs;
    w->tape->value[y] = (ddpm_nn__value){ .shape = shape,
                                          .data = DDPM_NN__NO_BUFFER,
                                          .grad = DDPM_NN__NO_BUFFER };
    use(w, op->x, operation);
    use(w, op->skip, operation);
    if (op->kind == DDPM_NN__RESBLOCK) use(w, DDPM_NN__E, operation);
    return y;
}

static ddpm_shape shape_of(const writer *w, size_t value)
{
    return w->tape->value[value].shape;
}

static size_t time_embedding(writer *w, size_t batch)
{
    ddpm_nn__op *op = begin(w, DDPM_NN__TIME_EMBEDDING, DDPM_NN__NO_VALUE, "time_embedding");
    ddpm_nn__time_embedding_add(&op->block.time, w->build, op->name, batch, w->config->channels,
                                w->config->classes);
    return end(w, op, (ddpm_shape){ .n = batch, .h = 1, .w = 1, .c = op->block.time.width });
}

static size_t conv_block(writer *w, size_t x, const char *prefix, const char *name,
                         ddpm_nn__conv_block_config config)
{
    ddpm_nn__op *op = begin(w, DDPM_NN__CONV_BLOCK, x, *prefix ? prefix : name);
    config.in = shape_of(w, x);
    config.groups = w->config->groups;
    config.epsilon = w->config->epsilon;
    ddpm_nn__conv_block_add(&op->block.conv, w->build, prefix, name, &config);
    return end(w, op, ddpm_conv3x3_out_shape(&op->block.conv.conv.op));
}

static size_t resblock(writer *w, size_t h, size_t skip, size_t out, const char *prefix)
{
    ddpm_nn__op *op = begin(w, DDPM_NN__RESBLOCK, h, prefix);
    op->skip = skip;
    const ddpm_nn__resblock_config config = {
        .in = shape_of(w, h),
        .skip = skip == DDPM_NN__NO_VALUE ? 0 : shape_of(w, skip).c,
        .out = out,
        .width = shape_of(w, DDPM_NN__E).c,
        .groups = w->config->groups,
        .epsilon = w->config->epsilon,
        .dropout = w->config->dropout,
        .layer = w->tape->resblocks++,
    };
    ddpm_nn__resblock_add(&op->block.res, w->build, prefix, &config);
    ddpm_shape shape = config.in;
    shape.c = out;
    return end(w, op, shape);
}

static size_t attention_block(writer *w, size_t x, const char *prefix)
{
    ddpm_nn__op *op = begin(w, DDPM_NN__ATTENTION_BLOCK, x, prefix);
    ddpm_nn__attention_block_add(&op->block.attention, w->build, prefix, shape_of(w, x),
                                 w->config->groups, w->config->epsilon);
    return end(w, op, shape_of(w, x));
}

static bool has_attention(const ddpm_unet_config *config, size_t height)
{
    for (size_t i = 0; i < config->attention_count; i++)
        if (config->attention[i] == height) return true;
    return false;
}

/* Block `index` of a level, with its attention where the configuration asks for it. `stage` counts
 * the levels in the order of the pass. */
static size_t level_block(writer *w, size_t h, size_t skip, size_t level, int way, size_t stage,
                          size_t index)
{
    const char *const side = way == DOWN ? "down_blocks" : "up_blocks";
    const ddpm_unet_config *config = w->config;
    char prefix[64];
    snprintf(prefix, sizeof prefix, "%s.%zu.resnets.%zu", side, stage, index);
    h = resblock(w, h, skip, config->channels * config->mult[level], prefix);
    if (!has_attention(config, config->height >> level)) return h;
    snprintf(prefix, sizeof prefix, "%s.%zu.attentions.%zu", side, stage, index);
    return attention_block(w, h, prefix);
}

static size_t resample(writer *w, size_t h, int way, size_t stage)
{
    char prefix[64];
    snprintf(prefix, sizeof prefix, "%s.%zu.%s.0", way == DOWN ? "down_blocks" : "up_blocks", stage,
             way == DOWN ? "downsamplers" : "upsamplers");
    return conv_block(
        w, h, prefix, "conv",
        (ddpm_nn__conv_block_config){ .out = shape_of(w, h).c,
                                      .stride = way == DOWN ? 2 : 1,
                                      .before = way == DOWN ? DDPM_NN__PLAIN : DDPM_NN__UPSAMPLE,
                                      .init_scale = 1.0 });
}

static void write_unet(writer *w, size_t batch, size_t *skips)
{
    const ddpm_unet_config *config = w->config;
    const size_t levels = config->levels, blocks = config->blocks;
    size_t depth = 0; /* of the stack of skips */
    time_embedding(w, batch);
    size_t h = conv_block(
        w, DDPM_NN__INPUT, "", "conv_in",
        (ddpm_nn__conv_block_config){ .out = config->channels, .stride = 1, .init_scale = 1.0 });
    skips[depth++] = h;
    for (size_t level = 0; level < levels; level++) {
        for (size_t index = 0; index < blocks; index++) {
            h = level_block(w, h, DDPM_NN__NO_VALUE, level, DOWN, level, index);
            skips[depth++] = h;
        }
        if (level + 1 == levels) break;
        h = resample(w, h, DOWN, level);
        skips[depth++] = h;
    }

    const size_t deepest = shape_of(w, h).c;
    h = resblock(w, h, DDPM_NN__NO_VALUE, deepest, "mid_block.resnets.0");
    h = attention_block(w, h, "mid_block.attentions.0");
    h = resblock(w, h, DDPM_NN__NO_VALUE, deepest, "mid_block.resnets.1");

    for (size_t stage = 0; stage < levels; stage++) {
        const size_t level = levels - 1 - stage;
        for (size_t index = 0; index <= blocks; index++)
            h = level_block(w, h, skips[--depth], level, UP, stage, index);
        if (level > 0) h = resample(w, h, UP, stage);
    }
    assert(depth == 0);
    conv_block(w, h, "", "conv_out",
               (ddpm_nn__conv_block_config){ .out = config->out_channels,
                                             .stride = 1,
                                             .before = DDPM_NN__NORM_SILU,
                                             .init_scale = 1e-10 });
}

/* A gradient lives from the last operation that takes the value, the first one to run backward,
 * to the one that made it. */
static void add_gradient(writer *w, size_t value, size_t operation)
{
    if (w->build->status != DDPM_OK) return;
    ddpm_nn__value *v = &w->tape->value[value];
    w->build->status = ddpm_nn__plan_add(
        &v->grad, &w->build->plan, ddpm_shape_count(v->shape) * sizeof(float),
        ddpm_nn__backward_step(operation), ddpm_nn__backward_step(value - 1));
}

static void plan_gradients(writer *w)
{
    ddpm_nn__tape *tape = w->tape;
    add_gradient(w, DDPM_NN__E, tape->count - 1);
    for (size_t i = tape->count; i-- > 1;) {
        ddpm_nn__op *op = &tape->op[i];
        if (op->skip != DDPM_NN__NO_VALUE) {
            op->starts_skip = tape->value[op->skip].grad == DDPM_NN__NO_BUFFER;
            if (op->starts_skip) add_gradient(w, op->skip, i);
        }
        if (op->x == DDPM_NN__INPUT) continue;
        op->adds = tape->value[op->x].grad != DDPM_NN__NO_BUFFER;
        w->build->operation = i;
        if (op->adds)
            op->dx = ddpm_nn__add_floats(w->build, ddpm_shape_count(shape_of(w, op->x)),
                                         DDPM_NN__BACKWARD);
        else
            add_gradient(w, op->x, i);
    }
}

ddpm_status ddpm_nn__tape_create(ddpm_nn__tape *tape, ddpm_nn__build *build,
                                 const ddpm_unet_config *config, size_t batch)
{
    const size_t most = most_operations(config);
    writer w = { .tape = tape, .build = build, .config = config };
    *tape = (ddpm_nn__tape){ .op = calloc(most, sizeof *tape->op),
                             .value = calloc(most + 1, sizeof *tape->value) };
    size_t *skips = calloc(most, sizeof *skips);
    if (!tape->op || !tape->value || !skips) {
        free(skips);
        return ddpm_fail(DDPM_EOS, "out of memory: a tape of %zu operations", most);
    }
    tape->value[DDPM_NN__INPUT] = (ddpm_nn__value){ .shape = { batch, config->height, config->width,
                                                               config->in_channels },
                                                    .data = DDPM_NN__NO_BUFFER,
                                                    .grad = DDPM_NN__NO_BUFFER };
    write_unet(&w, batch, skips);
    assert(tape->count <= most);
    free(skips);
    if (build->training) plan_gradients(&w);
    return ddpm_nn__build_finish(build);
}

size_t ddpm_nn__op_convs(ddpm_nn__conv *convs[2], ddpm_nn__op *op)
{
    switch (op->kind) {
    case DDPM_NN__CONV_BLOCK: convs[0] = &op->block.conv.conv; return 1;
    case DDPM_NN__RESBLOCK:
        convs[0] = &op->block.res.conv1;
        convs[1] = &op->block.res.conv2;
        return 2;
    case DDPM_NN__TIME_EMBEDDING:
    case DDPM_NN__ATTENTION_BLOCK: break;
    }
    return 0;
}

void ddpm_nn__tape_free(ddpm_nn__tape *tape)
{
    for (size_t i = 0; i < tape->count; i++) {
        ddpm_nn__conv *convs[2];
        const size_t count = ddpm_nn__op_convs(convs, &tape->op[i]);
        for (size_t k = 0; k < count; k++) ddpm_nn__conv_free(convs[k]);
    }
    free(tape->op);
    free(tape->value);
    *tape = (ddpm_nn__tape){ 0 };
}
