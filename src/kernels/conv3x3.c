/* The plan: for each direction the method that costs least on the shape. */
#include "conv3x3.h"
#include "table.h"

#include <assert.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

/* The first and the last layer of a network have fewer on one side: they stay exact, and would gain
 * nothing. */
enum { BF16_CHANNELS_LEAST = 32 };

const ddpm_conv_method *const ddpm_kernels__conv_methods[DDPM_CONV_METHODS] = {
    &ddpm_kernels__conv_im2col,
    &ddpm_kernels__conv_kn2row,
    &ddpm_kernels__conv_winograd2,
    &ddpm_kernels__conv_winograd4,
};

ddpm_shape ddpm_conv3x3_out_shape(const ddpm_conv3x3 *op)
{
    assert(op->stride == 1 || op->stride == 2);
    const ddpm_shape in = op->in;
    return (ddpm_shape){ in.n, (in.h + op->stride - 1) / op->stride,
                         (in.w + op->stride - 1) / op->stride, op->k };
}

static const ddpm_conv_method *cheapest(const ddpm_conv3x3 *op, ddpm_conv_direction direction)
{
    const ddpm_conv_method *best = NULL;
    double least = 0.0;
    for (size_t i = 0; i < DDPM_CONV_METHODS; i++) {
        const ddpm_conv_method *method = ddpm_kernels__conv_methods[i];
        if (!method->supports(op)) continue;
        const double cost = method->cost(method, op, direction);
        if (best && cost >= least) continue;
        best = method;
        least = cost;
    }
    return best;
}

ddpm_status ddpm_conv3x3_plan_create(ddpm_conv3x3_plan **out, const ddpm_conv3x3 *op)
{
    const ddpm_conv_method *method[DDPM_CONV_DIRECTIONS];
    ddpm_conv3x3 chosen = *op;
    chosen.bf16 = op->bf16 && op->in.c >= BF16_CHANNELS_LEAST && op->k >= BF16_CHANNELS_LEAST;
    for (int d = 0; d < DDPM_CONV_DIRECTIONS; d++)
        method[d] = cheapest(&chosen, (ddpm_conv_direction)d);
    return ddpm_kernels__conv3x3_plan_with(out, &chosen, method);
}

/* Sums of dy over the pixels of each image, [N][K], from which both bias gradients come. */
static void sum_pixels(float *sums, const float *dy, const ddpm_conv3x3_plan *plan)
{
    const ddpm_shape out = plan->out;
    const size_t pixels = out.h * out.w;
    const ddpm_kernel_table *kernels = ddpm_kernels__table();
#pragma omp parallel for collapse(2) num_threads(plan->threads) schedule(static)
    for (size_t n = 0; n < out.n; n++)
        for (size_t first = 0; first < out.c; first += DDPM_STRIP) {
            const size_t left = out.c - first;
            const ddpm_columns at = { .pixels = pixels,
                                      .channels = left < DDPM_STRIP ? left : DDPM_STRIP,
                                      .stride = out.c };
            double sum[DDPM_STRIP];
            kernels->column_sums(sum, dy + n * pixels * out.c + first, &at);
            for (size_t c = 0; c < at.channels; c++) sums[n * out.c + first + c] = (float)sum[c];
        }
}

static void bias_gradients(float *dbias, float *dper_image, const float *dy, ddpm_arena *scratch,
                           const ddpm_conv3x3_plan *plan)
{
    const size_t k = plan->op.k, n_count = plan->out.n;
    float *sums = ddpm_arena_take(scratch, n_count * k, sizeof *sums);
    if (!scratch->base || (!dbias && !dper_image)) return;
    sum_pixels(sums, dy, plan);
    if (dper_image)
        for (size_t i = 0; i < n_count * k; i++) dper_image[i] += sums[i];
    if (!dbias) return;
    for (size_t n = 1; n < n_count; n++)
        for (size_t i = 0; i < k; i++) sums[i] += sums[n * k + i];
    for (size_t i = 0; i < k; i++) dbias[i] += sums[i];
}

static size_t scratch_bytes(const ddpm_conv3x3_plan *plan)
{
    size_t most = 0;
    for (int d = 0; d < DDPM_CONV_DIRECTIONS + 1; d++) {
        ddpm_arena count;
        ddpm_arena_init(&count, NULL, 0);
        if (d == DDPM_CONV_FORWARD)
            plan->method[d]->forward(NULL, NULL, NULL, NULL, NULL, &count, plan);
        else if (d == DDPM_CONV_BACKWARD_DATA)
            plan->method[d]->backward_data(NULL, NULL, NULL, &count, plan);
        else if (d == DDPM_CONV_BACKWARD_WEIGHTS)
            plan->method[d]->backward_weights(NULL, NULL, NULL, &count, plan);
        else
            bias_gradients(NULL, NULL, NULL, &count, plan);
        if (count.peak_bytes > most) most = count.peak_bytes;
    }
    return most;
}

ddpm_status ddpm_kernels__conv3x3_plan_with(
    ddpm_conv3x3_plan **out, const ddpm_conv3x3 *op,
    const ddpm_conv_method *const method[DDPM_CONV_DIRECTIONS])
{
    assert(ddpm_shape_count(op->in) > 0 && op->k > 0);
    ddpm_conv3x3_plan *plan = calloc(1, sizeof *plan);
    if (!plan) return ddpm_fail(DDPM_EOS, "out of memory: plan of a 3x3 convolution");
    plan->op = *op;
    plan->out = ddpm_conv3x3_out_shape(op);
    plan->threads = omp_get_max_threads();
    for (int d = 0; d < DDPM_CONV_DIRECTIONS; d++) {
        assert(method[d]->supports(op));
        plan->method[d] = method[d];
    }
    plan->scratch_bytes = scratch_bytes(plan);
    *out = plan;
    return DDPM_OK;
}

void ddpm_conv3x3_plan_free(ddpm_conv3x3_plan *plan)
{
    free(plan);
}

const char *ddpm_conv3x3_plan_algorithm(const ddpm_conv3x3_plan *plan, int direction)
{
    assert(direction >= 0 && direction < DDPM_CONV_DIRECTIONS);
    return plan->method[direction]->name;
}

double ddpm_conv3x3_plan_cost_ns(const ddpm_conv3x3_plan *plan, int direction)
{
    assert(direction >= 0 && direction < DDPM_CONV_DIRECTIONS);
    const ddpm_conv_method *method = plan->method[direction];
    return method->cost(method, &plan->op, (ddpm_conv_direction)direction);
}

size_t ddpm_conv3x3_scratch_bytes(const ddpm_conv3x3_plan *plan)
{
    return plan->scratch_bytes;
}

size_t ddpm_conv3x3_packed_bytes(const ddpm_conv3x3_plan *plan)
{
    const ddpm_conv_method *method = plan->method[DDPM_CONV_FORWARD];
    return method->packed_bytes ? method->packed_bytes(plan) : 0;
}

void ddpm_conv3x3_pack(float *packed, const float *w, const ddpm_conv3x3_plan *plan)
{
    const ddpm_conv_method *method = plan->method[DDPM_CONV_FORWARD];
    if (method->pack) method->pack(packed, w, plan);
}

static ddpm_arena arena_of(void *scratch, const ddpm_conv3x3_plan *plan)
{
    ddpm_arena arena;
    assert(scratch || plan->scratch_bytes == 0);
    ddpm_arena_init(&arena, scratch, plan->scratch_bytes);
    return arena;
}

void ddpm_conv3x3_forward(float *y, const float *x, const float *w, const float *packed,
                          const ddpm_conv3x3_addends *addends, void *scratch,
                          const ddpm_conv3x3_plan *plan)
{
    ddpm_arena arena = arena_of(scratch, plan);
    plan->method[DDPM_CONV_FORWARD]->forward(y, x, w, packed, addends, &arena, plan);
}

void ddpm_conv3x3_backward_data(float *dx, const float *dy, const float *w, void *scratch,
                                const ddpm_conv3x3_plan *plan)
{
    ddpm_arena arena = arena_of(scratch, plan);
    plan->method[DDPM_CONV_BACKWARD_DATA]->backward_data(dx, dy, w, &arena, plan);
}

void ddpm_conv3x3_backward_weights(float *dw, float *dbias, float *dper_image, const float *dy,
                                   const float *x, void *scratch, const ddpm_conv3x3_plan *plan)
{
    ddpm_arena arena = arena_of(scratch, plan);
    bias_gradients(dbias, dper_image, dy, &arena, plan);
    ddpm_arena_release(&arena, 0);
    plan->method[DDPM_CONV_BACKWARD_WEIGHTS]->backward_weights(dw, dy, x, &arena, plan);
}
