/* Times every method of 3x3 convolution on the shapes of real networks, one thread: GFLOP/s counted
 * as direct convolution, best of several interleaved runs by thread CPU time. "*" marks what the
 * plan picks. Usage: bench_conv [--bf16] [repetitions [part of a shape's label]] */
#include "bench_support.h"
#include "ddpm/kernels/isa.h"

#include <string.h>

static void bench(const ddpm_conv3x3 *op, const char *label, int repetitions)
{
    bench_operands o = bench_operands_of(op);
    ddpm_conv3x3_plan *picked, *plan[DDPM_CONV_METHODS] = { NULL };
    void *scratch[DDPM_CONV_METHODS] = { NULL };
    double best[DDPM_CONV_METHODS][DDPM_CONV_DIRECTIONS];
    bench_or_die(ddpm_conv3x3_plan_create(&picked, op));
    for (size_t m = 0; m < DDPM_CONV_METHODS; m++) {
        const ddpm_conv_method *method = ddpm_kernels__conv_methods[m];
        if (!method->supports(op)) continue;
        const ddpm_conv_method *const all[] = { method, method, method };
        bench_or_die(ddpm_kernels__conv3x3_plan_with(&plan[m], op, all));
        scratch[m] = bench_array(plan[m]->scratch_bytes / sizeof(float));
        for (int d = 0; d < DDPM_CONV_DIRECTIONS; d++) best[m][d] = 1e9;
    }
    for (int i = 0; i < repetitions; i++)
        for (size_t m = 0; m < DDPM_CONV_METHODS; m++)
            for (int d = 0; d < DDPM_CONV_DIRECTIONS && plan[m]; d++) {
                const double time = bench_run(&o, d, scratch[m], plan[m]);
                if (time < best[m][d]) best[m][d] = time;
            }

    printf("%-26s", label);
    for (size_t m = 0; m < DDPM_CONV_METHODS; m++) {
        printf(" |");
        for (int d = 0; d < DDPM_CONV_DIRECTIONS; d++)
            if (plan[m])
                printf(" %5.0f%c", o.gflop / best[m][d],
                       picked->method[d] == plan[m]->method[d] ? '*' : ' ');
            else
                printf("      -");
        ddpm_conv3x3_plan_free(plan[m]);
        ddpm_memory_free(scratch[m]);
    }
    printf("\n");
    fflush(stdout);
    ddpm_conv3x3_plan_free(picked);
    bench_operands_free(&o);
}

int main(int argc, char **argv)
{
    const bool bf16 = argc > 1 && strcmp(argv[1], "--bf16") == 0;
    if (bf16) argc--, argv++;
    const int repetitions = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 5;
    bench_or_die(ddpm_kernels_init());
    ddpm_kernels_set_threads(1);
    printf("%s, %s; forward, input gradient, weight gradient\n%-26s", ddpm_isa_name(),
           ddpm_blas_name(), "shape");
    for (size_t m = 0; m < DDPM_CONV_METHODS; m++)
        printf(" | %-20s", ddpm_kernels__conv_methods[m]->name);
    printf("\n");
    for (size_t i = 0; i < BENCH_SHAPES; i++) {
        char label[BENCH_LABEL];
        bench_label(label, &bench_shapes[i]);
        ddpm_conv3x3 op = bench_shapes[i];
        op.bf16 = bf16;
        if (argc <= 2 || strstr(label, argv[2])) bench(&op, label, repetitions);
    }
    return 0;
}
