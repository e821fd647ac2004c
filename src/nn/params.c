#include "ddpm/nn/params.h"

#include "ddpm/base/hash.h"
#include "ddpm/base/philox.h"

#include <math.h>
#include <string.h>

const char *ddpm_layout_name(ddpm_layout layout)
{
    static const char *const names[] = {
        [DDPM_LAYOUT_VECTOR] = "vector", [DDPM_LAYOUT_IO] = "IO", [DDPM_LAYOUT_HWIO] = "HWIO"
    };
    return names[layout];
}

const ddpm_param *ddpm_params_find(const ddpm_params *params, const char *name)
{
    for (size_t i = 0; i < params->count; i++)
        if (strcmp(params->param[i].name, name) == 0) return &params->param[i];
    return NULL;
}

const ddpm_param *ddpm_params_at(const ddpm_params *params, size_t offset)
{
    size_t low = 0, high = params->count; /* the last row that begins at or before offset */
    while (high - low > 1) {
        const size_t middle = low + (high - low) / 2;
        if (params->param[middle].offset <= offset)
            low = middle;
        else
            high = middle;
    }
    if (low == high) return NULL;
    const ddpm_param *row = &params->param[low];
    return offset >= row->offset && offset - row->offset < row->count ? row : NULL;
}

static void fill(float *w, size_t count, float value)
{
    for (size_t i = 0; i < count; i++) w[i] = value;
}

/* Variance scaling of Ho et al.'s code: U(-a, a) with a = sqrt(3 s / mean of the fans), the fans
 * counted with the window. Keyed by the name, so that a tensor starts the same whatever else the
 * network has and wherever it lies in the buffer. */
static void fill_uniform(float *w, const ddpm_param *row, uint64_t seed)
{
    const size_t window = row->layout == DDPM_LAYOUT_HWIO ? row->shape[0] * row->shape[1] : 1;
    const size_t in = row->shape[row->rank - 2], out = row->shape[row->rank - 1];
    const double limit = sqrt(6.0 * row->init_scale / (double)(window * (in + out)));
    const ddpm_random random = { .seed = seed,
                                 .index = ddpm_xxh64_of(row->name, strlen(row->name)),
                                 .purpose = DDPM_RANDOM_INIT };
    ddpm_random_uniform(w, row->count, &random);
    for (size_t i = 0; i < row->count; i++) w[i] = (float)((2.0 * (double)w[i] - 1.0) * limit);
}

void ddpm_params_init(float *weights, const ddpm_params *params, uint64_t seed)
{
    memset(weights, 0, params->total * sizeof *weights);
    for (size_t i = 0; i < params->count; i++) {
        const ddpm_param *row = &params->param[i];
        float *w = weights + row->offset;
        switch (row->init) {
        case DDPM_INIT_ZERO: break;
        case DDPM_INIT_ONE: fill(w, row->count, 1.0f); break;
        case DDPM_INIT_UNIFORM: fill_uniform(w, row, seed); break;
        }
    }
}
