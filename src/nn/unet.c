#include "unet_internal.h"

#include "ddpm/base/memory.h"
#include "ddpm/kernels/elementwise.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH_MOST = 65536 };

static ddpm_status build(ddpm_unet *unet, const ddpm_unet_config *config, size_t batch,
                         ddpm_unet_mode mode)
{
    DDPM_TRY(ddpm_unet_check(config));
    if (batch < 1 || batch > BATCH_MOST)
        return ddpm_fail(DDPM_ECONFIG, "a network for %zu images at once; it must be from 1 to %d",
                         batch, BATCH_MOST);
    unet->config = *config;
    unet->batch = batch;
    unet->mode = mode;
    ddpm_nn__build_init(&unet->build, mode == DDPM_UNET_TRAINING);
    unet->build.keep = config->keep;
    unet->build.bf16 = config->bf16 && mode == DDPM_UNET_TRAINING;
    return ddpm_nn__tape_create(&unet->tape, &unet->build, &unet->config, batch);
}

static void dismantle(ddpm_unet *unet)
{
    ddpm_nn__run_free(&unet->run);
    ddpm_nn__tape_free(&unet->tape);
    ddpm_nn__build_free(&unet->build);
    ddpm_memory_free(unet->packed);
    free(unet->sample_index);
    free(unet->class_of_image);
}

ddpm_status ddpm_unet_plan(ddpm_unet_needs *needs, const ddpm_unet_config *config, size_t batch,
                           ddpm_unet_mode mode)
{
    ddpm_unet unet = { 0 };
    const ddpm_status status = build(&unet, config, batch, mode);
    if (status == DDPM_OK)
        *needs = (ddpm_unet_needs){
            .parameters = unet.build.params.parameters,
            .tensors = unet.build.params.count,
            .param_floats = unet.build.params.total,
            .activation_bytes = unet.build.plan.arena_bytes,
            .scratch_bytes = unet.build.scratch_bytes,
            .forward_macs_per_image = unet.build.macs / (double)batch,
        };
    dismantle(&unet);
    return status;
}

ddpm_status ddpm_unet_create(ddpm_unet **out, const ddpm_unet_config *config, size_t batch,
                             ddpm_unet_mode mode)
{
    ddpm_unet *unet = calloc(1, sizeof *unet);
    if (!unet) return ddpm_fail(DDPM_EOS, "out of memory: a network's handle");
    ddpm_status status = build(unet, config, batch, mode);
    if (status != DDPM_OK) goto done;
    unet->sample_index = calloc(batch, sizeof *unet->sample_index);
    if (!unet->sample_index) {
        status = ddpm_fail(DDPM_EOS, "out of memory: the indices of %zu images", batch);
        goto done;
    }
    unet->class_of_image = calloc(batch, sizeof *unet->class_of_image);
    if (!unet->class_of_image) {
        status = ddpm_fail(DDPM_EOS, "out of memory: the classes of %zu images", batch);
        goto done;
    }
    for (size_t i = 0; i < batch; i++) unet->class_of_image[i] = (int64_t)config->classes;
    status = ddpm_nn__run_create(&unet->run, &unet->build);
    if (status != DDPM_OK)
        status = ddpm_fail_within(status, "activations of a network for %zu images at once", batch);
done:
    if (status == DDPM_OK)
        *out = unet;
    else
        ddpm_unet_free(unet);
    return status;
}

void ddpm_unet_free(ddpm_unet *unet)
{
    if (!unet) return;
    dismantle(unet);
    free(unet);
}

const ddpm_params *ddpm_unet_params(const ddpm_unet *unet)
{
    return &unet->build.params;
}

const ddpm_unet_config *ddpm_unet_get_config(const ddpm_unet *unet)
{
    return &unet->config;
}

size_t ddpm_unet_batch(const ddpm_unet *unet)
{
    return unet->batch;
}

ddpm_status ddpm_unet_freeze(ddpm_unet *unet, const float *weights)
{
    assert(unet->mode == DDPM_UNET_INFERENCE);
    if (!unet->packed)
        DDPM_TRY(ddpm_memory_alloc((void *)&unet->packed, unet->build.packed_floats, sizeof(float),
                                   DDPM_MEMORY_WEIGHTS));
    for (size_t i = 0; i < unet->tape.count; i++) {
        ddpm_nn__conv *convs[2];
        const size_t count = ddpm_nn__op_convs(convs, &unet->tape.op[i]);
        for (size_t k = 0; k < count; k++)
            if (ddpm_conv3x3_packed_bytes(convs[k]->plan) > 0)
                ddpm_conv3x3_pack(unet->packed + convs[k]->packed, weights + convs[k]->w,
                                  convs[k]->plan);
    }
    unet->frozen = weights;
    return DDPM_OK;
}

void ddpm_unet_set_classes(ddpm_unet *unet, const int64_t *class_of_image)
{
    for (size_t i = 0; i < unet->batch; i++)
        assert(class_of_image[i] >= 0 && (size_t)class_of_image[i] <= unet->config.classes);
    memcpy(unet->class_of_image, class_of_image, unet->batch * sizeof *class_of_image);
}

static void begin_forward(ddpm_unet *unet, const float *weights, const ddpm_unet_dropout *dropout)
{
    ddpm_nn__run *run = &unet->run;
    run->weights = weights;
    run->packed = weights == unet->frozen ? unet->packed : NULL;
    run->draw = dropout ? ddpm_dropout_mask : NULL;
    run->seed = dropout ? dropout->seed : 0;
    run->sample_index = unet->sample_index;
    run->class_of_image = unet->class_of_image;
    if (dropout)
        memcpy(unet->sample_index, dropout->sample_index, unet->batch * sizeof *unet->sample_index);
}

/* NULL for no value, and for those whose memory the caller gives. */
static float *data(const ddpm_unet *unet, size_t value)
{
    if (value == DDPM_NN__NO_VALUE) return NULL;
    return ddpm_nn__at(&unet->run, unet->tape.value[value].data);
}

static float *gradient(const ddpm_unet *unet, size_t value)
{
    if (value == DDPM_NN__NO_VALUE) return NULL;
    return ddpm_nn__at(&unet->run, unet->tape.value[value].grad);
}

void ddpm_unet_forward(ddpm_unet *unet, float *y, const float *x, const float *t,
                       const float *weights, const ddpm_unet_dropout *dropout)
{
    const ddpm_nn__tape *tape = &unet->tape;
    const ddpm_nn__run *run = &unet->run;
    begin_forward(unet, weights, dropout);
    if (unet->mode == DDPM_UNET_TRAINING)
        x = memcpy(data(unet, DDPM_NN__INPUT), x,
                   ddpm_shape_count(tape->value[DDPM_NN__INPUT].shape) * sizeof *x);
    const float *e = data(unet, DDPM_NN__E);

    for (size_t i = 0; i < tape->count; i++) {
        const ddpm_nn__op *op = &tape->op[i];
        const float *in = op->x == DDPM_NN__INPUT ? x : data(unet, op->x);
        const float *skip = data(unet, op->skip);
        float *out = i + 1 == tape->count ? y : data(unet, i + 1);
        switch (op->kind) {
        case DDPM_NN__TIME_EMBEDDING:
            ddpm_nn__time_embedding_forward(out, t, &op->block.time, run);
            break;
        case DDPM_NN__CONV_BLOCK: ddpm_nn__conv_block_forward(out, in, &op->block.conv, run); break;
        case DDPM_NN__RESBLOCK:
            ddpm_nn__resblock_forward(out, in, skip, e, &op->block.res, run);
            break;
        case DDPM_NN__ATTENTION_BLOCK:
            ddpm_nn__attention_block_forward(out, in, &op->block.attention, run);
            break;
        }
    }
}

static void zero(const ddpm_unet *unet, size_t value)
{
    memset(gradient(unet, value), 0,
           ddpm_shape_count(unet->tape.value[value].shape) * sizeof(float));
}

void ddpm_unet_backward(ddpm_unet *unet, float *grads, float *dx, const float *dy,
                        const float *weights, ddpm_unet_ready *ready, void *context)
{
    const ddpm_nn__tape *tape = &unet->tape;
    const ddpm_nn__run *run = &unet->run;
    assert(unet->mode == DDPM_UNET_TRAINING);
    assert(run->weights == weights);
    unet->run.weights = weights;
    unet->run.grads = grads;
    const float *e = data(unet, DDPM_NN__E);
    float *de = gradient(unet, DDPM_NN__E);
    zero(unet, DDPM_NN__E);

    for (size_t i = tape->count; i-- > 0;) {
        const ddpm_nn__op *op = &tape->op[i];
        const float *in = data(unet, op->x), *skip = data(unet, op->skip);
        const float *dout = i + 1 == tape->count ? dy : gradient(unet, i + 1);
        float *din = op->x == DDPM_NN__INPUT ? dx
                     : op->adds              ? ddpm_nn__at(run, op->dx)
                                             : gradient(unet, op->x);
        if (op->starts_skip) zero(unet, op->skip);
        switch (op->kind) {
        case DDPM_NN__TIME_EMBEDDING:
            ddpm_nn__time_embedding_backward(de, &op->block.time, run);
            break;
        case DDPM_NN__CONV_BLOCK:
            ddpm_nn__conv_block_backward(din, dout, in, &op->block.conv, run);
            break;
        case DDPM_NN__RESBLOCK:
            ddpm_nn__resblock_backward(din, gradient(unet, op->skip), de, dout, in, skip, e,
                                       &op->block.res, run);
            break;
        case DDPM_NN__ATTENTION_BLOCK:
            ddpm_nn__attention_block_backward(din, dout, in, &op->block.attention, run);
            break;
        }
        if (op->adds)
            ddpm_add_to(gradient(unet, op->x), din, ddpm_shape_count(tape->value[op->x].shape));
        if (ready && op->param_end > op->param_begin)
            ready(context, op->param_begin, op->param_end - op->param_begin);
    }
}
