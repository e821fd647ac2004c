/* The 3x3 convolutions that the plan picks, one thread, against the measured FMA peak of this core.
 * GFLOP/s are counted as direct convolution, so that Winograd's algorithm, which multiplies 2.25
 * (F2) or 4 times less, may come to more than 100%.
 * Usage: bench_kernels [--json | --list] [--repetitions N] [PART OF A SHAPE'S LABEL] */
#include "bench_support.h"
#include "ddpm/kernels/isa.h"
#include "fma_peak.h"

#include <stdbool.h>
#include <string.h>

typedef struct {
    bool json, list;
    int repetitions;
    const char *part;
} arguments;

static const char *const directions[] = { "forward", "dx", "dw" };

static void measure(double best[DDPM_CONV_DIRECTIONS], const ddpm_conv3x3 *op,
                    const ddpm_conv3x3_plan *plan, int repetitions)
{
    bench_operands o = bench_operands_of(op);
    float *scratch = bench_array(plan->scratch_bytes / sizeof(float));
    for (int d = 0; d < DDPM_CONV_DIRECTIONS; d++) best[d] = 0.0;
    for (int i = 0; i < repetitions; i++)
        for (int d = 0; d < DDPM_CONV_DIRECTIONS; d++) {
            const double rate = o.gflop / bench_run(&o, d, scratch, plan);
            if (rate > best[d]) best[d] = rate;
        }
    ddpm_memory_free(scratch);
    bench_operands_free(&o);
}

static void bench(const ddpm_conv3x3 *op, const char *label, const arguments *args, double peak,
                  bool first)
{
    ddpm_conv3x3_plan *plan;
    double best[DDPM_CONV_DIRECTIONS];
    bench_or_die(ddpm_conv3x3_plan_create(&plan, op));
    measure(best, op, plan, args->repetitions);
    printf(args->json ? "%s\n    \"%s\": {" : "%s%-26s", args->json && !first ? "," : "", label);
    for (int d = 0; d < DDPM_CONV_DIRECTIONS; d++)
        if (args->json)
            printf("%s \"%s\": %.1f", d ? "," : "", directions[d], best[d]);
        else
            printf(" | %-9s %7.1f %5.0f%%", ddpm_conv3x3_plan_algorithm(plan, d), best[d],
                   100.0 * best[d] / peak);
    printf(args->json ? " }" : "\n");
    fflush(stdout);
    ddpm_conv3x3_plan_free(plan);
}

static void usage(void)
{
    fputs("usage: bench_kernels [--json | --list] [--repetitions N] [PART OF A SHAPE'S LABEL]\n",
          stderr);
    exit(DDPM_EUSAGE);
}

static arguments parse(int argc, char **argv)
{
    arguments args = { .repetitions = 7, .part = "" };
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--json") == 0) {
            args.json = true;
        } else if (strcmp(argv[i], "--list") == 0) {
            args.list = true;
        } else if (strcmp(argv[i], "--repetitions") == 0 && i + 1 < argc) {
            args.repetitions = (int)strtol(argv[++i], NULL, 10);
        } else if (*argv[i] == '-') {
            usage();
        } else {
            args.part = argv[i];
        }
    if (args.repetitions < 1) usage();
    return args;
}

static void print_head(const arguments *args, double peak)
{
    if (args->json) {
        printf(
            "{\n  \"isa\": \"%s\", \"blas\": \"%s\", \"fma_peak_gflops\": %.1f,\n  \"gflops\": {",
            ddpm_isa_name(), ddpm_blas_name(), peak);
        return;
    }
    printf("%s, %s; FMA peak of one core %.1f GFLOP/s\n%-26s", ddpm_isa_name(), ddpm_blas_name(),
           peak, "shape");
    for (int d = 0; d < DDPM_CONV_DIRECTIONS; d++)
        printf(" | %-9s %7s %6s", directions[d], "GFLOP/s", "peak");
    putchar('\n');
}

int main(int argc, char **argv)
{
    const arguments args = parse(argc, argv);
    bench_or_die(ddpm_kernels_init());
    ddpm_kernels_set_threads(1);
    const double peak = args.list ? 0.0 : fma_peak_gflops(ddpm_isa_name());
    if (!args.list) print_head(&args, peak);
    bool first = true;
    for (size_t i = 0; i < BENCH_SHAPES; i++) {
        char label[BENCH_LABEL];
        bench_label(label, &bench_shapes[i]);
        if (!strstr(label, args.part)) continue;
        if (args.list)
            puts(label);
        else
            bench(&bench_shapes[i], label, &args, peak, first);
        first = false;
    }
    if (args.json) printf("\n  }\n}\n");
    if (!first) return 0;
    fprintf(stderr, "benchmark: no shape has '%s' in its label; --list prints them\n", args.part);
    return DDPM_EUSAGE;
}
