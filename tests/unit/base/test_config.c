#include "ddpm/base/config.h"

#include "check.h"

#include <stdlib.h>
#include <string.h>

static ddpm_config config;

static int start(void **state)
{
    (void)state;
    ddpm_config_init(&config);
    return 0;
}

static void the_defaults_are_the_paper(void **state)
{
    (void)state;
    CHECK_OK(ddpm_config_check(&config));
    assert_int_equal(config.model.channels, 128);
    assert_int_equal(config.model.channel_mult.count, 4);
    assert_int_equal(config.model.channel_mult.at[3], 2);
    assert_true(config.train.lr == 2e-4);
    assert_true(config.train.epsilon == 1e-8);
    assert_int_equal(config.train.steps, 800000);
    assert_true(config.ema.rates.at[0] == 0.9999);
    assert_string_equal(config.diffusion.schedule, "linear");
}

static void a_file_sets_keys_and_their_origin_is_known(void **state)
{
    (void)state;
    CHECK_OK(ddpm_config_parse(&config,
                               "; a comment\n[model]\nchannel_mult = 1, 2 ,3\nattention =\n"
                               "[train]\nsteps = 2e3\ntime_limit = 5m\n[data]\nflip = yes",
                               "run.ini"));
    CHECK_OK(ddpm_config_set(&config, "train.lr=1e-3"));
    assert_int_equal(config.model.channel_mult.count, 3);
    assert_int_equal(config.model.channel_mult.at[2], 3);
    assert_int_equal(config.model.attention.count, 0);
    assert_int_equal(config.train.steps, 2000);
    assert_true(config.train.time_limit == 300.0);
    assert_true(config.data.flip);
    char text[2048];
    for (size_t i = 0; i < ddpm_config_key_count; i++) {
        const char *origin = ddpm_config_origin(&config, i, text, sizeof text);
        const char *name = ddpm_config_keys[i].name;
        if (!strcmp(name, "train.steps")) assert_string_equal(origin, "run.ini:6");
        if (!strcmp(name, "train.lr")) assert_string_equal(origin, "command line");
        if (!strcmp(name, "train.clip")) assert_string_equal(origin, "default");
    }
}

static void each_mistake_is_named_with_its_place(void **state)
{
    (void)state;
    const struct {
        const char *text, *says;
    } wrong[] = {
        { "[train]\nbacth = 3\n",
          "run.ini:2: unknown key 'train.bacth'; did you mean 'train.batch'?" },
        { "[xyzzy]\nplugh = 3\n", "config --explain" },
        { "steps = 3\n", "unknown key 'steps'" },
        { "[train]\n\nbatch = many\n",
          "run.ini:3: train.batch = 'many' must be a whole number from 1" },
        { "[train]\nbatch = 0\n", "from 1 to" },
        { "[train]\nbatch = \n", "train.batch = ''" },
        { "[train]\nlr = nan\n", "train.lr" },
        { "[train]\nlr = 1\nlr = 2\n", "run.ini:3: train.lr is given twice; line 2" },
        { "[train]\nwhat is this\n", "run.ini:2: the line is neither" },
        { "[train\n[model]\n", "run.ini:1: the line is neither" },
        { "[model]\nchannel_mult = 1,2,3,4,5,6,7,8,9\n", "at most 8" },
        { "[model]\nchannel_mult = 1,,2\n", "channel_mult" },
        { "[data]\nflip = maybe\n", "true or false" },
        { "[diffusion]\nschedule = sine\n", "one of: linear cosine" },
        { "[diffusion]\nschedule = \n", "one of: linear cosine" },
        { "[train]\ntime_limit = soon\n", "duration" },
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        ddpm_config_init(&config);
        CHECK_STATUS(ddpm_config_parse(&config, wrong[i].text, "run.ini"), DDPM_ECONFIG);
        CHECK_MESSAGE(wrong[i].says);
    }
    CHECK_STATUS(ddpm_config_set(&config, "train.lr"), DDPM_ECONFIG);
    CHECK_STATUS(ddpm_config_set(&config, "train.lr=fast"), DDPM_ECONFIG);
    CHECK_STATUS(ddpm_config_read(&config, "/does/not/exist.ini"), DDPM_ENOINPUT);
    CHECK_MESSAGE("/does/not/exist.ini");
}

static void long_lines_are_whole_or_an_error(void **state)
{
    (void)state;
    char text[2200], path[1200];
    for (size_t length = 1; length < 1200; length += 7) {
        for (size_t i = 0; i < length; i++) path[i] = " /;#ab"[i * i % 6];
        path[0] = path[length - 1] = 'x';
        for (size_t i = 1; i < length; i++)
            if (path[i] == ';' && path[i - 1] == ' ') path[i] = 'y';
        path[length] = '\0';
        ddpm_config_init(&config);
        snprintf(text, sizeof text, "[data]\n   path = %s\nflip = on\n", path);
        if (length < DDPM_CONFIG_PATH) {
            CHECK_OK(ddpm_config_parse(&config, text, "run.ini"));
            assert_string_equal(config.data.path, path);
            assert_true(config.data.flip);
        } else {
            CHECK_STATUS(ddpm_config_parse(&config, text, "run.ini"), DDPM_ECONFIG);
            CHECK_MESSAGE("run.ini:2");
        }
    }
}

static void a_text_that_a_file_cannot_hold_is_refused(void **state)
{
    (void)state;
    const char *bad[] = { "data.path= x", "data.path=x ", "data.path=a ;b", "data.path=;b",
                          "data.path=a\nb" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK_STATUS(ddpm_config_set(&config, bad[i]), DDPM_ECONFIG);
}

static void contradictions_name_both_keys_and_their_places(void **state)
{
    (void)state;
    const struct {
        const char *text, *one, *other;
    } wrong[] = {
        { "[train]\nbatch = 10\nmicro_batch = 4", "train.batch = 10 (run.ini:2)",
          "train.micro_batch = 4 (run.ini:3)" },
        { "[model]\nchannels = 100", "model.channels = 100 (run.ini:2)",
          "model.groups = 32 (default)" },
        { "[model]\nimage_size = 28", "model.image_size = 28", "model.channel_mult" },
        { "[model]\nimage_size = 32\nattention = 15", "15", "model.image_size = 32" },
        { "[model]\nimage_width = 32", "model.image_width", "model.image_size" },
        { "[model]\nchannel_mult =", "model.channel_mult", "empty" },
        { "[ema]\nrates = 0.9,0.9", "ema.rates", "twice" },
        { "[ema]\nrates =", "ema.rates", "empty" },
        { "[diffusion]\nbeta_start = 0.5", "diffusion.beta_start = 0.5", "diffusion.beta_end" },
        { "[diffusion]\nsteps = 10", "sample.steps", "diffusion.steps = 10" },
        { "[eval]\nevery = 5", "eval.every = 5 (run.ini:2)", "eval.data" },
        { "[eval]\nevery = 5\ndata = x\ndraws = 1", "eval.draws = 1", "at least 2" },
        { "[eval]\nevery = 5\ndata = x\ndraws = 0\nmetric = bpd", "eval.draws = 0",
          "eval.metric = bpd" },
        { "[eval]\nevery = 5\ndata = x\nmetric = bpd\n[diffusion]\nprocess = flow",
          "eval.metric = bpd", "diffusion.process = flow" },
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        ddpm_config_init(&config);
        CHECK_OK(ddpm_config_parse(&config, wrong[i].text, "run.ini"));
        CHECK_STATUS(ddpm_config_check(&config), DDPM_ECONFIG);
        CHECK_MESSAGE(wrong[i].one);
        CHECK_MESSAGE(wrong[i].other);
    }
}

static void betas_are_held_against_each_other_where_a_schedule_takes_both(void **state)
{
    (void)state;
    static const struct {
        const char *choice;
        bool takes_both;
    } cases[] = {
        { "diffusion.schedule=linear", true },   { "diffusion.schedule=quad", true },
        { "diffusion.schedule=warmup10", true }, { "diffusion.schedule=warmup50", true },
        { "diffusion.schedule=const", false },   { "diffusion.schedule=cosine", false },
        { "diffusion.schedule=jsd", false },     { "diffusion.process=flow", false },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ddpm_config_init(&config);
        CHECK_OK(ddpm_config_set(&config, "diffusion.beta_start=0.5"));
        CHECK_OK(ddpm_config_set(&config, cases[i].choice));
        CHECK_STATUS(ddpm_config_check(&config), cases[i].takes_both ? DDPM_ECONFIG : DDPM_OK);
    }
}

static void objectives_that_make_no_sense_say_why(void **state)
{
    (void)state;
    const struct {
        const char *text, *says;
    } wrong[] = {
        { "[diffusion]\nprocess = flow\n[objective]\nprediction = v",
          "objective.prediction = v (run.ini:4) does not go with diffusion.process = flow "
          "(run.ini:2): what a flow has is a velocity" },
        { "[objective]\nprediction = velocity",
          "objective.prediction = velocity (run.ini:2) does not go with diffusion.process = "
          "diffusion (default)" },
        { "[diffusion]\nprocess = flow\n[objective]\nloss = kl",
          "objective.loss = kl (run.ini:4) does not go with diffusion.process = flow" },
        { "[diffusion]\nprocess = flow\n[objective]\nvariance = learned",
          "objective.variance = learned (run.ini:4) does not go with diffusion.process" },
        { "[diffusion]\nprocess = flow\n[objective]\ntimesteps = importance",
          "objective.timesteps = importance (run.ini:4) does not go with diffusion.process" },
        { "[objective]\ntimesteps = logit_normal",
          "objective.timesteps = logit_normal (run.ini:2) does not go with diffusion.process" },
        { "[objective]\nvariance = learned",
          "objective.variance = learned (run.ini:2) does not go with objective.loss = mse "
          "(default)" },
        { "[objective]\nvariance = learned_range", "does not go with objective.loss = mse" },
        { "[objective]\nloss = hybrid",
          "objective.loss = hybrid (run.ini:2) does not go with objective.variance = fixedlarge "
          "(default)" },
        { "[objective]\nloss = kl\nmin_snr = 5",
          "objective.min_snr = 5 (run.ini:3) does not go with objective.loss = kl (run.ini:2)" },
        { "[train]\nlabel_dropout = 0.2",
          "train.label_dropout = 0.2 (run.ini:2) does not go with model.classes = 0 (default)" },
        { "[model]\nclasses = 3\n[train]\nlabel_dropout = 1",
          "train.label_dropout = 1 (run.ini:4) does not go with model.classes = 3 (run.ini:2)" },
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        ddpm_config_init(&config);
        CHECK_OK(ddpm_config_parse(&config, wrong[i].text, "run.ini"));
        CHECK_STATUS(ddpm_config_check(&config), DDPM_ECONFIG);
        CHECK_MESSAGE(wrong[i].says);
    }
    ddpm_config_init(&config); /* as a run's own config.ini has it */
    CHECK_OK(ddpm_config_parse(&config, "[train]\nlabel_dropout = 0.1", "run.ini"));
    CHECK_OK(ddpm_config_check(&config));
    CHECK_OK(ddpm_config_set(&config, "train.label_dropout=0"));
    CHECK_OK(ddpm_config_check(&config));
}

static void the_text_reads_back_as_the_same_configuration(void **state)
{
    (void)state;
    CHECK_OK(ddpm_config_set(&config, "ema.rates=0.9999,0.999,0"));
    CHECK_OK(ddpm_config_set(&config, "data.path=a dir/set;1.h5"));
    CHECK_OK(ddpm_config_set(&config, "model.attention="));
    CHECK_OK(ddpm_config_set(&config, "train.lr=0.00012345678901234"));
    char *text = ddpm_config_text(&config);
    assert_non_null(text);
    ddpm_config again;
    ddpm_config_init(&again);
    CHECK_OK(ddpm_config_parse(&again, text, "again"));
    assert_int_equal(ddpm_config_first_difference(&config, &again), -1);
    assert_string_equal(again.data.path, "a dir/set;1.h5");
    char *text_again = ddpm_config_text(&again);
    assert_string_equal(text, text_again);
    CHECK_OK(ddpm_config_set(&again, "train.seed=7"));
    const int row = ddpm_config_first_difference(&config, &again);
    assert_true(row >= 0);
    assert_string_equal(ddpm_config_keys[row].name, "train.seed");
    CHECK_OK(ddpm_config_set(&again, "train.seed=0"));
    CHECK_OK(ddpm_config_set(&again, "train.steps=7"));
    assert_int_equal(ddpm_config_first_difference(&config, &again), -1);
    free(text_again);
    free(text);
}

/* The table may be mutated by an editor: names sorted in sections, defaults in range. */
static void every_key_has_help_and_a_section_of_its_own(void **state)
{
    (void)state;
    for (size_t i = 0; i < ddpm_config_key_count; i++) {
        const ddpm_config_key *key = &ddpm_config_keys[i];
        assert_non_null(strchr(key->name, '.'));
        assert_true(strlen(key->help) > 5);
        assert_true(key->min <= key->max);
        for (size_t k = 0; k < i; k++) {
            assert_string_not_equal(key->name, ddpm_config_keys[k].name);
            assert_true(key->offset != ddpm_config_keys[k].offset);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_defaults_are_the_paper, start),
        cmocka_unit_test_setup(a_file_sets_keys_and_their_origin_is_known, start),
        cmocka_unit_test_setup(each_mistake_is_named_with_its_place, start),
        cmocka_unit_test_setup(long_lines_are_whole_or_an_error, start),
        cmocka_unit_test_setup(a_text_that_a_file_cannot_hold_is_refused, start),
        cmocka_unit_test_setup(contradictions_name_both_keys_and_their_places, start),
        cmocka_unit_test_setup(betas_are_held_against_each_other_where_a_schedule_takes_both,
                               start),
        cmocka_unit_test_setup(objectives_that_make_no_sense_say_why, start),
        cmocka_unit_test_setup(the_text_reads_back_as_the_same_configuration, start),
        cmocka_unit_test_setup(every_key_has_help_and_a_section_of_its_own, start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
