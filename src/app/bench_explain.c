/* ddpm-dist bench --explain: which algorithm the planner picked for every 3x3 convolution, and what
 * it takes that to cost. Nothing runs. */
#include "bench.h"

#include "ddpm/kernels/isa.h"
#include "ddpm/train/model.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

enum { DIRECTIONS = 3 };
static const char *const directions[DIRECTIONS] = { "forward", "dx", "dw" };

/* Multiply-accumulates of a direct convolution, the same in every direction, as two operations. */
static double flops(const ddpm_unet_conv *conv)
{
    return 2.0 * 9.0 * (double)ddpm_shape_count(conv->out) * (double)conv->in.c;
}

static void print_text(const ddpm_unet *unet)
{
    ddpm_unet_conv conv;
    double total[DIRECTIONS] = { 0.0 }, work = 0.0;
    size_t count = 0;
    printf("%s, %s; %zu images a pass\n", ddpm_isa_name(), ddpm_blas_name(), ddpm_unet_batch(unet));
    puts("ms: the planner's estimate for one core with AVX-512, good for comparing algorithms on "
         "one shape.\n");
    printf("%-36s  %-13s  %-13s  %-2s", "3x3 convolution", "input", "output", "/s");
    const size_t shown = ddpm_unet_conv_at(&conv, unet, 0) ? conv.directions : 0;
    for (size_t d = 0; d < shown && d < DIRECTIONS; d++) printf("  %-9s %9s", directions[d], "ms");
    putchar('\n');
    for (; ddpm_unet_conv_at(&conv, unet, count); count++) {
        char in[48], out[48];
        snprintf(in, sizeof in, "%zux%zux%zu", conv.in.h, conv.in.w, conv.in.c);
        snprintf(out, sizeof out, "%zux%zux%zu", conv.out.h, conv.out.w, conv.out.c);
        printf("%-36s  %-13s  %-13s  /%zu", conv.name, in, out, conv.stride);
        for (size_t d = 0; d < conv.directions && d < DIRECTIONS; d++) {
            printf("  %-9s %9.3f", conv.algorithm[d], conv.cost_ns[d] * 1e-6);
            total[d] += conv.cost_ns[d];
        }
        putchar('\n');
        work += flops(&conv);
    }
    printf("%zu convolutions, %.2f GFLOP in each direction:", count, work * 1e-9);
    for (size_t d = 0; d < DIRECTIONS && total[d] > 0.0; d++)
        printf("%s %s %.1f ms", d ? "," : "", directions[d], total[d] * 1e-6);
    putchar('\n');
}

static json_t *shape_json(ddpm_shape shape)
{
    return json_pack("[I, I, I, I]", (json_int_t)shape.n, (json_int_t)shape.h, (json_int_t)shape.w,
                     (json_int_t)shape.c);
}

static ddpm_status print_json(const ddpm_unet *unet)
{
    json_t *convs = json_array();
    ddpm_unet_conv conv;
    for (size_t i = 0; ddpm_unet_conv_at(&conv, unet, i); i++) {
        json_t *picks = json_object();
        for (size_t d = 0; d < conv.directions && d < DIRECTIONS; d++)
            json_object_set_new(picks, directions[d],
                                json_pack("{s:s, s:f}", "algorithm", conv.algorithm[d],
                                          "estimated_ms", conv.cost_ns[d] * 1e-6));
        json_array_append_new(
            convs, json_pack("{s:s, s:o, s:o, s:I, s:f, s:o}", "name", conv.name, "input",
                             shape_json(conv.in), "output", shape_json(conv.out), "stride",
                             (json_int_t)conv.stride, "flops", flops(&conv), "picks", picks));
    }
    json_t *json = json_pack("{s:s, s:s, s:I, s:o}", "isa", ddpm_isa_name(), "blas",
                             ddpm_blas_name(), "images", (json_int_t)ddpm_unet_batch(unet),
                             "convolutions", convs);
    char *text = json ? json_dumps(json, JSON_INDENT(2) | JSON_REAL_PRECISION(6)) : NULL;
    json_decref(json);
    if (!text) return ddpm_fail(DDPM_EOS, "no memory for the explanation as JSON");
    puts(text);
    free(text);
    return DDPM_OK;
}

ddpm_status ddpm_app__bench_explain(const ddpm_config *config, size_t batch, ddpm_unet_mode mode,
                                    bool json)
{
    ddpm_unet_config shape;
    ddpm_unet *unet;
    DDPM_TRY(ddpm_model_unet_config(&shape, config));
    DDPM_TRY(ddpm_unet_create(&unet, &shape, batch, mode));
    ddpm_status status = DDPM_OK;
    if (json)
        status = print_json(unet);
    else
        print_text(unet);
    ddpm_unet_free(unet);
    return status;
}
