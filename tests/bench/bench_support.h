/* What the benchmarks of convolutions share: the shapes, arrays, the clock of this thread. */
#ifndef DDPM_BENCH_SUPPORT_H
#define DDPM_BENCH_SUPPORT_H
#include "conv3x3.h"
#include "ddpm/base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* Of the CIFAR-10 model (micro-batch 8), of smaller ones (16, 32), and of drawing one image. */
// clang-format off
static const ddpm_conv3x3 bench_shapes[] = {
    { {  8, 32, 32, 128 }, 128, 1 }, { {  8, 32, 32, 384 }, 128, 1 }, { {  8, 16, 16, 256 }, 256, 1 },
    { {  8, 16, 16, 512 }, 256, 1 }, { {  8,  8,  8, 256 }, 256, 1 }, { {  8,  8,  8, 512 }, 256, 1 },
    { {  8,  4,  4, 256 }, 256, 1 }, { {  8,  4,  4, 512 }, 256, 1 },
    { {  8, 32, 32,   3 }, 128, 1 }, { {  8, 32, 32, 128 },   3, 1 }, { {  8, 32, 32, 128 }, 128, 2 },
    { { 16, 32, 32,  32 },  32, 1 }, { { 16, 16, 16,  64 },  64, 1 }, { { 16,  8,  8,  96 },  96, 1 },
    { { 16,  4,  4,  96 },  96, 1 }, { { 16, 28, 28,  32 },  32, 1 }, { { 16, 14, 14,  64 },  64, 1 },
    { { 16,  7,  7,  64 },  64, 1 }, { { 16, 32, 32,   1 },  32, 1 }, { { 16, 32, 32,  32 },   1, 1 },
    { { 32, 32, 32,  64 },  64, 1 }, { { 32, 16, 16,  64 },  64, 2 }, { { 32,  8,  8,  64 },  64, 1 },
    { { 32,  4,  4,  64 },  64, 1 }, { {  1, 32, 32, 128 }, 128, 1 }, { {  1,  8,  8, 256 }, 256, 1 },
};
// clang-format on
enum { BENCH_SHAPES = sizeof bench_shapes / sizeof *bench_shapes, BENCH_LABEL = 64 };

/* "8 x 32x32 128 -> 128 /1"; pytorch/bench_conv.py reads it. */
static inline void bench_label(char label[BENCH_LABEL], const ddpm_conv3x3 *op)
{
    snprintf(label, BENCH_LABEL, "%zu x %zux%zu %zu -> %zu /%zu", op->in.n, op->in.h, op->in.w,
             op->in.c, op->k, op->stride);
}

static inline double bench_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static inline void bench_or_die(ddpm_status status)
{
    if (status == DDPM_OK) return;
    fprintf(stderr, "benchmark: %s\n", ddpm_status_message());
    exit((int)status);
}

static inline float *bench_array(size_t count)
{
    float *array;
    bench_or_die(ddpm_memory_alloc(&array, count, sizeof *array, DDPM_MEMORY_OTHER));
    for (size_t i = 0; i < count; i++)
        array[i] = (float)((i * 2654435761u >> 8) % 2001) / 1000.0f - 1.0f;
    return array;
}

typedef struct {
    float *x, *y, *w, *result;
    double gflop; /* of a direct convolution, in any direction */
} bench_operands;

static inline bench_operands bench_operands_of(const ddpm_conv3x3 *op)
{
    const size_t x_count = ddpm_shape_count(op->in), w_count = 9 * op->in.c * op->k;
    const size_t y_count = ddpm_shape_count(ddpm_conv3x3_out_shape(op));
    const size_t most = x_count > y_count ? x_count : y_count;
    return (bench_operands){ bench_array(x_count), bench_array(y_count), bench_array(w_count),
                             bench_array(most > w_count ? most : w_count),
                             2e-9 * (double)y_count * (double)(9 * op->in.c) };
}

static inline void bench_operands_free(bench_operands *o)
{
    float *all[] = { o->x, o->y, o->w, o->result };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) ddpm_memory_free(all[i]);
}

/* Seconds of one call. */
static inline double bench_run(const bench_operands *o, int direction, void *scratch,
                               const ddpm_conv3x3_plan *plan)
{
    const double start = bench_seconds();
    if (direction == DDPM_CONV_FORWARD)
        ddpm_conv3x3_forward(o->result, o->x, o->w, NULL, NULL, scratch, plan);
    else if (direction == DDPM_CONV_BACKWARD_DATA)
        ddpm_conv3x3_backward_data(o->result, o->y, o->w, scratch, plan);
    else
        ddpm_conv3x3_backward_weights(o->result, NULL, NULL, o->y, o->x, scratch, plan);
    return bench_seconds() - start;
}
#endif
