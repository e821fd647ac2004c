/* Times every method of 3x3 convolution on the shapes of real networks, one thread: GFLOP/s counted
 * as direct convolution, best of several interleaved runs by thread CPU time. "*" marks what the
 * plan picks. Usage: bench_conv [--bf16] [repetitions [part of a shape's label]] */
#include "conv3x3.h"
#include "ddpm/base/memory.h"
#include "ddpm/kernels/isa.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SHAPE(n, h, w, c, k, stride)                                                               \
    {                                                                                              \
        { n, h, w, c }, k, stride, false                                                           \
    }
// clang-format off
static const ddpm_conv3x3 shapes[] = {
    SHAPE( 8, 32, 32, 128, 128, 1), SHAPE( 8, 32, 32, 384, 128, 1), SHAPE( 8, 16, 16, 256, 256, 1),
    SHAPE( 8, 16, 16, 512, 256, 1), SHAPE( 8,  8,  8, 256, 256, 1), SHAPE( 8,  8,  8, 512, 256, 1),
    SHAPE( 8,  4,  4, 256, 256, 1), SHAPE( 8,  4,  4, 512, 256, 1),
    SHAPE( 8, 32, 32,   3, 128, 1), SHAPE( 8, 32, 32, 128,   3, 1), SHAPE( 8, 32, 32, 128, 128, 2),
    SHAPE(16, 32, 32,  32,  32, 1), SHAPE(16, 16, 16,  64,  64, 1), SHAPE(16,  8,  8,  96,  96, 1),
    SHAPE(16,  4,  4,  96,  96, 1), SHAPE(16, 28, 28,  32,  32, 1), SHAPE(16, 14, 14,  64,  64, 1),
    SHAPE(16,  7,  7,  64,  64, 1), SHAPE(16, 32, 32,   1,  32, 1), SHAPE(16, 32, 32,  32,   1, 1),
    SHAPE(32, 32, 32,  64,  64, 1), SHAPE(32, 16, 16,  64,  64, 2), SHAPE(32,  8,  8,  64,  64, 1),
    SHAPE(32,  4,  4,  64,  64, 1), SHAPE( 1, 32, 32, 128, 128, 1), SHAPE( 1,  8,  8, 256, 256, 1),
};
// clang-format on
enum { SHAPES = sizeof shapes / sizeof *shapes };

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void or_die(ddpm_status status)
{
    if (status == DDPM_OK) return;
    fprintf(stderr, "bench_conv: %s\n", ddpm_status_message());
    exit((int)status);
}

static float *array_of(size_t count)
{
    float *array;
    or_die(ddpm_memory_alloc(&array, count, sizeof *array, DDPM_MEMORY_OTHER));
    for (size_t i = 0; i < count; i++)
        array[i] = (float)((i * 2654435761u >> 8) % 2001) / 1000.0f - 1.0f;
    return array;
}

typedef struct {
    float *x, *y, *w, *result;
} operands;

static double run(const operands *o, int direction, void *scratch, const ddpm_conv3x3_plan *plan)
{
    const double start = seconds();
    if (direction == DDPM_CONV_FORWARD)
        ddpm_conv3x3_forward(o->result, o->x, o->w, NULL, NULL, scratch, plan);
    else if (direction == DDPM_CONV_BACKWARD_DATA)
        ddpm_conv3x3_backward_data(o->result, o->y, o->w, scratch, plan);
    else
        ddpm_conv3x3_backward_weights(o->result, NULL, NULL, o->y, o->x, scratch, plan);
    return seconds() - start;
}

static void bench(const ddpm_conv3x3 *op, const char *label, int repetitions)
{
    const size_t x_count = ddpm_shape_count(op->in), w_count = 9 * op->in.c * op->k;
    const size_t y_count = ddpm_shape_count(ddpm_conv3x3_out_shape(op));
    const size_t most = x_count > y_count ? x_count : y_count;
    const operands o = { array_of(x_count), array_of(y_count), array_of(w_count),
                         array_of(most > w_count ? most : w_count) };
    ddpm_conv3x3_plan *picked, *plan[DDPM_CONV_METHODS] = { NULL };
    void *scratch[DDPM_CONV_METHODS] = { NULL };
    double best[DDPM_CONV_METHODS][DDPM_CONV_DIRECTIONS];
    or_die(ddpm_conv3x3_plan_create(&picked, op));
    for (size_t m = 0; m < DDPM_CONV_METHODS; m++) {
        const ddpm_conv_method *method = ddpm_kernels__conv_methods[m];
        if (!method->supports(op)) continue;
        const ddpm_conv_method *const all[] = { method, method, method };
        or_die(ddpm_kernels__conv3x3_plan_with(&plan[m], op, all));
        scratch[m] = array_of(plan[m]->scratch_bytes / sizeof(float));
        for (int d = 0; d < DDPM_CONV_DIRECTIONS; d++) best[m][d] = 1e9;
    }
    for (int i = 0; i < repetitions; i++)
        for (size_t m = 0; m < DDPM_CONV_METHODS; m++)
            for (int d = 0; d < DDPM_CONV_DIRECTIONS && plan[m]; d++) {
                const double time = run(&o, d, scratch[m], plan[m]);
                if (time < best[m][d]) best[m][d] = time;
            }

    const double gflop = 2e-9 * (double)y_count * (double)(9 * op->in.c);
    printf("%-26s", label);
    for (size_t m = 0; m < DDPM_CONV_METHODS; m++) {
        printf(" |");
        for (int d = 0; d < DDPM_CONV_DIRECTIONS; d++)
            if (plan[m])
                printf(" %5.0f%c", gflop / best[m][d],
                       picked->method[d] == plan[m]->method[d] ? '*' : ' ');
            else
                printf("      -");
        ddpm_conv3x3_plan_free(plan[m]);
        ddpm_memory_free(scratch[m]);
    }
    printf("\n");
    fflush(stdout);
    ddpm_conv3x3_plan_free(picked);
    float *all[] = { o.x, o.y, o.w, o.result };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) ddpm_memory_free(all[i]);
}

int main(int argc, char **argv)
{
    const bool bf16 = argc > 1 && strcmp(argv[1], "--bf16") == 0;
    if (bf16) argc--, argv++;
    const int repetitions = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 5;
    or_die(ddpm_kernels_init());
    ddpm_kernels_set_threads(1);
    printf("%s, %s; forward, input gradient, weight gradient\n%-26s", ddpm_isa_name(),
           ddpm_blas_name(), "shape");
    for (size_t m = 0; m < DDPM_CONV_METHODS; m++)
        printf(" | %-20s", ddpm_kernels__conv_methods[m]->name);
    printf("\n");
    for (size_t i = 0; i < SHAPES; i++) {
        const ddpm_shape in = shapes[i].in;
        char label[64];
        snprintf(label, sizeof label, "%zu x %zux%zu %zu -> %zu /%zu", in.n, in.h, in.w, in.c,
                 shapes[i].k, shapes[i].stride);
        ddpm_conv3x3 op = shapes[i];
        op.bf16 = bf16;
        if (argc <= 2 || strstr(label, argv[2])) bench(&op, label, repetitions);
    }
    return 0;
}
