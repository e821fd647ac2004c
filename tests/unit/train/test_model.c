#include "check.h"
#include "ddpm/train/model.h"

#include <stdio.h>
#include <string.h>

static ddpm_config config;

static void set(const char *assignment)
{
    CHECK_OK(ddpm_config_set(&config, assignment));
}

static void choose(const char *key, const char *word)
{
    char assignment[128];
    snprintf(assignment, sizeof assignment, "%s=%s", key, word);
    set(assignment);
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

/* The configuration's rules in words, and the objective's own, say yes to the same. */
static void objectives_are_refused_by_their_keys_as_by_themselves(void **state)
{
    (void)state;
    static const char *const processes[] = { "diffusion", "flow" };
    static const char *const predictions[] = { "auto", "eps", "x0", "xprev", "v", "velocity" };
    static const char *const losses[] = { "mse", "kl", "hybrid" };
    static const char *const variances[] = { "fixedlarge", "fixedsmall", "learned",
                                             "learned_range" };
    size_t good = 0;
    for (size_t i = 0; i < 2 * 6 * 3 * 4 * 2; i++) {
        ddpm_config_init(&config);
        size_t rest = i;
        choose("diffusion.process", processes[rest % 2]), rest /= 2;
        choose("objective.prediction", predictions[rest % 6]), rest /= 6;
        choose("objective.loss", losses[rest % 3]), rest /= 3;
        choose("objective.variance", variances[rest % 4]), rest /= 4;
        config.objective.min_snr = rest ? 5.0 : 0.0;
        ddpm_schedule *schedule = NULL;
        ddpm_objective objective;
        CHECK_OK(ddpm_model_schedule(&schedule, &config));
        const bool by_keys = ddpm_config_check(&config) == DDPM_OK;
        const bool by_itself = ddpm_model_objective(&objective, &config, schedule) == DDPM_OK;
        assert_int_equal(by_keys, by_itself);
        good += by_keys;
        ddpm_schedule_free(schedule);
    }
    /* auto, eps, x0, xprev and v: mse with two variances and hybrid with two, both also by min-SNR,
     * and kl with four; auto and velocity of a flow, with two variances that count for nothing. */
    assert_int_equal(good, 5 * (2 * (2 + 2) + 4) + 2 * 2 * 2);
}

static bool schedules_differ(const char *setting)
{
    ddpm_schedule *usual = NULL, *other = NULL;
    CHECK_OK(ddpm_model_schedule(&usual, &config));
    set(setting);
    CHECK_OK(ddpm_model_schedule(&other, &config));
    const size_t bytes = usual->steps * sizeof(double);
    const bool differ = memcmp(usual->sqrt_alpha_bar, other->sqrt_alpha_bar, bytes) != 0;
    ddpm_schedule_free(usual);
    ddpm_schedule_free(other);
    return differ;
}

/* What the configuration believes of the keys of the process is what the process does. */
static void a_key_has_a_part_where_the_schedule_depends_on_it(void **state)
{
    (void)state;
    static const char *const keys[][2] = {
        { "diffusion.schedule", "diffusion.schedule=warmup50" },
        { "diffusion.beta_start", "diffusion.beta_start=0.001" },
        { "diffusion.beta_end", "diffusion.beta_end=0.03" },
    };
    size_t idle = 0;
    for (int flow = 0; flow < 2; flow++)
        for (size_t s = 0; ddpm_schedule_names[s]; s++)
            for (size_t k = 0; k < 3; k++) {
                if (k == 0 && strcmp(ddpm_schedule_names[s], "warmup50") == 0) continue;
                ddpm_config_init(&config);
                choose("diffusion.process", flow ? "flow" : "diffusion");
                choose("diffusion.schedule", ddpm_schedule_names[s]);
                const bool has_part = ddpm_config_has_part(&config, keys[k][0]);
                assert_int_equal(has_part, schedules_differ(keys[k][1]));
                idle += !has_part;
            }
    assert_int_equal(idle, 2 + 2 + 1 + 3 * 7 - 1); /* cosine, jsd, const; flows */
}

static void keys_without_effect_are_named_with_what_makes_them_so(void **state)
{
    (void)state;
    char text[DDPM_MODEL_IDLE_TEXT];
    static const struct {
        const char *settings[4], *says;
    } cases[] = {
        { { "diffusion.beta_start=0.001", "objective.variance=fixedsmall" }, "" },
        { { "diffusion.schedule=cosine" }, "" },
        { { "diffusion.process=flow" }, "" },
        { { "diffusion.process=flow", "diffusion.beta_end=2e-2" }, "" }, /* the default */
        { { "diffusion.schedule=cosine", "diffusion.beta_start=0.001", "diffusion.beta_end=0.03" },
          "diffusion.beta_start = 0.001 (command line), diffusion.beta_end = 0.03 (command line): "
          "without effect under diffusion.schedule = cosine (command line)" },
        { { "diffusion.schedule=const", "diffusion.beta_start=0.001", "diffusion.beta_end=0.03" },
          "diffusion.beta_start = 0.001 (command line): without effect under diffusion.schedule = "
          "const (command line)" },
        { { "diffusion.process=flow", "diffusion.schedule=cosine", "diffusion.beta_end=0.03",
            "objective.variance=fixedsmall" },
          "diffusion.schedule = cosine (command line), diffusion.beta_end = 0.03 (command line), "
          "objective.variance = fixedsmall (command line): without effect under "
          "diffusion.process = flow (command line)" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ddpm_config_init(&config);
        for (size_t k = 0; k < 4 && cases[i].settings[k]; k++) set(cases[i].settings[k]);
        CHECK_OK(ddpm_config_check(&config));
        assert_string_equal(ddpm_model_idle_text(text, sizeof text, &config), cases[i].says);
    }
    char small[20];
    ddpm_model_idle_text(small, sizeof small, &config);
    assert_memory_equal(small, text, sizeof small - 1);
    assert_int_equal(small[sizeof small - 1], '\0');
}

static void a_grid_that_could_not_be_drawn_is_refused_with_its_keys(void **state)
{
    (void)state;
    static const struct {
        const char *settings[4], *says;
    } cases[] = {
        { { "diffusion.process=flow", "sample.sampler=ddim" },
          "sample.sampler = ddim (command line), sample.steps = 50 (default): sampler 'ddim' is" },
        { { "diffusion.process=flow", "sample.sampler=ddpm" }, "this is a flow" },
        { { "objective.variance=learned", "objective.loss=kl", "sample.sampler=ddpm" },
          "a learned variance is that of one of all 1000 steps" },
        { { "objective.prediction=xprev", "sample.sampler=heun" }, "xprev knows nothing" },
        { { "sample.sampler=heun", "sample.steps=1" }, "sample.steps = 1 (command line): " },
        { { "sample.sampler=heun", "sample.eta=0.5" },
          "sample.eta = 0.5 (command line) does not go with sample.sampler = heun" },
        { { "diffusion.process=flow", "sample.eta=0.5" },
          "sample.eta = 0.5 (command line) does not go with sample.sampler = auto (default)" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ddpm_config_init(&config);
        for (size_t k = 0; k < 4 && cases[i].settings[k]; k++) set(cases[i].settings[k]);
        CHECK_OK(ddpm_config_check(&config));
        CHECK_STATUS(ddpm_model_check(&config), DDPM_ECONFIG);
        CHECK_MESSAGE(cases[i].says);
        set("sample.every=0"); /* there are none */
        CHECK_OK(ddpm_model_check(&config));
    }
    static const char *const samplers[] = { "auto", "ddpm", "ddim", "dpm++", "heun", "euler" };
    ddpm_config_init(&config);
    for (size_t i = 0; i < sizeof samplers / sizeof *samplers; i++) {
        choose("sample.sampler", samplers[i]);
        CHECK_OK(ddpm_model_check(&config));
    }
}

static void labels_that_the_classes_do_not_fit_are_refused(void **state)
{
    (void)state;
    ddpm_dataset_info data = { .shape = { 10, 32, 32, 3 }, .name = "clothes" };
    set("model.classes=9");
    CHECK_STATUS(ddpm_model_fit_data(&config, &data), DDPM_ECONFIG);
    CHECK_MESSAGE("model.classes = 9 (command line), but the images of");
    CHECK_MESSAGE("have no labels");
    data.has_labels = true;
    data.classes = 10;
    CHECK_STATUS(ddpm_model_fit_data(&config, &data), DDPM_ECONFIG);
    CHECK_MESSAGE("go up to 9: it must be at least 10");
    set("model.classes=10");
    CHECK_OK(ddpm_model_fit_data(&config, &data));
}

static void an_objective_is_said_in_a_line(void **state)
{
    (void)state;
    char text[256];
    assert_string_equal(ddpm_model_objective_text(text, sizeof text, &config),
                        "eps by mse, variance fixedlarge, timesteps stratified");
    set("objective.min_snr=5");
    set("model.classes=10");
    set("objective.prediction=v");
    set("objective.timesteps=uniform");
    assert_string_equal(ddpm_model_objective_text(text, sizeof text, &config),
                        "v by mse, min-SNR 5, variance fixedlarge, timesteps uniform; 10 classes, "
                        "0.1 withheld");
    ddpm_config_init(&config);
    set("diffusion.process=flow");
    assert_string_equal(ddpm_model_objective_text(text, sizeof text, &config),
                        "velocity by mse, timesteps stratified");
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
        cmocka_unit_test_setup(objectives_are_refused_by_their_keys_as_by_themselves, defaults),
        cmocka_unit_test_setup(a_key_has_a_part_where_the_schedule_depends_on_it, defaults),
        cmocka_unit_test_setup(keys_without_effect_are_named_with_what_makes_them_so, defaults),
        cmocka_unit_test_setup(a_grid_that_could_not_be_drawn_is_refused_with_its_keys, defaults),
        cmocka_unit_test_setup(labels_that_the_classes_do_not_fit_are_refused, defaults),
        cmocka_unit_test_setup(an_objective_is_said_in_a_line, defaults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
