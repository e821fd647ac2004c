#include "layers.h"

static size_t add_vector(ddpm_nn__build *build, size_t count, ddpm_init init, const char *prefix,
                         const char *name, const char *kind)
{
    const ddpm_param row = {
        .layout = DDPM_LAYOUT_VECTOR, .rank = 1, .shape = { count }, .init = init
    };
    return ddpm_nn__add_param(build, &row, prefix, name, kind);
}

void ddpm_nn__norm_add(ddpm_nn__norm *norm, ddpm_nn__build *build, const char *prefix,
                       const char *name, const ddpm_norm *op)
{
    const size_t groups = op->shape.n * op->groups;
    norm->op = *op;
    norm->gamma = add_vector(build, op->shape.c, DDPM_INIT_ONE, prefix, name, "weight");
    norm->beta = add_vector(build, op->shape.c, DDPM_INIT_ZERO, prefix, name, "bias");
    norm->mean = ddpm_nn__add_floats(build, groups, DDPM_NN__KEPT);
    norm->rstd = ddpm_nn__add_floats(build, groups, DDPM_NN__KEPT);
    if (build->training) ddpm_nn__add_scratch(build, ddpm_norm_scratch_bytes(op));
}

void ddpm_nn__norm_forward(float *y, const float *x, const ddpm_nn__norm *norm,
                           const ddpm_nn__run *run)
{
    ddpm_norm_forward(y, ddpm_nn__at(run, norm->mean), ddpm_nn__at(run, norm->rstd), x,
                      run->weights + norm->gamma, run->weights + norm->beta, &norm->op);
}

void ddpm_nn__norm_reapply(float *y, const float *x, const ddpm_nn__norm *norm,
                           const ddpm_nn__run *run)
{
    ddpm_norm_reapply(y, x, ddpm_nn__at(run, norm->mean), ddpm_nn__at(run, norm->rstd),
                      run->weights + norm->gamma, run->weights + norm->beta, &norm->op);
}

void ddpm_nn__norm_backward(float *dx, const float *dy, const float *x, const ddpm_nn__norm *norm,
                            const ddpm_nn__run *run)
{
    ddpm_norm_backward(dx, run->grads + norm->gamma, run->grads + norm->beta, dy, x,
                       ddpm_nn__at(run, norm->mean), ddpm_nn__at(run, norm->rstd),
                       run->weights + norm->gamma, run->weights + norm->beta, run->scratch,
                       &norm->op);
}

void ddpm_nn__conv_add(ddpm_nn__conv *conv, ddpm_nn__build *build, const char *prefix,
                       const char *name, const ddpm_conv3x3 *op, double init_scale)
{
    const ddpm_param row = { .layout = DDPM_LAYOUT_HWIO,
                             .rank = 4,
                             .shape = { 3, 3, op->in.c, op->k },
                             .init = DDPM_INIT_UNIFORM,
                             .init_scale = init_scale };
    conv->op = *op;
    conv->op.bf16 = build->bf16;
    conv->w = ddpm_nn__add_param(build, &row, prefix, name, "weight");
    conv->bias = add_vector(build, op->k, DDPM_INIT_ZERO, prefix, name, "bias");
    if (build->status == DDPM_OK) build->status = ddpm_conv3x3_plan_create(&conv->plan, &conv->op);
    if (build->status != DDPM_OK) return;
    ddpm_nn__add_scratch(build, ddpm_conv3x3_scratch_bytes(conv->plan));
    conv->packed = build->packed_floats;
    build->packed_floats += (ddpm_conv3x3_packed_bytes(conv->plan) + 63) / 64 * 16;
    build->macs += (double)ddpm_shape_pixels(ddpm_conv3x3_out_shape(op)) * 9.0 * (double)op->in.c *
                   (double)op->k;
}

void ddpm_nn__conv_free(ddpm_nn__conv *conv)
{
    ddpm_conv3x3_plan_free(conv->plan);
    conv->plan = NULL;
}

void ddpm_nn__conv_forward(float *y, const float *x, const float *per_image, const float *residual,
                           const ddpm_nn__conv *conv, const ddpm_nn__run *run)
{
    const bool packed = run->packed && ddpm_conv3x3_packed_bytes(conv->plan) > 0;
    const ddpm_conv3x3_addends addends = { .bias = run->weights + conv->bias,
                                           .per_image = per_image,
                                           .residual = residual };
    ddpm_conv3x3_forward(y, x, run->weights + conv->w, packed ? run->packed + conv->packed : NULL,
                         &addends, run->scratch, conv->plan);
}

void ddpm_nn__conv_backward_data(float *dx, const float *dy, const ddpm_nn__conv *conv,
                                 const ddpm_nn__run *run)
{
    ddpm_conv3x3_backward_data(dx, dy, run->weights + conv->w, run->scratch, conv->plan);
}

void ddpm_nn__conv_backward_weights(float *dper_image, const float *dy, const float *x,
                                    const ddpm_nn__conv *conv, const ddpm_nn__run *run)
{
    ddpm_conv3x3_backward_weights(run->grads + conv->w, run->grads + conv->bias, dper_image, dy, x,
                                  run->scratch, conv->plan);
}

void ddpm_nn__linear_add(ddpm_nn__linear *linear, ddpm_nn__build *build, const char *prefix,
                         const char *name, const ddpm_linear *op, double init_scale,
                         bool is_conv1x1)
{
    const ddpm_param row = { .layout = DDPM_LAYOUT_IO,
                             .rank = 2,
                             .shape = { op->c, op->k },
                             .init = DDPM_INIT_UNIFORM,
                             .init_scale = init_scale,
                             .is_conv1x1 = is_conv1x1 };
    linear->op = *op;
    linear->op.bf16 = build->bf16;
    linear->w = ddpm_nn__add_param(build, &row, prefix, name, "weight");
    linear->bias = add_vector(build, op->k, DDPM_INIT_ZERO, prefix, name, "bias");
    build->macs += (double)op->rows * (double)op->c * (double)op->k;
}

void ddpm_nn__linear_forward(float *y, const float *x, const float *residual,
                             const ddpm_nn__linear *linear, const ddpm_nn__run *run)
{
    ddpm_linear_forward(y, x, run->weights + linear->w, run->weights + linear->bias, residual,
                        &linear->op);
}

void ddpm_nn__linear_backward_data(float *dx, const float *dy, const ddpm_nn__linear *linear,
                                   const ddpm_nn__run *run)
{
    ddpm_linear_backward_data(dx, dy, run->weights + linear->w, &linear->op);
}

void ddpm_nn__linear_backward_data_add(float *dx, const float *dy, const ddpm_nn__linear *linear,
                                       const ddpm_nn__run *run)
{
    ddpm_linear_backward_data_add(dx, dy, run->weights + linear->w, &linear->op);
}

void ddpm_nn__linear_backward_weights(const float *dy, const float *x,
                                      const ddpm_nn__linear *linear, const ddpm_nn__run *run)
{
    ddpm_linear_backward_weights(run->grads + linear->w, run->grads + linear->bias, dy, x,
                                 &linear->op);
}
