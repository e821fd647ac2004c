#include "attention_block.h"

#include "ddpm/kernels/elementwise.h"

void ddpm_nn__attention_block_add(ddpm_nn__attention_block *block, ddpm_nn__build *build,
                                  const char *prefix, ddpm_shape shape, size_t groups,
                                  float epsilon)
{
    const size_t tokens = shape.h * shape.w, count = ddpm_shape_count(shape);
    *block = (ddpm_nn__attention_block){
        .shape = shape,
        .op = { .n = shape.n,
                .tokens = tokens,
                .c = shape.c,
                .row_stride = shape.c,
                .bf16 = build->bf16 },
    };
    const ddpm_norm norm = { .shape = shape, .groups = groups, .epsilon = epsilon };
    const ddpm_linear dense = { .rows = ddpm_shape_pixels(shape), .c = shape.c, .k = shape.c };
    ddpm_nn__norm_add(&block->norm, build, prefix, "group_norm", &norm);
    ddpm_nn__linear_add(&block->to_q, build, prefix, "to_q", &dense, 1.0, false);
    ddpm_nn__linear_add(&block->to_k, build, prefix, "to_k", &dense, 1.0, false);
    ddpm_nn__linear_add(&block->to_v, build, prefix, "to_v", &dense, 1.0, false);
    ddpm_nn__linear_add(&block->to_out, build, prefix, "to_out.0", &dense, 1e-10, false);
    build->macs += 2.0 * (double)count * (double)tokens; /* q k^T and the sum over v */

    block->n = ddpm_nn__add_floats(build, count, DDPM_NN__FORWARD);
    block->n_kept = build->keep ? ddpm_nn__add_again(build, block->n) : DDPM_NN__NO_BUFFER;
    block->q = ddpm_nn__add_floats(build, count, DDPM_NN__KEPT);
    block->k = ddpm_nn__add_floats(build, count, DDPM_NN__KEPT);
    block->v = ddpm_nn__add_floats(build, count, DDPM_NN__KEPT);
    block->probabilities = ddpm_nn__add_floats(build, shape.n * tokens * tokens, DDPM_NN__KEPT);
    block->o = ddpm_nn__add_floats(build, count, DDPM_NN__KEPT);
    block->d_o = ddpm_nn__add_floats(build, count, DDPM_NN__BACKWARD);
    block->dq = ddpm_nn__add_floats(build, count, DDPM_NN__BACKWARD);
    block->dk = ddpm_nn__add_floats(build, count, DDPM_NN__BACKWARD);
    block->dv = ddpm_nn__add_floats(build, count, DDPM_NN__BACKWARD);
    if (build->training) ddpm_nn__add_scratch(build, ddpm_attention_scratch_bytes(&block->op));
}

void ddpm_nn__attention_block_forward(float *y, const float *x,
                                      const ddpm_nn__attention_block *block,
                                      const ddpm_nn__run *run)
{
    float *n = ddpm_nn__at(run, block->n), *o = ddpm_nn__at(run, block->o);
    float *q = ddpm_nn__at(run, block->q), *k = ddpm_nn__at(run, block->k);
    float *v = ddpm_nn__at(run, block->v), *p = ddpm_nn__at(run, block->probabilities);
    ddpm_nn__norm_forward(n, x, &block->norm, run);
    ddpm_nn__linear_forward(q, n, NULL, &block->to_q, run);
    ddpm_nn__linear_forward(k, n, NULL, &block->to_k, run);
    ddpm_nn__linear_forward(v, n, NULL, &block->to_v, run);
    ddpm_attention_forward(o, p, q, k, v, &block->op);
    ddpm_nn__linear_forward(y, o, x, &block->to_out, run);
}

void ddpm_nn__attention_block_backward(float *dx, const float *dy, const float *x,
                                       const ddpm_nn__attention_block *block,
                                       const ddpm_nn__run *run)
{
    const float *q = ddpm_nn__at(run, block->q), *k = ddpm_nn__at(run, block->k);
    const float *v = ddpm_nn__at(run, block->v), *p = ddpm_nn__at(run, block->probabilities);
    const float *o = ddpm_nn__at(run, block->o);
    float *dq = ddpm_nn__at(run, block->dq), *dk = ddpm_nn__at(run, block->dk);
    float *dv = ddpm_nn__at(run, block->dv), *d_o = ddpm_nn__at(run, block->d_o);
    /* y = to_out(o) + x */
    ddpm_nn__linear_backward_weights(dy, o, &block->to_out, run);
    ddpm_nn__linear_backward_data(d_o, dy, &block->to_out, run);
    /* o = softmax(q k^T C^-1/2) v */
    ddpm_attention_backward(dq, dk, dv, d_o, p, q, k, v, run->scratch, &block->op);
    /* q, k, v = to_q(n), to_k(n), to_v(n); d_o is done with and gives n its place */
    float *n = ddpm_nn__at(run, block->n_kept), *dn = dx;
    if (!n) {
        n = d_o;
        ddpm_nn__norm_reapply(n, x, &block->norm, run);
    }
    ddpm_nn__linear_backward_weights(dq, n, &block->to_q, run);
    ddpm_nn__linear_backward_weights(dk, n, &block->to_k, run);
    ddpm_nn__linear_backward_weights(dv, n, &block->to_v, run);
    ddpm_nn__linear_backward_data(dn, dq, &block->to_q, run);
    ddpm_nn__linear_backward_data_add(dn, dk, &block->to_k, run);
    ddpm_nn__linear_backward_data_add(dn, dv, &block->to_v, run);
    /* n = norm(x), and the x of y = to_out(o) + x */
    ddpm_nn__norm_backward(dx, dn, x, &block->norm, run);
    ddpm_add_to(dx, dy, ddpm_shape_count(block->shape));
}
