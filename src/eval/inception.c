#include "inception.h"

#include "ddpm/base/memory.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

static ddpm_status allocate(ddpm_inception *net)
{
    const inception_plan *plan = &net->plan;
    for (size_t i = 0; i < plan->steps; i++) {
        if (plan->step[i].kind != INCEPTION_CONV) continue;
        const size_t bytes = ddpm_conv2d_scratch_bytes(&plan->step[i].conv);
        net->scratch_bytes = net->scratch_bytes > bytes ? net->scratch_bytes : bytes;
    }
    for (size_t i = 0; i < INCEPTION_BUFFERS; i++)
        DDPM_TRY(ddpm_memory_alloc(&net->buffer[i], plan->buffer_floats[i], sizeof(float),
                                   DDPM_MEMORY_ACTIVATIONS));
    DDPM_TRY(ddpm_memory_alloc(&net->weights, plan->floats, sizeof(float), DDPM_MEMORY_WEIGHTS));
    return ddpm_memory_alloc(&net->scratch, net->scratch_bytes, 1, DDPM_MEMORY_SCRATCH);
}

ddpm_status ddpm_inception_create(ddpm_inception **out)
{
    ddpm_inception *net = calloc(1, sizeof *net);
    if (!net) return ddpm_fail(DDPM_EOS, "out of memory for a network");
    inception_plan_make(&net->plan, DDPM_INCEPTION_BATCH);
    const ddpm_status status = allocate(net);
    if (status == DDPM_OK)
        *out = net;
    else
        ddpm_inception_free(net);
    return status;
}

void ddpm_inception_free(ddpm_inception *net)
{
    if (!net) return;
    for (size_t i = 0; i < INCEPTION_BUFFERS; i++) ddpm_memory_free(net->buffer[i]);
    ddpm_memory_free(net->weights);
    ddpm_memory_free(net->scratch);
    free(net);
}

float *ddpm_inception_weights(ddpm_inception *net, size_t *floats)
{
    *floats = net->plan.floats;
    return net->weights;
}

ddpm_status ddpm_inception_accepts(ddpm_shape shape)
{
    if (shape.c == 1 || shape.c == 3) return DDPM_OK;
    return ddpm_fail(DDPM_ECONFIG,
                     "Inception takes grey images and those of three colours; these have %zu "
                     "channels",
                     shape.c);
}

/* As a PNG file would keep it. */
static void round_to_bytes(float *x, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const float byte = nearbyintf((x[i] + 1.0f) * 127.5f);
        x[i] = fminf(fmaxf(byte, 0.0f), 255.0f) / 127.5f - 1.0f;
    }
}

/* To 299 x 299 and three channels. Scaling to [-1,1] before resizing or after is the same. */
static void enter(ddpm_inception *net, const float *x, ddpm_shape shape)
{
    const size_t pixels = shape.n * INCEPTION_SIDE * INCEPTION_SIDE;
    float *to = net->buffer[0], *grey = net->buffer[2];
    assert(pixels <= net->plan.buffer_floats[2]);
    if (shape.c == 3) {
        ddpm_resize_bilinear_forward(to, x, shape, INCEPTION_SIDE, INCEPTION_SIDE);
        return;
    }
    ddpm_resize_bilinear_forward(grey, x, shape, INCEPTION_SIDE, INCEPTION_SIDE);
    for (size_t i = 0; i < pixels; i++) to[3 * i] = to[3 * i + 1] = to[3 * i + 2] = grey[i];
}

static void run(const inception_step *step, size_t n, ddpm_inception *net)
{
    float *to = net->buffer[step->to] + step->channel;
    const float *from = net->buffer[step->from];
    if (step->kind == INCEPTION_CONV) {
        ddpm_conv2d conv = step->conv;
        conv.in.n = n;
        ddpm_conv2d_forward(to, from, net->weights + step->w, net->weights + step->bias,
                            net->scratch, net->scratch_bytes, &conv);
    } else {
        ddpm_pool3x3 pool = step->pool;
        pool.in.n = n;
        ddpm_pool3x3_forward(to, from, &pool);
    }
}

void ddpm_inception_features(float *features, float *x, ddpm_shape shape, ddpm_inception *net)
{
    assert(shape.n >= 1 && shape.n <= DDPM_INCEPTION_BATCH && (shape.c == 1 || shape.c == 3));
    round_to_bytes(x, ddpm_shape_count(shape));
    enter(net, x, shape);
    for (size_t i = 0; i < net->plan.steps; i++) run(&net->plan.step[i], shape.n, net);
    ddpm_shape out = net->plan.out;
    out.n = shape.n;
    ddpm_pool_all_forward(features, net->buffer[net->plan.last], out);
}
