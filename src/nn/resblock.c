#include "resblock.h"

#include "ddpm/kernels/elementwise.h"
#include "ddpm/kernels/resample.h"

#include <assert.h>
#include <string.h>

static void add_buffers(ddpm_nn__resblock *block, ddpm_nn__build *build, ddpm_shape joined,
                        ddpm_shape out)
{
    const bool has_skip = block->config.skip > 0, drops = block->config.dropout > 0.0f;
    const size_t x = ddpm_shape_count(joined), u = ddpm_shape_count(out), none = DDPM_NN__NO_BUFFER;
    block->u = ddpm_nn__add_floats(build, u, DDPM_NN__KEPT);

    block->forward.x = has_skip ? ddpm_nn__add_floats(build, x, DDPM_NN__FORWARD) : none;
    /* Behind the shortcut nothing reads the joined x any more: a takes its place. */
    block->forward.a = has_skip && block->has_shortcut && !(build->training && build->keep)
                           ? block->forward.x
                           : ddpm_nn__add_floats(build, x, DDPM_NN__FORWARD);
    block->forward.proj = ddpm_nn__add_floats(build, out.n * out.c, DDPM_NN__FORWARD);
    block->forward.b = build->training ? ddpm_nn__add_floats(build, u, DDPM_NN__FORWARD) : block->u;
    block->forward.mask = drops ? ddpm_nn__add_buffer(build, u, DDPM_NN__FORWARD) : none;

    block->kept = build->training && build->keep;
    block->backward.x = ddpm_nn__add_again(build, block->forward.x);
    /* Without a skip a is done again where dh will be. */
    block->backward.a = has_skip || block->kept ? ddpm_nn__add_again(build, block->forward.a)
                                                : none;
    block->backward.proj = ddpm_nn__add_floats(build, out.n * out.c, DDPM_NN__BACKWARD);
    block->backward.b = ddpm_nn__add_again(build, block->forward.b);
    block->backward.mask = ddpm_nn__add_again(build, block->forward.mask);
}

void ddpm_nn__resblock_add(ddpm_nn__resblock *block, ddpm_nn__build *build, const char *prefix,
                           const ddpm_nn__resblock_config *config)
{
    ddpm_shape joined = config->in, out = config->in;
    joined.c += config->skip;
    out.c = config->out;
    *block = (ddpm_nn__resblock){
        .config = *config,
        .has_shortcut = joined.c != out.c,
        .drop = { .shape = out, .p = config->dropout, .layer = config->layer },
    };
    ddpm_norm norm = {
        .shape = joined, .groups = config->groups, .epsilon = config->epsilon, .silu = true
    };
    ddpm_conv3x3 conv = { .in = joined, .k = out.c, .stride = 1 };
    const ddpm_linear proj = { .rows = out.n, .c = config->width, .k = out.c };
    const ddpm_linear shortcut = { .rows = ddpm_shape_pixels(out), .c = joined.c, .k = out.c };
    ddpm_nn__norm_add(&block->norm1, build, prefix, "norm1", &norm);
    ddpm_nn__conv_add(&block->conv1, build, prefix, "conv1", &conv, 1.0);
    ddpm_nn__linear_add(&block->time_emb_proj, build, prefix, "time_emb_proj", &proj, 1.0, false);
    norm.shape = conv.in = out;
    ddpm_nn__norm_add(&block->norm2, build, prefix, "norm2", &norm);
    ddpm_nn__conv_add(&block->conv2, build, prefix, "conv2", &conv, 1e-10);
    if (block->has_shortcut)
        ddpm_nn__linear_add(&block->shortcut, build, prefix, "conv_shortcut", &shortcut, 1.0, true);
    add_buffers(block, build, joined, out);
}

void ddpm_nn__resblock_free(ddpm_nn__resblock *block)
{
    ddpm_nn__conv_free(&block->conv1);
    ddpm_nn__conv_free(&block->conv2);
}

/* x = [h, skip] in `joined`; without a skip, h itself. */
static const float *join(float *joined, const float *h, const float *skip,
                         const ddpm_nn__resblock_config *config)
{
    if (!skip) return h;
    ddpm_concat_forward(joined, h, skip, ddpm_shape_pixels(config->in), config->in.c, config->skip);
    return joined;
}

static bool will_drop(const ddpm_nn__resblock *block, const ddpm_nn__run *run)
{
    return run->draw && block->drop.p > 0.0f;
}

static bool draw_mask(uint8_t *mask, const ddpm_nn__resblock *block, const ddpm_nn__run *run)
{
    if (!will_drop(block, run)) return false;
    run->draw(mask, run->seed, run->sample_index, &block->drop);
    return true;
}

void ddpm_nn__resblock_forward(float *y, const float *h, const float *skip, const float *e,
                               const ddpm_nn__resblock *block, const ddpm_nn__run *run)
{
    float *u = ddpm_nn__at(run, block->u), *a = ddpm_nn__at(run, block->forward.a);
    float *proj = ddpm_nn__at(run, block->forward.proj), *b = ddpm_nn__at(run, block->forward.b);
    uint8_t *mask = ddpm_nn__at(run, block->forward.mask);
    assert(!skip == !block->config.skip);

    const float *x = join(ddpm_nn__at(run, block->forward.x), h, skip, &block->config), *r = x;
    if (block->has_shortcut) {
        ddpm_nn__linear_forward(y, x, NULL, &block->shortcut, run);
        r = y;
    }
    ddpm_nn__norm_forward(a, x, &block->norm1, run);
    ddpm_nn__linear_forward(proj, e, NULL, &block->time_emb_proj, run);
    ddpm_nn__conv_forward(u, a, proj, NULL, &block->conv1, run);
    ddpm_nn__norm_forward(b, u, &block->norm2, run);
    if (draw_mask(mask, block, run)) ddpm_dropout_apply(b, b, mask, &block->drop);
    ddpm_nn__conv_forward(y, b, NULL, r, &block->conv2, run);
}

void ddpm_nn__resblock_backward(float *dh, float *dskip, float *de, const float *dy, const float *h,
                                const float *skip, const float *e, const ddpm_nn__resblock *block,
                                const ddpm_nn__run *run)
{
    const float *u = ddpm_nn__at(run, block->u);
    float *b = ddpm_nn__at(run, block->backward.b), *db = b, *du = b;
    float *a = skip || block->kept ? ddpm_nn__at(run, block->backward.a) : dh, *da = a;
    float *dx = skip ? a : dh;
    float *dproj = ddpm_nn__at(run, block->backward.proj);
    uint8_t *mask = ddpm_nn__at(run, block->backward.mask);
    assert(!skip == !block->config.skip);

    const bool drops = block->kept ? will_drop(block, run) : draw_mask(mask, block, run);
    if (!block->kept) {
        ddpm_nn__norm_reapply(b, u, &block->norm2, run);
        if (drops) ddpm_dropout_apply(b, b, mask, &block->drop);
    }
    /* y = conv2(b) + r */
    ddpm_nn__conv_backward_weights(NULL, dy, b, &block->conv2, run);
    ddpm_nn__conv_backward_data(db, dy, &block->conv2, run);
    /* b = drop(silu(norm2(u))) */
    if (drops) ddpm_dropout_apply(db, db, mask, &block->drop);
    ddpm_nn__norm_backward(du, db, u, &block->norm2, run);

    const float *x = skip ? ddpm_nn__at(run, block->backward.x) : h;
    if (!block->kept) {
        x = join(ddpm_nn__at(run, block->backward.x), h, skip, &block->config);
        ddpm_nn__norm_reapply(a, x, &block->norm1, run);
    }
    /* u = conv1(a) + proj */
    memset(dproj, 0, block->drop.shape.n * block->drop.shape.c * sizeof *dproj);
    ddpm_nn__conv_backward_weights(dproj, du, a, &block->conv1, run);
    ddpm_nn__conv_backward_data(da, du, &block->conv1, run);
    /* proj = time_emb_proj(e) */
    ddpm_nn__linear_backward_weights(dproj, e, &block->time_emb_proj, run);
    ddpm_nn__linear_backward_data_add(de, dproj, &block->time_emb_proj, run);
    /* a = silu(norm1(x)) */
    ddpm_nn__norm_backward(dx, da, x, &block->norm1, run);
    /* r = shortcut(x), or x */
    if (block->has_shortcut) {
        ddpm_nn__linear_backward_weights(dy, x, &block->shortcut, run);
        ddpm_nn__linear_backward_data_add(dx, dy, &block->shortcut, run);
    } else {
        ddpm_add_to(dx, dy, ddpm_shape_count(block->drop.shape));
    }
    /* x = [h, skip] */
    if (skip)
        ddpm_concat_backward(dh, dskip, dx, ddpm_shape_pixels(block->config.in), block->config.in.c,
                             block->config.skip);
}
