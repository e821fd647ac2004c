#include "weights.h"

#include "check.h"

#include <stdlib.h>

/* Where element i of our order stands in diffusers'. */
static size_t their_index(size_t i, const ddpm_param *row)
{
    const size_t *n = row->shape;
    switch (row->layout) {
    case DDPM_LAYOUT_VECTOR: return i;
    case DDPM_LAYOUT_IO: return i % n[1] * n[0] + i / n[1];
    case DDPM_LAYOUT_HWIO: {
        const size_t out = i % n[3], in = i / n[3] % n[2], window = i / (n[3] * n[2]);
        return (out * n[2] + in) * n[0] * n[1] + window;
    }
    }
    fail_msg("%s has an unknown layout", row->name);
    return 0;
}

void to_diffusers(float *theirs, const float *ours, const ddpm_param *row)
{
    for (size_t i = 0; i < row->count; i++) theirs[their_index(i, row)] = ours[i];
}

double *golden_tensor(golden *file, const char *group, const ddpm_param *row)
{
    size_t count;
    double *theirs = golden_f64(file, &count, "%s/%s", group, row->name);
    if (count != row->count)
        fail_msg("%s/%s has %zu elements, expected %zu", group, row->name, count, row->count);
    double *ours = malloc((count + 1) * sizeof *ours);
    assert_non_null(ours);
    for (size_t i = 0; i < count; i++) ours[i] = theirs[their_index(i, row)];
    free(theirs);
    return ours;
}

void load_golden_weights(golden *file, const char *group, const ddpm_params *params, float *flat)
{
    for (size_t i = 0; i < params->total; i++) flat[i] = 0.0f;
    for (size_t i = 0; i < params->count; i++) {
        const ddpm_param *row = &params->param[i];
        double *tensor = golden_tensor(file, group, row);
        for (size_t k = 0; k < row->count; k++) flat[row->offset + k] = (float)tensor[k];
        free(tensor);
    }
}

static size_t list(size_t *out, golden *file, const char *name, const char *group)
{
    double values[DDPM_UNET_LEVELS];
    const size_t count = golden_attribute(file, values, DDPM_UNET_LEVELS, name, "%s", group);
    for (size_t i = 0; i < count; i++) out[i] = (size_t)values[i];
    return count;
}

double golden_real(golden *file, const char *name, const char *group)
{
    double value;
    assert_int_equal(golden_attribute(file, &value, 1, name, "%s", group), 1);
    return value;
}

size_t golden_number(golden *file, const char *name, const char *group)
{
    return (size_t)golden_real(file, name, group);
}

ddpm_unet_config load_golden_config(golden *file, const char *group)
{
    ddpm_unet_config config = {
        .height = golden_number(file, "image_size", group),
        .width = golden_number(file, "image_size", group),
        .in_channels = golden_number(file, "in_channels", group),
        .out_channels = golden_number(file, "out_channels", group),
        .channels = golden_number(file, "base_channels", group),
        .blocks = golden_number(file, "num_res_blocks", group),
        .groups = golden_number(file, "groups", group),
        .epsilon = (float)golden_real(file, "eps", group),
    };
    config.levels = list(config.mult, file, "channel_mults", group);
    config.attention_count = list(config.attention, file, "attn_resolutions", group);
    return config;
}
