/* The table of parameters: the counts of the paper, names, layout, initialisation. */
#include "check.h"

#include "ddpm/nn/unet.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const ddpm_unet_config cifar10 = {
    .height = 32,
    .width = 32,
    .in_channels = 3,
    .out_channels = 3,
    .channels = 128,
    .levels = 4,
    .mult = { 1, 2, 2, 2 },
    .blocks = 2,
    .attention_count = 1,
    .attention = { 16 },
    .groups = 32,
    .dropout = 0.1f,
    .epsilon = 1e-6f,
};

static const ddpm_unet_config lsun256 = {
    .height = 256,
    .width = 256,
    .in_channels = 3,
    .out_channels = 3,
    .channels = 128,
    .levels = 6,
    .mult = { 1, 1, 2, 2, 4, 4 },
    .blocks = 2,
    .attention_count = 1,
    .attention = { 16 },
    .groups = 32,
    .epsilon = 1e-6f,
};

static const ddpm_unet_config small = {
    .height = 8,
    .width = 8,
    .in_channels = 1,
    .out_channels = 1,
    .channels = 36,
    .levels = 2,
    .mult = { 1, 2 },
    .blocks = 1,
    .groups = 12,
    .epsilon = 1e-6f,
};

static void the_papers_networks_have_their_number_of_parameters(void **state)
{
    (void)state;
    ddpm_unet_needs needs;
    CHECK_OK(ddpm_unet_plan(&needs, &cifar10, 1, DDPM_UNET_TRAINING));
    assert_int_equal(needs.parameters, 35746307);
    assert_int_equal(needs.tensors, 328);
    CHECK_LE(fabs(needs.forward_macs_per_image - 6.22e9), 0.01e9);
    CHECK_OK(ddpm_unet_plan(&needs, &lsun256, 1, DDPM_UNET_TRAINING));
    assert_int_equal(needs.parameters, 113673219);
}

static void each_part_has_its_share(void **state)
{
    (void)state;
    static const struct {
        const char *prefix;
        size_t parameters;
    } parts[] = {
        { "time_embedding.", 328704 }, { "conv_in.", 3584 },       { "down_blocks.", 10190720 },
        { "mid_block.", 2888704 },     { "up_blocks.", 22330880 }, { "conv_norm_out.", 256 },
        { "conv_out.", 3459 },
    };
    ddpm_unet *unet;
    CHECK_OK(ddpm_unet_create(&unet, &cifar10, 1, DDPM_UNET_INFERENCE));
    const ddpm_params *params = ddpm_unet_params(unet);
    for (size_t p = 0; p < sizeof parts / sizeof *parts; p++) {
        size_t sum = 0;
        for (size_t i = 0; i < params->count; i++)
            if (strncmp(params->param[i].name, parts[p].prefix, strlen(parts[p].prefix)) == 0)
                sum += params->param[i].count;
        assert_int_equal(sum, parts[p].parameters);
    }
    ddpm_unet_free(unet);
}

static void tensors_follow_each_other_on_cache_lines(void **state)
{
    (void)state;
    ddpm_unet *unet;
    CHECK_OK(ddpm_unet_create(&unet, &small, 1, DDPM_UNET_INFERENCE));
    const ddpm_params *params = ddpm_unet_params(unet);
    size_t next = 0, parameters = 0;
    for (size_t i = 0; i < params->count; i++) {
        const ddpm_param *row = &params->param[i];
        assert_int_equal(row->offset, next);
        assert_int_equal(row->offset % 16, 0);
        size_t count = 1;
        for (size_t k = 0; k < row->rank; k++) count *= row->shape[k];
        assert_int_equal(row->count, count);
        next = (row->offset + row->count + 15) / 16 * 16;
        parameters += count;
    }
    assert_int_equal(params->total, next);
    assert_int_equal(params->parameters, parameters);
    ddpm_unet_free(unet);
}

static void rows_are_found_by_name_and_by_offset(void **state)
{
    (void)state;
    ddpm_unet *unet;
    CHECK_OK(ddpm_unet_create(&unet, &small, 1, DDPM_UNET_INFERENCE));
    const ddpm_params *params = ddpm_unet_params(unet);
    for (size_t i = 0; i < params->count; i++) {
        const ddpm_param *row = &params->param[i];
        assert_ptr_equal(ddpm_params_find(params, row->name), row);
        assert_ptr_equal(ddpm_params_at(params, row->offset), row);
        assert_ptr_equal(ddpm_params_at(params, row->offset + row->count - 1), row);
    }
    const ddpm_param *bias = ddpm_params_find(params, "conv_in.bias"); /* 36 floats, then 12 */
    assert_null(ddpm_params_at(params, bias->offset + 36));
    assert_null(ddpm_params_at(params, params->total));
    assert_null(ddpm_params_find(params, "conv_in"));
    const ddpm_params none = { 0 };
    assert_null(ddpm_params_at(&none, 0));
    ddpm_unet_free(unet);
}

static void names_and_layouts_are_those_of_diffusers(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        size_t rank, shape[4];
        ddpm_layout layout;
        bool is_conv1x1;
    } rows[] = {
        { "time_embedding.linear_1.weight", 2, { 128, 512 }, DDPM_LAYOUT_IO, false },
        { "conv_in.weight", 4, { 3, 3, 3, 128 }, DDPM_LAYOUT_HWIO, false },
        { "down_blocks.0.downsamplers.0.conv.weight",
          4,
          { 3, 3, 128, 128 },
          DDPM_LAYOUT_HWIO,
          false },
        { "down_blocks.1.resnets.0.conv_shortcut.weight", 2, { 128, 256 }, DDPM_LAYOUT_IO, true },
        { "down_blocks.1.attentions.1.to_out.0.weight", 2, { 256, 256 }, DDPM_LAYOUT_IO, false },
        { "mid_block.attentions.0.group_norm.bias", 1, { 256 }, DDPM_LAYOUT_VECTOR, false },
        { "up_blocks.3.resnets.0.norm1.weight", 1, { 384 }, DDPM_LAYOUT_VECTOR, false },
        { "up_blocks.2.upsamplers.0.conv.bias", 1, { 256 }, DDPM_LAYOUT_VECTOR, false },
        { "up_blocks.3.resnets.2.time_emb_proj.weight", 2, { 512, 128 }, DDPM_LAYOUT_IO, false },
        { "conv_out.weight", 4, { 3, 3, 128, 3 }, DDPM_LAYOUT_HWIO, false },
    };
    ddpm_unet *unet;
    CHECK_OK(ddpm_unet_create(&unet, &cifar10, 1, DDPM_UNET_INFERENCE));
    const ddpm_params *params = ddpm_unet_params(unet);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const ddpm_param *row = ddpm_params_find(params, rows[i].name);
        if (!row) {
            fail_msg("no %s", rows[i].name);
            return;
        }
        assert_int_equal(row->layout, rows[i].layout);
        assert_int_equal(row->rank, rows[i].rank);
        assert_memory_equal(row->shape, rows[i].shape, sizeof row->shape);
        assert_int_equal(row->is_conv1x1, rows[i].is_conv1x1);
    }
    assert_string_equal(params->param[0].name, "time_embedding.linear_1.weight");
    assert_null(ddpm_params_find(params, "down_blocks.3.downsamplers.0.conv.weight"));
    assert_null(ddpm_params_find(params, "up_blocks.3.upsamplers.0.conv.weight"));
    assert_null(ddpm_params_find(params, "down_blocks.0.attentions.0.to_q.weight"));
    assert_string_equal(ddpm_layout_name(DDPM_LAYOUT_HWIO), "HWIO");
    assert_string_equal(ddpm_layout_name(DDPM_LAYOUT_IO), "IO");
    assert_string_equal(ddpm_layout_name(DDPM_LAYOUT_VECTOR), "vector");
    ddpm_unet_free(unet);
}

/* Limit and variance of a uniform tensor: U(-a, a) has variance a^2/3. */
static void check_uniform(const float *w, size_t count, double limit)
{
    double largest = 0.0, sum = 0.0, squares = 0.0;
    for (size_t i = 0; i < count; i++) {
        largest = fmax(largest, fabs((double)w[i]));
        sum += (double)w[i];
        squares += (double)w[i] * (double)w[i];
    }
    const double n = (double)count, sigma = limit / sqrt(3.0);
    CHECK_LE(largest, limit * (1.0 + 1e-6));
    CHECK_LE(limit * (1.0 - 20.0 / n), largest);
    CHECK_LE(fabs(sum / n), 5.0 * sigma / sqrt(n));
    CHECK_LE(fabs(squares / n / (sigma * sigma) - 1.0), 5.0 / sqrt(n));
}

static void weights_start_as_in_the_official_code(void **state)
{
    (void)state;
    ddpm_unet *unet;
    CHECK_OK(ddpm_unet_create(&unet, &small, 1, DDPM_UNET_INFERENCE));
    const ddpm_params *params = ddpm_unet_params(unet);
    float *w = malloc(params->total * sizeof *w);
    assert_non_null(w);
    memset(w, 0xff, params->total * sizeof *w);
    ddpm_params_init(w, params, 3);
    for (size_t offset = 0; offset < params->total; offset++)
        if (!ddpm_params_at(params, offset)) assert_true(w[offset] == 0.0f);
    for (size_t i = 0; i < params->count; i++) {
        const ddpm_param *row = &params->param[i];
        if (row->layout == DDPM_LAYOUT_VECTOR) {
            const bool scale = strstr(row->name, "norm") && strstr(row->name, ".weight");
            for (size_t k = 0; k < row->count; k++)
                assert_true(w[row->offset + k] == (scale ? 1.0f : 0.0f));
        }
    }
    static const struct {
        const char *name;
        double fan_in, fan_out, scale;
    } uniform[] = {
        { "conv_in.weight", 9, 9 * 36, 1 },
        { "time_embedding.linear_2.weight", 144, 144, 1 },
        { "down_blocks.1.resnets.0.conv1.weight", 9 * 36, 9 * 72, 1 },
        { "down_blocks.1.resnets.0.conv2.weight", 9 * 72, 9 * 72, 1e-10 },
        { "down_blocks.1.resnets.0.conv_shortcut.weight", 36, 72, 1 },
        { "down_blocks.1.resnets.0.time_emb_proj.weight", 144, 72, 1 },
        { "mid_block.attentions.0.to_v.weight", 72, 72, 1 },
        { "mid_block.attentions.0.to_out.0.weight", 72, 72, 1e-10 },
        { "up_blocks.0.upsamplers.0.conv.weight", 9 * 72, 9 * 72, 1 },
        { "conv_out.weight", 9 * 36, 9, 1e-10 },
    };
    for (size_t i = 0; i < sizeof uniform / sizeof *uniform; i++) {
        const ddpm_param *row = ddpm_params_find(params, uniform[i].name);
        check_uniform(w + row->offset, row->count,
                      sqrt(6.0 * uniform[i].scale / (uniform[i].fan_in + uniform[i].fan_out)));
    }
    free(w);
    ddpm_unet_free(unet);
}

static void the_start_is_a_function_of_the_seed_and_the_name(void **state)
{
    (void)state;
    ddpm_unet *one, *other;
    ddpm_unet_config larger = small;
    larger.blocks = 2;
    larger.in_channels = 3;
    CHECK_OK(ddpm_unet_create(&one, &small, 1, DDPM_UNET_INFERENCE));
    CHECK_OK(ddpm_unet_create(&other, &larger, 1, DDPM_UNET_INFERENCE));
    const ddpm_params *a = ddpm_unet_params(one), *b = ddpm_unet_params(other);
    float *u = malloc(a->total * sizeof *u), *v = malloc(a->total * sizeof *v);
    float *w = malloc(b->total * sizeof *w);
    assert_true(u && v && w);
    ddpm_params_init(u, a, 7);
    ddpm_params_init(v, a, 7);
    ddpm_params_init(w, b, 7);
    assert_memory_equal(u, v, a->total * sizeof *u);

    const char *name = "mid_block.resnets.0.conv1.weight";
    const ddpm_param *mine = ddpm_params_find(a, name), *theirs = ddpm_params_find(b, name);
    assert_int_not_equal(mine->offset, theirs->offset);
    assert_memory_equal(u + mine->offset, w + theirs->offset, mine->count * sizeof *u);
    const ddpm_param *next = ddpm_params_find(a, "mid_block.resnets.1.conv1.weight");
    assert_memory_not_equal(u + mine->offset, u + next->offset, 64 * sizeof *u);
    ddpm_params_init(v, a, 8);
    assert_memory_not_equal(u + mine->offset, v + mine->offset, 64 * sizeof *u);
    free(u), free(v), free(w);
    ddpm_unet_free(one);
    ddpm_unet_free(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_papers_networks_have_their_number_of_parameters),
        cmocka_unit_test(each_part_has_its_share),
        cmocka_unit_test(tensors_follow_each_other_on_cache_lines),
        cmocka_unit_test(rows_are_found_by_name_and_by_offset),
        cmocka_unit_test(names_and_layouts_are_those_of_diffusers),
        cmocka_unit_test(weights_start_as_in_the_official_code),
        cmocka_unit_test(the_start_is_a_function_of_the_seed_and_the_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
