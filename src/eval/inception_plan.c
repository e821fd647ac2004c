/* The network as tables: what a block of each kind consists of, and which blocks there are (Szegedy
 * et al. 2016; names and channels are torchvision's, pools those of pytorch-fid). */
#include "inception.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* X holds the input of a block, Y its output, to which every row that goes there adds channels. */
typedef enum { X, Y, S, T } place;
typedef enum { CONV, MEAN, MAX, POOL /* the block says which */ } row_kind;
typedef enum { VALID, SAME } padding;

typedef struct {
    row_kind kind;
    place from, to;
    size_t kh, kw, stride;
    padding padding;
    size_t k; /* output channels; 0: the block says how many */
    const char *name;
} row;

static const row stem[] = {
    { CONV, X, S, 3, 3, 2, VALID, 32, "Conv2d_1a_3x3" },
    { CONV, S, T, 3, 3, 1, VALID, 32, "Conv2d_2a_3x3" },
    { CONV, T, S, 3, 3, 1, SAME, 64, "Conv2d_2b_3x3" },
    { MAX, S, T, 3, 3, 2, VALID, 0, NULL },
    { CONV, T, S, 1, 1, 1, VALID, 80, "Conv2d_3b_1x1" },
    { CONV, S, T, 3, 3, 1, VALID, 192, "Conv2d_4a_3x3" },
    { MAX, T, Y, 3, 3, 2, VALID, 0, NULL },
    { 0 },
};
static const row block_a[] = {
    { CONV, X, Y, 1, 1, 1, SAME, 64, "branch1x1" },
    { CONV, X, S, 1, 1, 1, SAME, 48, "branch5x5_1" },
    { CONV, S, Y, 5, 5, 1, SAME, 64, "branch5x5_2" },
    { CONV, X, S, 1, 1, 1, SAME, 64, "branch3x3dbl_1" },
    { CONV, S, T, 3, 3, 1, SAME, 96, "branch3x3dbl_2" },
    { CONV, T, Y, 3, 3, 1, SAME, 96, "branch3x3dbl_3" },
    { POOL, X, S, 3, 3, 1, SAME, 0, NULL },
    { CONV, S, Y, 1, 1, 1, SAME, 0, "branch_pool" },
    { 0 },
};
static const row block_b[] = {
    { CONV, X, Y, 3, 3, 2, VALID, 384, "branch3x3" },
    { CONV, X, S, 1, 1, 1, SAME, 64, "branch3x3dbl_1" },
    { CONV, S, T, 3, 3, 1, SAME, 96, "branch3x3dbl_2" },
    { CONV, T, Y, 3, 3, 2, VALID, 96, "branch3x3dbl_3" },
    { MAX, X, Y, 3, 3, 2, VALID, 0, NULL },
    { 0 },
};
static const row block_c[] = {
    { CONV, X, Y, 1, 1, 1, SAME, 192, "branch1x1" },
    { CONV, X, S, 1, 1, 1, SAME, 0, "branch7x7_1" },
    { CONV, S, T, 1, 7, 1, SAME, 0, "branch7x7_2" },
    { CONV, T, Y, 7, 1, 1, SAME, 192, "branch7x7_3" },
    { CONV, X, S, 1, 1, 1, SAME, 0, "branch7x7dbl_1" },
    { CONV, S, T, 7, 1, 1, SAME, 0, "branch7x7dbl_2" },
    { CONV, T, S, 1, 7, 1, SAME, 0, "branch7x7dbl_3" },
    { CONV, S, T, 7, 1, 1, SAME, 0, "branch7x7dbl_4" },
    { CONV, T, Y, 1, 7, 1, SAME, 192, "branch7x7dbl_5" },
    { POOL, X, S, 3, 3, 1, SAME, 0, NULL },
    { CONV, S, Y, 1, 1, 1, SAME, 192, "branch_pool" },
    { 0 },
};
static const row block_d[] = {
    { CONV, X, S, 1, 1, 1, SAME, 192, "branch3x3_1" },
    { CONV, S, Y, 3, 3, 2, VALID, 320, "branch3x3_2" },
    { CONV, X, S, 1, 1, 1, SAME, 192, "branch7x7x3_1" },
    { CONV, S, T, 1, 7, 1, SAME, 192, "branch7x7x3_2" },
    { CONV, T, S, 7, 1, 1, SAME, 192, "branch7x7x3_3" },
    { CONV, S, Y, 3, 3, 2, VALID, 192, "branch7x7x3_4" },
    { MAX, X, Y, 3, 3, 2, VALID, 0, NULL },
    { 0 },
};
static const row block_e[] = {
    { CONV, X, Y, 1, 1, 1, SAME, 320, "branch1x1" },
    { CONV, X, S, 1, 1, 1, SAME, 384, "branch3x3_1" },
    { CONV, S, Y, 1, 3, 1, SAME, 384, "branch3x3_2a" },
    { CONV, S, Y, 3, 1, 1, SAME, 384, "branch3x3_2b" },
    { CONV, X, S, 1, 1, 1, SAME, 448, "branch3x3dbl_1" },
    { CONV, S, T, 3, 3, 1, SAME, 384, "branch3x3dbl_2" },
    { CONV, T, Y, 1, 3, 1, SAME, 384, "branch3x3dbl_3a" },
    { CONV, T, Y, 3, 1, 1, SAME, 384, "branch3x3dbl_3b" },
    { POOL, X, S, 3, 3, 1, SAME, 0, NULL },
    { CONV, S, Y, 1, 1, 1, SAME, 192, "branch_pool" },
    { 0 },
};

/* The last pool is a maximum where all others are means: so it was in TensorFlow's graph of 2015.
 */
static const struct {
    const char *name;
    const row *rows;
    size_t k; /* of rows with 0 */
    row_kind pool;
} blocks[] = {
    { NULL, stem, 0, MAX },
    { "Mixed_5b", block_a, 32, MEAN },
    { "Mixed_5c", block_a, 64, MEAN },
    { "Mixed_5d", block_a, 64, MEAN },
    { "Mixed_6a", block_b, 0, MAX },
    { "Mixed_6b", block_c, 128, MEAN },
    { "Mixed_6c", block_c, 160, MEAN },
    { "Mixed_6d", block_c, 160, MEAN },
    { "Mixed_6e", block_c, 192, MEAN },
    { "Mixed_7a", block_d, 0, MAX },
    { "Mixed_7b", block_e, 0, MEAN },
    { "Mixed_7c", block_e, 0, MAX },
};
enum { BLOCKS = sizeof blocks / sizeof *blocks };

static size_t take(size_t *floats, size_t count)
{
    const size_t at = *floats;
    *floats += (count + 15) / 16 * 16;
    return at;
}

static ddpm_shape plan_conv(inception_step *step, size_t *floats, const row *r, size_t k,
                            ddpm_shape in)
{
    const bool same = r->padding == SAME;
    step->kind = INCEPTION_CONV;
    step->conv = (ddpm_conv2d){ .in = in,
                                .k = k,
                                .kh = r->kh,
                                .kw = r->kw,
                                .stride = r->stride,
                                .pad_h = same ? r->kh / 2 : 0,
                                .pad_w = same ? r->kw / 2 : 0,
                                .y_stride = k,
                                .relu = true };
    step->w = take(floats, r->kh * r->kw * in.c * k);
    step->bias = take(floats, k);
    return ddpm_conv2d_out_shape(&step->conv);
}

static ddpm_shape plan_pool(inception_step *step, const row *r, bool mean, ddpm_shape in)
{
    step->kind = mean ? INCEPTION_MEAN : INCEPTION_MAX;
    step->pool = (ddpm_pool3x3){
        .in = in, .stride = r->stride, .pad = r->padding == SAME, .y_stride = in.c, .mean = mean
    };
    return ddpm_pool3x3_out_shape(&step->pool);
}

/* Plans block b, whose input is in buffer x; its output in buffer 1 - x. */
static void plan_block(inception_plan *plan, size_t b, size_t x, ddpm_shape *shape)
{
    const size_t first = plan->steps, buffer[] = { [X] = x, [Y] = 1 - x, [S] = 2, [T] = 3 };
    ddpm_shape at[INCEPTION_BUFFERS] = { [X] = *shape };
    for (const row *r = blocks[b].rows; r->kh; r++) {
        assert(plan->steps < INCEPTION_STEPS);
        inception_step *step = &plan->step[plan->steps++];
        const row_kind kind = r->kind == POOL ? blocks[b].pool : r->kind;
        step->from = buffer[r->from];
        step->to = buffer[r->to];
        if (r->name)
            snprintf(step->name, sizeof step->name, "%s%s%s", blocks[b].name ? blocks[b].name : "",
                     blocks[b].name ? "." : "", r->name);
        ddpm_shape out = kind == CONV ? plan_conv(step, &plan->floats, r, r->k ? r->k : blocks[b].k,
                                                  at[r->from])
                                      : plan_pool(step, r, kind == MEAN, at[r->from]);
        if (r->to == Y) {
            step->channel = at[Y].c;
            out.c += at[Y].c;
        }
        at[r->to] = out;
        const size_t count = ddpm_shape_count(out);
        size_t *most = &plan->buffer_floats[step->to];
        *most = *most > count ? *most : count;
    }
    for (size_t i = first; i < plan->steps; i++)
        if (plan->step[i].to == buffer[Y])
            plan->step[i].conv.y_stride = plan->step[i].pool.y_stride = at[Y].c;
    *shape = at[Y];
}

void inception_plan_make(inception_plan *plan, size_t n)
{
    ddpm_shape shape = { n, INCEPTION_SIDE, INCEPTION_SIDE, 3 };
    memset(plan, 0, sizeof *plan);
    plan->buffer_floats[0] = ddpm_shape_count(shape);
    for (size_t b = 0; b < BLOCKS; b++) {
        plan_block(plan, b, plan->last, &shape);
        plan->last = 1 - plan->last;
    }
    plan->out = shape;
    assert(shape.c == DDPM_INCEPTION_FEATURES);
}
