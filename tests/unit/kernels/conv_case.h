/** @file conv_case.h
 *  One 3x3 convolution with random operands, and its three directions by given methods, for the
 *  tests of the convolutions. */
#ifndef CONV_CASE_H
#define CONV_CASE_H
#include "check.h"
#include "conv3x3.h"
#include "ddpm/base/memory.h"
#include "ddpm/kernels/isa.h"
#include "numeric.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NO_SUCH_ISA = 77 }; /* what CTest takes for a skipped test */

typedef struct {
    ddpm_conv3x3 op;
    ddpm_shape out;
    size_t x_count, y_count, w_count;
    float *x, *w, *dy, *bias, *per_image, *residual;
    float *y, *dx, *dw, *dbias, *dper_image; /* results of conv_case_run */
} conv_case;

static inline float *conv_case_array(size_t count, uint64_t seed)
{
    float *array = NULL;
    CHECK_OK(ddpm_memory_alloc(&array, count, sizeof *array, DDPM_MEMORY_OTHER));
    if (seed) fill_normal(array, count, seed);
    return array;
}

static inline conv_case conv_case_create(const ddpm_conv3x3 *op)
{
    const ddpm_shape out = ddpm_conv3x3_out_shape(op);
    const size_t x_count = ddpm_shape_count(op->in), y_count = ddpm_shape_count(out);
    const size_t w_count = 9 * op->in.c * op->k;
    return (conv_case){
        .op = *op,
        .out = out,
        .x_count = x_count,
        .y_count = y_count,
        .w_count = w_count,
        .x = conv_case_array(x_count, 1),
        .w = conv_case_array(w_count, 2),
        .dy = conv_case_array(y_count, 3),
        .bias = conv_case_array(op->k, 4),
        .per_image = conv_case_array(out.n * op->k, 5),
        .residual = conv_case_array(y_count, 6),
        .y = conv_case_array(y_count, 0),
        .dx = conv_case_array(x_count, 0),
        .dw = conv_case_array(w_count, 0),
        .dbias = conv_case_array(op->k, 0),
        .dper_image = conv_case_array(out.n * op->k, 0),
    };
}

static inline void conv_case_free(conv_case *c)
{
    float *arrays[] = { c->x, c->w,  c->dy, c->bias,  c->per_image, c->residual,
                        c->y, c->dx, c->dw, c->dbias, c->dper_image };
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) ddpm_memory_free(arrays[i]);
}

/* All three directions by one plan, without addends; scratch starts as NaN, and so do outputs that
 * are overwritten, so that whatever is read before it is written shows. */
static inline void conv_case_run(conv_case *c, const ddpm_conv3x3_plan *plan)
{
    const size_t scratch_count = ddpm_conv3x3_scratch_bytes(plan) / sizeof(float);
    float *scratch = conv_case_array(scratch_count, 0);
    for (size_t i = 0; i < scratch_count; i++) scratch[i] = NAN;
    for (size_t i = 0; i < c->y_count; i++) c->y[i] = NAN;
    for (size_t i = 0; i < c->x_count; i++) c->dx[i] = NAN;
    memset(c->dw, 0, c->w_count * sizeof *c->dw);
    memset(c->dbias, 0, c->op.k * sizeof *c->dbias);
    memset(c->dper_image, 0, c->out.n * c->op.k * sizeof *c->dper_image);
    ddpm_conv3x3_forward(c->y, c->x, c->w, NULL, NULL, scratch, plan);
    ddpm_conv3x3_backward_data(c->dx, c->dy, c->w, scratch, plan);
    ddpm_conv3x3_backward_weights(c->dw, c->dbias, c->dper_image, c->dy, c->x, scratch, plan);
    ddpm_memory_free(scratch);
}

static inline ddpm_conv3x3_plan *conv_plan_of(const ddpm_conv_method *method,
                                              const ddpm_conv3x3 *op)
{
    ddpm_conv3x3_plan *plan = NULL;
    const ddpm_conv_method *const methods[] = { method, method, method };
    CHECK_OK(ddpm_kernels__conv3x3_plan_with(&plan, op, methods));
    return plan;
}

/* Largest error by the largest value that each method may have. Winograd's transforms lose digits,
 * the more the larger the tile. */
static inline double conv_bound(const ddpm_conv_method *method)
{
    if (strcmp(method->name, "winograd4") == 0) return 5e-6;
    return strcmp(method->name, "winograd2") == 0 ? 2e-6 : 1e-6;
}

/* Shapes at which something ends: tiles, blocks of tiles, vectors, panels, blocks of depth. */
#define SHAPE(n, h, w, c, k, stride)                                                               \
    {                                                                                              \
        { n, h, w, c }, k, stride, false                                                           \
    }
// clang-format off
static const ddpm_conv3x3 conv_shapes[] = {
    SHAPE(1,  1,  1,   1,   1, 1), SHAPE(2,  5,  3,   3,   5, 1), SHAPE(1,  4,  4,  16,  16, 1),
    SHAPE(3,  7,  9,  27,  33, 1), SHAPE(2,  8,  8,  32,  64, 1), SHAPE(1,  2, 11,  48,  17, 1),
    SHAPE(2, 13,  6,   5, 130, 1), SHAPE(9,  4,  4,  20,  12, 1), SHAPE(2, 10, 10,  40,   3, 1),
    SHAPE(2, 28, 28,   3,  32, 1), SHAPE(1,  5, 16, 300,  20, 1), SHAPE(1,  6,  6,  20, 272, 1),
    SHAPE(5, 32, 31,  16,   8, 1), SHAPE(1, 40,  1,   8,   4, 1),
    SHAPE(1,  1,  1,   1,   1, 2), SHAPE(2,  5,  7,   3,   4, 2), SHAPE(2,  8,  8,  33,  16, 2),
    SHAPE(1,  6,  4,  16,  35, 2), SHAPE(3,  9,  2,  64,  64, 2),
};
// clang-format on
enum { CONV_SHAPES = sizeof conv_shapes / sizeof *conv_shapes };

/* Calls test for every method on every shape that it supports. */
static inline void conv_for_each(void (*test)(conv_case *c, const ddpm_conv_method *method))
{
    for (size_t i = 0; i < CONV_SHAPES; i++) {
        conv_case c = conv_case_create(&conv_shapes[i]);
        for (size_t m = 0; m < DDPM_CONV_METHODS; m++) {
            const ddpm_conv_method *method = ddpm_kernels__conv_methods[m];
            if (!method->supports(&c.op)) continue;
            const ddpm_shape in = c.op.in;
            print_message("         %s %zux%zux%zux%zu -> %zu, stride %zu\n", method->name, in.n,
                          in.h, in.w, in.c, c.op.k, c.op.stride);
            test(&c, method);
        }
        conv_case_free(&c);
    }
}

/* To start main with: false, and why is printed, where this processor lacks DDPM_ISA. */
static inline bool conv_isa_is_there(void)
{
    if (ddpm_kernels_init() == DDPM_OK) return true;
    puts(ddpm_status_message());
    return false;
}
#endif
