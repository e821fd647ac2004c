#include "unet_internal.h"

#include <stdio.h>
#include <string.h>

/* The name of the weights at an offset of the flat buffer, without ".weight". */
static void name_of(char *name, size_t size, const ddpm_params *params, size_t offset)
{
    const char *full = "";
    for (size_t i = 0; i < params->count; i++)
        if (params->param[i].offset == offset) full = params->param[i].name;
    const char *dot = strrchr(full, '.');
    snprintf(name, size, "%.*s", (int)(dot ? dot - full : 0), full);
}

static const ddpm_nn__conv *find(const ddpm_nn__tape *tape, size_t index)
{
    for (size_t i = 0; i < tape->count; i++) {
        ddpm_nn__conv *convs[2];
        const size_t count = ddpm_nn__op_convs(convs, &tape->op[i]);
        if (index < count) return convs[index];
        index -= count;
    }
    return NULL;
}

bool ddpm_unet_conv_at(ddpm_unet_conv *conv, const ddpm_unet *unet, size_t index)
{
    const ddpm_nn__conv *found = find(&unet->tape, index);
    if (!found) return false;
    *conv = (ddpm_unet_conv){ .in = found->op.in,
                              .out = ddpm_conv3x3_out_shape(&found->op),
                              .stride = found->op.stride,
                              .directions = unet->mode == DDPM_UNET_TRAINING ? 3 : 1 };
    name_of(conv->name, sizeof conv->name, &unet->build.params, found->w);
    for (size_t d = 0; d < conv->directions; d++) {
        conv->algorithm[d] = ddpm_conv3x3_plan_algorithm(found->plan, (int)d);
        conv->cost_ns[d] = ddpm_conv3x3_plan_cost_ns(found->plan, (int)d);
    }
    return true;
}
