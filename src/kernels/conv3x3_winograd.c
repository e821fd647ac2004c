/* Winograd's minimal filtering (winograd.h) as methods of the convolution: what they cost, and the
 * geometry of their buffers. */
#include "conv3x3.h"
#include "table.h"
#include "winograd_work.h"

#include <math.h>

static const ddpm_winograd_kernels *kernels_of(const ddpm_conv3x3_plan *plan,
                                               ddpm_conv_direction direction)
{
    const ddpm_kernel_table *table = ddpm_kernels__table();
    if (plan->method[direction]->tile == 4)
        return plan->op.bf16 ? table->winograd4_bf16 : table->winograd4;
    return plan->op.bf16 ? table->winograd2_bf16 : table->winograd2;
}

/* Of a convolution; `paired` are the numbers of a word that are neighbouring channels. */
static ddpm_winograd geometry_of(const ddpm_winograd_kernels *kernels, ddpm_shape in, size_t k,
                                 size_t paired)
{
    return (ddpm_winograd){
        .in = in,
        .k = k,
        .rows = ceil_div(in.h, kernels->tile),
        .columns = ceil_div(in.w, kernels->tile),
        .panels = ceil_div(k, kernels->panel),
        .c_row = round_up(ceil_div(in.c, paired), WINOGRAD_ROW),
        .u_stride = ceil_div(in.c, paired) * kernels->panel + WINOGRAD_PAD,
    };
}

static bool supports(const ddpm_conv3x3 *op)
{
    return op->stride == 1;
}

/* The products at 200 GFLOP/s, in bfloat16 at 400, and the transforms of tiles and of weights, by
 * the elements of V, M or D, w and U. Few channels cost as much as a vector of them. */
static double cost(const ddpm_conv_method *self, const ddpm_conv3x3 *op,
                   ddpm_conv_direction direction)
{
    const size_t tile = self->tile;
    const double ns_a_product = op->bf16 ? 0.005 : 0.01, rows_least = 6.0;
    const double ns_a_v = 0.16, ns_an_m = 0.1, ns_a_w = 0.15, ns_a_u = 0.045;
    const bool adjoint = direction == DDPM_CONV_BACKWARD_DATA;
    const size_t c = adjoint ? op->k : op->in.c, k = adjoint ? op->in.c : op->k;
    const double c_whole = (double)round_up(c, 16), k_whole = (double)round_up(k, 32);
    const double positions = (double)((tile + 2) * (tile + 2));
    const double tiles = (double)(op->in.n * ceil_div(op->in.h, tile) * ceil_div(op->in.w, tile));
    const double rows = direction == DDPM_CONV_BACKWARD_WEIGHTS ? tiles : fmax(tiles, rows_least);
    return positions * (rows * c_whole * k_whole * ns_a_product +
                        tiles * (c_whole * ns_a_v + k_whole * ns_an_m)) +
           c_whole * k_whole * (9.0 * ns_a_w + positions * ns_a_u);
}

static size_t packed_bytes(const ddpm_conv3x3_plan *plan)
{
    const ddpm_winograd_kernels *kernels = kernels_of(plan, DDPM_CONV_FORWARD);
    const ddpm_winograd op = geometry_of(kernels, plan->op.in, plan->op.k, kernels->per_word);
    return u_floats(&op, kernels) * sizeof(float);
}

static void pack(float *packed, const float *w, const ddpm_conv3x3_plan *plan)
{
    const ddpm_winograd_kernels *kernels = kernels_of(plan, DDPM_CONV_FORWARD);
    const ddpm_winograd op = geometry_of(kernels, plan->op.in, plan->op.k, kernels->per_word);
#pragma omp parallel num_threads(plan->threads)
    ddpm_kernels__winograd_weights(packed, w, false, &op, kernels);
}

static void forward(float *y, const float *x, const float *w, const float *packed,
                    const ddpm_conv3x3_addends *addends, ddpm_arena *scratch,
                    const ddpm_conv3x3_plan *plan)
{
    const ddpm_winograd_kernels *kernels = kernels_of(plan, DDPM_CONV_FORWARD);
    ddpm_winograd_call call = { .y = y, .x = x, .w = w, .packed = packed };
    if (addends) call.addends = *addends;
    ddpm_kernels__winograd_convolve(
        &call, scratch, plan->threads,
        geometry_of(kernels, plan->op.in, plan->op.k, kernels->per_word), kernels);
}

static void backward_data(float *dx, const float *dy, const float *w, ddpm_arena *scratch,
                          const ddpm_conv3x3_plan *plan)
{
    const ddpm_winograd_kernels *kernels = kernels_of(plan, DDPM_CONV_BACKWARD_DATA);
    const ddpm_winograd_call call = { .y = dx, .x = dy, .w = w, .adjoint = true };
    ddpm_kernels__winograd_convolve(
        &call, scratch, plan->threads,
        geometry_of(kernels, plan->out, plan->op.in.c, kernels->per_word), kernels);
}

static void backward_weights(float *dw, const float *dy, const float *x, ddpm_arena *scratch,
                             const ddpm_conv3x3_plan *plan)
{
    const ddpm_winograd_kernels *kernels = kernels_of(plan, DDPM_CONV_BACKWARD_WEIGHTS);
    ddpm_kernels__winograd_weight_gradient(dw, dy, x, scratch, plan->threads,
                                           geometry_of(kernels, plan->op.in, plan->op.k, 1),
                                           kernels);
}

// clang-format off
#define WINOGRAD_METHOD                                                                            \
    .supports = supports, .cost = cost, .packed_bytes = packed_bytes, .pack = pack,                \
    .forward = forward, .backward_data = backward_data, .backward_weights = backward_weights
// clang-format on

const ddpm_conv_method ddpm_kernels__conv_winograd2 = { .name = "winograd2",
                                                        .tile = 2,
                                                        WINOGRAD_METHOD };
const ddpm_conv_method ddpm_kernels__conv_winograd4 = { .name = "winograd4",
                                                        .tile = 4,
                                                        WINOGRAD_METHOD };
