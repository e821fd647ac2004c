#include "time_embedding.h"

#include "ddpm/kernels/elementwise.h"

#include <math.h>

void ddpm_nn__time_embedding_add(ddpm_nn__time_embedding *block, ddpm_nn__build *build,
                                 const char *prefix, size_t n, size_t channels, size_t classes)
{
    const size_t width = 4 * channels;
    *block = (ddpm_nn__time_embedding){
        .n = n, .channels = channels, .width = width, .classes = classes
    };
    const ddpm_linear first = { .rows = n, .c = channels, .k = width };
    const ddpm_linear second = { .rows = n, .c = width, .k = width };
    ddpm_nn__linear_add(&block->linear_1, build, prefix, "linear_1", &first, 1.0, false);
    ddpm_nn__linear_add(&block->linear_2, build, prefix, "linear_2", &second, 1.0, false);
    const ddpm_param table = { .layout = DDPM_LAYOUT_IO,
                               .rank = 2,
                               .shape = { classes + 1, width },
                               .init = DDPM_INIT_UNIFORM,
                               .init_scale = 1.0 };
    if (classes > 0)
        block->table = ddpm_nn__add_param(build, &table, "", "class_embedding", "weight");
    block->s = ddpm_nn__add_floats(build, n * channels, DDPM_NN__KEPT);
    block->l = ddpm_nn__add_floats(build, n * width, DDPM_NN__KEPT);
    block->a = ddpm_nn__add_floats(build, n * width, DDPM_NN__KEPT);
    block->temb = ddpm_nn__add_floats(build, n * width, DDPM_NN__KEPT);
    block->dl = ddpm_nn__add_floats(build, n * width, DDPM_NN__BACKWARD);
    block->dtemb = ddpm_nn__add_floats(build, n * width, DDPM_NN__BACKWARD);
}

void ddpm_nn__timestep_embedding(float *s, const float *t, size_t n, size_t channels)
{
    const size_t half = channels / 2;
    for (size_t i = 0; i < half; i++) {
        const double exponent = half > 1 ? (double)i / (double)(half - 1) : 0.0;
        const double frequency = exp(-log(10000.0) * exponent);
        for (size_t image = 0; image < n; image++) {
            const double angle = (double)t[image] * frequency;
            s[image * channels + i] = (float)sin(angle);
            s[image * channels + half + i] = (float)cos(angle);
        }
    }
    if (channels % 2)
        for (size_t image = 0; image < n; image++) s[image * channels + channels - 1] = 0.0f;
}

void ddpm_nn__time_mlp_forward(float *temb, const float *s, const ddpm_nn__time_embedding *block,
                               const ddpm_nn__run *run)
{
    float *l = ddpm_nn__at(run, block->l), *a = ddpm_nn__at(run, block->a);
    ddpm_nn__linear_forward(l, s, NULL, &block->linear_1, run);
    ddpm_silu_forward(a, l, block->n * block->width);
    ddpm_nn__linear_forward(temb, a, NULL, &block->linear_2, run);
}

void ddpm_nn__time_mlp_backward(float *ds, const float *dtemb, const float *s,
                                const ddpm_nn__time_embedding *block, const ddpm_nn__run *run)
{
    const float *l = ddpm_nn__at(run, block->l), *a = ddpm_nn__at(run, block->a);
    float *dl = ddpm_nn__at(run, block->dl), *da = dl;
    /* temb = linear_2(a) */
    ddpm_nn__linear_backward_weights(dtemb, a, &block->linear_2, run);
    ddpm_nn__linear_backward_data(da, dtemb, &block->linear_2, run);
    /* a = silu(l) */
    ddpm_silu_backward(dl, da, l, block->n * block->width);
    /* l = linear_1(s) */
    ddpm_nn__linear_backward_weights(dl, s, &block->linear_1, run);
    if (ds) ddpm_nn__linear_backward_data(ds, dl, &block->linear_1, run);
}

/* Row `class` of the table of image n, in `flat`. */
static size_t row_of(size_t n, const ddpm_nn__time_embedding *block, const ddpm_nn__run *run)
{
    return block->table + (size_t)run->class_of_image[n] * block->width;
}

static void add_class_rows(float *temb, const ddpm_nn__time_embedding *block,
                           const ddpm_nn__run *run)
{
    for (size_t n = 0; n < block->n; n++)
        ddpm_add_to(temb + n * block->width, run->weights + row_of(n, block, run), block->width);
}

/* Image after image: several may be of one class. */
static void add_class_gradients(const float *dtemb, const ddpm_nn__time_embedding *block,
                                const ddpm_nn__run *run)
{
    for (size_t n = 0; n < block->n; n++)
        ddpm_add_to(run->grads + row_of(n, block, run), dtemb + n * block->width, block->width);
}

void ddpm_nn__time_embedding_forward(float *e, const float *t, const ddpm_nn__time_embedding *block,
                                     const ddpm_nn__run *run)
{
    float *s = ddpm_nn__at(run, block->s), *temb = ddpm_nn__at(run, block->temb);
    ddpm_nn__timestep_embedding(s, t, block->n, block->channels);
    ddpm_nn__time_mlp_forward(temb, s, block, run);
    if (block->classes > 0) add_class_rows(temb, block, run);
    ddpm_silu_forward(e, temb, block->n * block->width);
}

void ddpm_nn__time_embedding_backward(const float *de, const ddpm_nn__time_embedding *block,
                                      const ddpm_nn__run *run)
{
    const float *s = ddpm_nn__at(run, block->s), *temb = ddpm_nn__at(run, block->temb);
    float *dtemb = ddpm_nn__at(run, block->dtemb);
    /* e = silu(temb) */
    ddpm_silu_backward(dtemb, de, temb, block->n * block->width);
    /* temb = mlp(s) + table[class] */
    if (block->classes > 0) add_class_gradients(dtemb, block, run);
    ddpm_nn__time_mlp_backward(NULL, dtemb, s, block, run);
}
