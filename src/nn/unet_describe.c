#include "unet_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "32x32x128": without the batch. */
static void print_shape(FILE *out, ddpm_shape s, int width)
{
    char text[64];
    snprintf(text, sizeof text, "%zux%zux%zu", s.h, s.w, s.c);
    fprintf(out, "  %-*s", width, text);
}

static size_t count_parameters(const ddpm_params *params, const ddpm_nn__op *op)
{
    size_t count = 0;
    for (size_t i = 0; i < params->count; i++)
        if (params->param[i].offset >= op->param_begin && params->param[i].offset < op->param_end)
            count += params->param[i].count;
    return count;
}

/* "winograd4", or "winograd4/im2col/winograd4" where forward, dx and dw differ. */
static void print_algorithm(FILE *out, const ddpm_nn__conv *conv, bool training)
{
    const char *forward = ddpm_conv3x3_plan_algorithm(conv->plan, 0);
    const char *dx = ddpm_conv3x3_plan_algorithm(conv->plan, 1);
    const char *dw = ddpm_conv3x3_plan_algorithm(conv->plan, 2);
    fprintf(out, "  %s", forward);
    if (training && (strcmp(forward, dx) != 0 || strcmp(forward, dw) != 0))
        fprintf(out, "/%s/%s", dx, dw);
}

char *ddpm_unet_describe(const ddpm_unet *unet)
{
    const ddpm_nn__tape *tape = &unet->tape;
    const bool training = unet->mode == DDPM_UNET_TRAINING;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (!out) return NULL;
    fprintf(out, "%-32s  %-14s  %-8s  %10s  %9s  3x3 convolutions%s\n", "operation", "output",
            "skip", "parameters", "MMAC", training ? " (forward/dx/dw)" : "");
    for (size_t i = 0; i < tape->count; i++) {
        ddpm_nn__op *op = &tape->op[i];
        fprintf(out, "%-32s", op->name);
        print_shape(out, tape->value[i + 1].shape, 14);
        if (op->skip == DDPM_NN__NO_VALUE)
            fprintf(out, "  %-8s", "");
        else
            fprintf(out, "  +%-7zu", tape->value[op->skip].shape.c);
        fprintf(out, "  %10zu  %9.2f", count_parameters(&unet->build.params, op),
                op->macs / (double)unet->batch * 1e-6);
        ddpm_nn__conv *convs[2];
        const size_t count = ddpm_nn__op_convs(convs, op);
        for (size_t k = 0; k < count; k++) print_algorithm(out, convs[k], training);
        fputc('\n', out);
    }
    fprintf(out, "%-32s  %-14s  %-8s  %10zu  %9.2f\n", "in all", "", "",
            unet->build.params.parameters, unet->build.macs / (double)unet->batch * 1e-6);
    if (fclose(out) != 0) {
        free(text);
        return NULL;
    }
    return text;
}
