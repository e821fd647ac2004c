/* Configurations that do not fit together are refused, and the message helps. */
#include "check.h"

#include "ddpm/base/memory.h"
#include "ddpm/nn/unet.h"

#include <math.h>

static ddpm_unet_config sound(void)
{
    return (ddpm_unet_config){
        .height = 32,
        .width = 16,
        .in_channels = 1,
        .out_channels = 1,
        .channels = 32,
        .levels = 3,
        .mult = { 1, 2, 2 },
        .blocks = 1,
        .attention_count = 2,
        .attention = { 16, 8 },
        .groups = 8,
        .epsilon = 1e-6f,
    };
}

static void refused(const ddpm_unet_config *config, const char *part)
{
    CHECK_STATUS(ddpm_unet_check(config), DDPM_ECONFIG);
    CHECK_MESSAGE(part);
    ddpm_unet_needs needs;
    CHECK_STATUS(ddpm_unet_plan(&needs, config, 1, DDPM_UNET_TRAINING), DDPM_ECONFIG);
    ddpm_unet *unet = NULL;
    CHECK_STATUS(ddpm_unet_create(&unet, config, 1, DDPM_UNET_INFERENCE), DDPM_ECONFIG);
    assert_null(unet);
}

static void a_sound_configuration_is_taken(void **state)
{
    (void)state;
    const ddpm_unet_config config = sound();
    CHECK_OK(ddpm_unet_check(&config));
}

static void sides_that_cannot_be_halved_are_refused(void **state)
{
    (void)state;
    ddpm_unet_config config = sound();
    config.height = 28;
    config.levels = 4;
    config.mult[3] = 2;
    refused(&config, "height 28 cannot be halved 3 times");
    CHECK_MESSAGE("multiple of 8 (32)");
    config = sound();
    config.width = 18;
    refused(&config, "width 18");
    config.width = 0;
    refused(&config, "width is 0");
    config.width = 8192;
    refused(&config, "8192; it must be from 1 to 4096");
}

static void channels_that_groups_do_not_divide_are_refused(void **state)
{
    (void)state;
    ddpm_unet_config config = sound();
    config.channels = 48;
    config.groups = 32;
    refused(&config, "model.channels = 48 is not divisible by model.groups = 32");
    CHECK_MESSAGE("groups = 24, or channels = 64");
    config.groups = 0;
    refused(&config, "model.groups is 0");
}

/* conv_in's output is a skip of `channels`, whatever the multipliers are. */
static void multipliers_do_not_heal_the_groups(void **state)
{
    (void)state;
    ddpm_unet_config config = sound();
    config.channels = 4;
    config.mult[0] = 2;
    refused(&config, "joined skips included");
}

static void attention_at_no_levels_height_is_refused(void **state)
{
    (void)state;
    ddpm_unet_config config = sound();
    config.attention[1] = 20;
    refused(&config, "height 20");
    CHECK_MESSAGE("32, 16, 8");
}

static void attention_over_too_many_pixels_is_refused(void **state)
{
    (void)state;
    ddpm_unet_config config = sound();
    config.height = config.width = 1024;
    config.attention_count = 0;
    CHECK_OK(ddpm_unet_check(&config));
    config.attention_count = 1;
    config.attention[0] = 512;
    refused(&config, "attention over 512 x 512 pixels");
    config.attention_count = 0;
    config.levels = 1;
    refused(&config, "attention over 1024 x 1024 pixels");
}

static void numbers_out_of_range_are_refused(void **state)
{
    (void)state;
    ddpm_unet_config config = sound();
    config.levels = 0;
    refused(&config, "model.channel_mult");
    config = sound();
    config.mult[1] = 0;
    refused(&config, "model.channel_mult is 0");
    config = sound();
    config.mult[1] = 1000;
    refused(&config, "channels of level 2");
    config = sound();
    config.blocks = 0;
    refused(&config, "model.blocks is 0");
    config = sound();
    config.in_channels = 0;
    refused(&config, "model.image_channels");
    config = sound();
    config.dropout = 1.0f;
    refused(&config, "model.dropout is 1");
    config.dropout = NAN;
    refused(&config, "model.dropout is");
    config = sound();
    config.epsilon = 0.0f;
    refused(&config, "epsilon");
}

static void a_batch_of_none_is_refused(void **state)
{
    (void)state;
    const ddpm_unet_config config = sound();
    ddpm_unet_needs needs;
    CHECK_STATUS(ddpm_unet_plan(&needs, &config, 0, DDPM_UNET_TRAINING), DDPM_ECONFIG);
    CHECK_MESSAGE("0 images");
}

static void more_memory_than_there_is_is_refused_with_its_size(void **state)
{
    (void)state;
    ddpm_unet_config config = sound();
    config.height = config.width = 1024;
    config.attention_count = 0;
    config.channels = 1024;
    ddpm_unet *unet = NULL;
    CHECK_STATUS(ddpm_unet_create(&unet, &config, 65536, DDPM_UNET_TRAINING), DDPM_EOS);
    CHECK_MESSAGE("activations of a network for 65536 images");
    assert_null(unet);
    assert_int_equal(ddpm_memory_live_blocks(), 0);
}

static void planning_takes_no_memory_and_says_what_creating_takes(void **state)
{
    (void)state;
    const ddpm_unet_config config = sound();
    for (int mode = DDPM_UNET_INFERENCE; mode <= DDPM_UNET_TRAINING; mode++) {
        ddpm_unet_needs needs;
        CHECK_OK(ddpm_unet_plan(&needs, &config, 3, (ddpm_unet_mode)mode));
        assert_int_equal(ddpm_memory_live_blocks(), 0);
        ddpm_unet *unet;
        CHECK_OK(ddpm_unet_create(&unet, &config, 3, (ddpm_unet_mode)mode));
        assert_int_equal(ddpm_memory_live_bytes(DDPM_MEMORY_ACTIVATIONS), needs.activation_bytes);
        assert_int_equal(ddpm_memory_live_bytes(DDPM_MEMORY_SCRATCH), needs.scratch_bytes);
        assert_int_equal(ddpm_unet_params(unet)->total, needs.param_floats);
        assert_int_equal(ddpm_unet_params(unet)->count, needs.tensors);
        assert_int_equal(ddpm_unet_batch(unet), 3);
        assert_int_equal(ddpm_unet_get_config(unet)->width, 16);
        ddpm_unet_free(unet);
        assert_int_equal(ddpm_memory_live_blocks(), 0);
    }
    ddpm_unet_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sound_configuration_is_taken),
        cmocka_unit_test(sides_that_cannot_be_halved_are_refused),
        cmocka_unit_test(channels_that_groups_do_not_divide_are_refused),
        cmocka_unit_test(multipliers_do_not_heal_the_groups),
        cmocka_unit_test(attention_at_no_levels_height_is_refused),
        cmocka_unit_test(attention_over_too_many_pixels_is_refused),
        cmocka_unit_test(numbers_out_of_range_are_refused),
        cmocka_unit_test(a_batch_of_none_is_refused),
        cmocka_unit_test(more_memory_than_there_is_is_refused_with_its_size),
        cmocka_unit_test(planning_takes_no_memory_and_says_what_creating_takes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
