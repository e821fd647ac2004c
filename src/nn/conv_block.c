#include "conv_block.h"

#include "ddpm/kernels/resample.h"

#include <assert.h>

void ddpm_nn__conv_block_add(ddpm_nn__conv_block *block, ddpm_nn__build *build, const char *prefix,
                             const char *name, const ddpm_nn__conv_block_config *config)
{
    *block = (ddpm_nn__conv_block){ .config = *config,
                                    .p = DDPM_NN__NO_BUFFER,
                                    .p_again = DDPM_NN__NO_BUFFER };
    ddpm_conv3x3 op = { .in = config->in, .k = config->out, .stride = config->stride };
    switch (config->before) {
    case DDPM_NN__PLAIN: break;
    case DDPM_NN__UPSAMPLE:
        op.in.h *= 2;
        op.in.w *= 2;
        block->p = ddpm_nn__add_floats(build, ddpm_shape_count(op.in), DDPM_NN__FORWARD);
        block->p_again = ddpm_nn__add_again(build, block->p);
        break;
    case DDPM_NN__NORM_SILU: {
        const ddpm_norm norm = {
            .shape = config->in, .groups = config->groups, .epsilon = config->epsilon, .silu = true
        };
        ddpm_nn__norm_add(&block->norm, build, prefix, "conv_norm_out", &norm);
        block->p = ddpm_nn__add_floats(build, ddpm_shape_count(config->in), DDPM_NN__FORWARD);
        if (build->keep) block->p_again = ddpm_nn__add_again(build, block->p);
        break; /* else again in dx, which it becomes */
    }
    }
    ddpm_nn__conv_add(&block->conv, build, prefix, name, &op, config->init_scale);
}

void ddpm_nn__conv_block_free(ddpm_nn__conv_block *block)
{
    ddpm_nn__conv_free(&block->conv);
}

void ddpm_nn__conv_block_forward(float *y, const float *x, const ddpm_nn__conv_block *block,
                                 const ddpm_nn__run *run)
{
    float *p = ddpm_nn__at(run, block->p);
    switch (block->config.before) {
    case DDPM_NN__PLAIN: ddpm_nn__conv_forward(y, x, NULL, NULL, &block->conv, run); return;
    case DDPM_NN__UPSAMPLE: ddpm_upsample_forward(p, x, block->config.in); break;
    case DDPM_NN__NORM_SILU: ddpm_nn__norm_forward(p, x, &block->norm, run); break;
    }
    ddpm_nn__conv_forward(y, p, NULL, NULL, &block->conv, run);
}

void ddpm_nn__conv_block_backward(float *dx, const float *dy, const float *x,
                                  const ddpm_nn__conv_block *block, const ddpm_nn__run *run)
{
    float *p = ddpm_nn__at(run, block->p_again);
    assert(dx || block->config.before == DDPM_NN__PLAIN);
    switch (block->config.before) {
    case DDPM_NN__PLAIN:
        /* y = conv(x) */
        ddpm_nn__conv_backward_weights(NULL, dy, x, &block->conv, run);
        if (dx) ddpm_nn__conv_backward_data(dx, dy, &block->conv, run);
        return;
    case DDPM_NN__UPSAMPLE:
        if (block->p_again != block->p) ddpm_upsample_forward(p, x, block->config.in);
        /* y = conv(p) */
        ddpm_nn__conv_backward_weights(NULL, dy, p, &block->conv, run);
        ddpm_nn__conv_backward_data(p, dy, &block->conv, run);
        /* p = upsample(x) */
        ddpm_upsample_backward(dx, p, block->config.in);
        return;
    case DDPM_NN__NORM_SILU:
        if (!p) {
            p = dx;
            ddpm_nn__norm_reapply(p, x, &block->norm, run);
        }
        /* y = conv(p) */
        ddpm_nn__conv_backward_weights(NULL, dy, p, &block->conv, run);
        ddpm_nn__conv_backward_data(p, dy, &block->conv, run);
        /* p = silu(norm(x)) */
        ddpm_nn__norm_backward(dx, p, x, &block->norm, run);
        return;
    }
}
