#include "check.h"
#include "ddpm/train/model.h"

#include <string.h>

static ddpm_config config;

static void set(const char *assignment)
{
    CHECK_OK(ddpm_config_set(&config, assignment));
}

static int defaults(void **state)
{
    (void)state;
    ddpm_config_init(&config);
    return 0;
}

static void the_papers_cifar10_network_has_its_number_of_parameters(void **state)
{
    (void)state;
    set("model.image_size=32");
    set("model.image_channels=3");
    ddpm_unet_config unet;
    ddpm_unet_needs needs;
    CHECK_OK(ddpm_model_unet_config(&unet, &config));
    CHECK_OK(ddpm_unet_plan(&needs, &unet, 1, DDPM_UNET_INFERENCE));
    assert_int_equal(needs.parameters, 35746307);
}

static void every_key_of_the_model_arrives_in_the_network(void **state)
{
    (void)state;
    static const char *const settings[] = { "model.image_size=16",    "model.image_width=24",
                                            "model.image_channels=1", "model.channels=12",
                                            "model.channel_mult=1,3", "model.blocks=4",
                                            "model.attention=8",      "model.groups=6",
                                            "model.dropout=0.25" };
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) set(settings[i]);
    ddpm_unet_config unet;
    CHECK_OK(ddpm_model_unet_config(&unet, &config));
    assert_int_equal(unet.height, 16);
    assert_int_equal(unet.width, 24);
    assert_int_equal(unet.in_channels, 1);
    assert_int_equal(unet.out_channels, 1);
    assert_int_equal(unet.channels, 12);
    assert_int_equal(unet.levels, 2);
    assert_int_equal(unet.mult[0], 1);
    assert_int_equal(unet.mult[1], 3);
    assert_int_equal(unet.blocks, 4);
    assert_int_equal(unet.attention_count, 1);
    assert_int_equal(unet.attention[0], 8);
    assert_int_equal(unet.groups, 6);
    assert_true(unet.dropout == 0.25f);
    assert_true(unet.epsilon == 1e-6f);
}

static void a_size_that_nobody_said_is_asked_for(void **state)
{
    (void)state;
    ddpm_unet_config unet;
    CHECK_STATUS(ddpm_model_unet_config(&unet, &config), DDPM_ECONFIG);
    CHECK_MESSAGE("model.image_size");
    set("model.image_size=32");
    CHECK_STATUS(ddpm_model_unet_config(&unet, &config), DDPM_ECONFIG);
    CHECK_MESSAGE("model.image_channels");
}

static void the_data_fill_in_what_the_configuration_leaves_open(void **state)
{
    (void)state;
    const ddpm_dataset_info data = { .shape = { 10, 28, 36, 3 }, .name = "photographs" };
    CHECK_OK(ddpm_model_fit_data(&config, &data));
    assert_int_equal(config.model.image_size, 28);
    assert_int_equal(config.model.image_width, 36);
    assert_int_equal(config.model.image_channels, 3);
    CHECK_OK(ddpm_model_fit_data(&config, &data));
}

static void a_size_that_the_data_contradict_is_refused(void **state)
{
    (void)state;
    const ddpm_dataset_info data = { .shape = { 10, 32, 48, 3 }, .name = "photographs" };
    static const struct {
        const char *setting, *message;
    } cases[] = {
        { "model.image_size=64", "model.image_size = 64 (command line)" },
        { "model.image_size=32", "model.image_size = 32 (command line)" }, /* not square */
        { "model.image_width=32", "model.image_width = 32 (command line)" },
        { "model.image_channels=1", "model.image_channels = 1 (command line)" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ddpm_config_init(&config);
        set(cases[i].setting);
        CHECK_STATUS(ddpm_model_fit_data(&config, &data), DDPM_ECONFIG);
        CHECK_MESSAGE(cases[i].message);
        CHECK_MESSAGE("photographs");
    }
}

static void the_schedule_is_the_configured_one(void **state)
{
    (void)state;
    ddpm_schedule *schedule = NULL;
    set("diffusion.steps=400");
    set("diffusion.beta_start=0.001");
    set("diffusion.beta_end=0.04");
    CHECK_OK(ddpm_model_schedule(&schedule, &config));
    assert_int_equal(schedule->steps, 400);
    assert_true(schedule->beta[0] == 0.001);
    assert_true(schedule->beta[399] == 0.04);
    ddpm_schedule_free(schedule);
    set("diffusion.schedule=cosine");
    CHECK_OK(ddpm_model_schedule(&schedule, &config));
    assert_true(schedule->beta[399] == 0.999);
    ddpm_schedule_free(schedule);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_papers_cifar10_network_has_its_number_of_parameters, defaults),
        cmocka_unit_test_setup(every_key_of_the_model_arrives_in_the_network, defaults),
        cmocka_unit_test_setup(a_size_that_nobody_said_is_asked_for, defaults),
        cmocka_unit_test_setup(the_data_fill_in_what_the_configuration_leaves_open, defaults),
        cmocka_unit_test_setup(a_size_that_the_data_contradict_is_refused, defaults),
        cmocka_unit_test_setup(the_schedule_is_the_configured_one, defaults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
