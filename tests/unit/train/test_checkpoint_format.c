/* Files with a good seal that are nevertheless not what this program can read. */
#include "checkpoint_fixture.h"

typedef void spoil(ddpm_h5 *file);

/* A checkpoint with something changed before it is sealed. */
static fixture_path save_spoilt(const fixture *run, spoil *change)
{
    const fixture_path path = path_of_step(run, 1);
    ddpm_h5 *file = NULL;
    void *image = NULL;
    size_t bytes;
    CHECK_OK(ddpm_h5_create_image(&file, path.text));
    CHECK_OK(
        ddpm_train__checkpoint_fill(file, &run->config, &run->params, &run->state, &run->progress));
    change(file);
    CHECK_OK(ddpm_h5_image(file, &image, &bytes));
    ddpm_h5_close(file);
    CHECK_OK(ddpm_sealed_write(path.text, image, bytes));
    free(image);
    return path;
}

static void set_number(ddpm_h5 *file, const char *object, const char *name, uint64_t value)
{
    CHECK_OK(ddpm_h5_set_attribute(file, object, name, DDPM_H5_U64, &value, 1));
}

static void newer_major(ddpm_h5 *file)
{
    set_number(file, "/", "format_major", DDPM_CHECKPOINT_MAJOR + 1);
}

static void a_newer_major_version_is_refused_and_named(void **state)
{
    check_refused(save_spoilt(*state, newer_major).text);
    CHECK_MESSAGE("checkpoint format 2.1");
    CHECK_MESSAGE("a newer one");
}

static void newer_minor(ddpm_h5 *file)
{
    const double more = 1.0;
    set_number(file, "/", "format_minor", DDPM_CHECKPOINT_MINOR + 7);
    CHECK_OK(ddpm_h5_set_attribute_text(file, "/", "something_new", "unheard of"));
    CHECK_OK(ddpm_h5_write(file, "/something/new", DDPM_H5_F64, &more, 0, NULL));
    CHECK_OK(ddpm_h5_set_attribute_text(file, "/model/conv_in/bias", "also_new", "yes"));
}

static void a_newer_minor_version_is_read(void **state)
{
    fixture *run = *state;
    ddpm_checkpoint *checkpoint = open_checkpoint(save_spoilt(run, newer_minor).text);
    float flat[FIXTURE_FLOATS];
    CHECK_OK(ddpm_checkpoint_read(checkpoint, flat, &run->params, DDPM_PART_MODEL, 0));
    assert_memory_equal(flat, run->state.weights, sizeof flat);
    ddpm_checkpoint_close(checkpoint);
}

static void a_sealed_file_of_another_kind_is_refused(void **state)
{
    const fixture *run = *state;
    const fixture_path path = path_of_step(run, 1);
    for (int with_format = 0; with_format < 2; with_format++) {
        ddpm_h5 *file = NULL;
        void *image = NULL;
        size_t bytes;
        const double x = 1.0;
        CHECK_OK(ddpm_h5_create_image(&file, path.text));
        CHECK_OK(ddpm_h5_write(file, "/x", DDPM_H5_F64, &x, 0, NULL));
        if (with_format)
            CHECK_OK(ddpm_h5_set_attribute_text(file, "/", "format", "somebody's results"));
        CHECK_OK(ddpm_h5_image(file, &image, &bytes));
        ddpm_h5_close(file);
        CHECK_OK(ddpm_sealed_write(path.text, image, bytes));
        free(image);
        check_refused(path.text);
        CHECK_MESSAGE(with_format ? "its format is \"somebody's results\"" : "not a checkpoint");
    }
}

static void a_seal_around_no_hdf5_is_refused(void **state)
{
    const fixture *run = *state;
    unsigned char bytes[4096];
    memset(bytes, 'x', sizeof bytes);
    CHECK_OK(ddpm_sealed_write(path_of_step(run, 1).text, bytes, sizeof bytes));
    check_refused(path_of_step(run, 1).text);
}

static void major_zero(ddpm_h5 *file)
{
    set_number(file, "/", "format_major", 0);
}
static void too_many_tensors(ddpm_h5 *file)
{
    set_number(file, "/", "tensors", FIXTURE_TENSORS + 1);
}
static void too_many_parameters(ddpm_h5 *file)
{
    set_number(file, "/", "parameters", 1);
}
static void absurd_length(ddpm_h5 *file)
{
    set_number(file, "/", "flat_length", (uint64_t)1 << 60);
}
static void short_length(ddpm_h5 *file)
{
    set_number(file, "/", "flat_length", 8);
}
static void overlapping_tensors(ddpm_h5 *file)
{
    set_number(file, "/model/conv_in/bias", "offset", 89);
}
static void absurd_offset(ddpm_h5 *file)
{
    set_number(file, "/model/down_blocks/1/attentions/0/to_out/0/bias", "offset", UINT64_MAX - 8);
}
static void unknown_layout(ddpm_h5 *file)
{
    CHECK_OK(ddpm_h5_set_attribute_text(file, "/model/conv_in/weight", "layout", "OIHW"));
}
static void wrong_layout(ddpm_h5 *file)
{
    CHECK_OK(ddpm_h5_set_attribute_text(file, "/model/conv_in/weight", "layout", "IO"));
}
static void too_many_averages(ddpm_h5 *file)
{
    set_number(file, "/", "ema_count", 1000000);
}
static void averages_of_another_count(ddpm_h5 *file)
{
    set_number(file, "/", "ema_count", 3);
}
static void a_tensor_of_doubles(ddpm_h5 *file)
{
    const size_t size[] = { 2 };
    const double x[] = { 1.0, 2.0 };
    CHECK_OK(ddpm_h5_write(file, "/model/conv_in/extra", DDPM_H5_F64, x, 1, size));
}
static void a_tensor_without_layout(ddpm_h5 *file)
{
    const size_t size[] = { 2 };
    const float x[] = { 1.0f, 2.0f };
    CHECK_OK(ddpm_h5_write(file, "/model/conv_in/extra", DDPM_H5_F32, x, 1, size));
}
static void a_tensor_of_five_dimensions(ddpm_h5 *file)
{
    const size_t size[] = { 1, 1, 1, 1, 2 };
    const float x[] = { 1.0f, 2.0f };
    CHECK_OK(ddpm_h5_write(file, "/model/conv_in/extra", DDPM_H5_F32, x, 5, size));
}
static void a_name_that_is_too_long(ddpm_h5 *file)
{
    CHECK_OK(ddpm_h5_set_attribute_text(
        file, "/", "run_id", "0123456789012345678901234567890123456789012345678901234567890123"));
}
static void ranks_below_zero(ddpm_h5 *file)
{
    const int64_t ranks = -1;
    CHECK_OK(ddpm_h5_set_attribute(file, "/", "ranks", DDPM_H5_I64, &ranks, 1));
}
static void a_number_where_text_belongs(ddpm_h5 *file)
{
    set_number(file, "/", "program", 1);
}

static void a_file_that_contradicts_itself_is_refused(void **state)
{
    static const struct {
        spoil *change;
        const char *message;
    } cases[] = {
        { major_zero, "checkpoint format 0.1" },
        { too_many_tensors, "says tensors = 7, and has 6" },
        { too_many_parameters, "says parameters = 1" },
        { absurd_length, "flat_length" },
        { short_length, "flat_length" },
        { overlapping_tensors, "conv_in.bias is at offset 89, and conv_in.weight ends at 90" },
        { absurd_offset, "to_out.0.bias is at offset" },
        { unknown_layout, "layout \"OIHW\"" },
        { wrong_layout, "its layout IO has 2" },
        { too_many_averages, "ema_count = 1000000" },
        { averages_of_another_count, "ema_rates" },
        { a_tensor_of_doubles, "/model/conv_in/extra is not a float32 tensor" },
        { a_tensor_without_layout, "layout" },
        { a_tensor_of_five_dimensions, "/model/conv_in/extra is not a float32 tensor" },
        { a_name_that_is_too_long, "run_id has 64 characters" },
        { ranks_below_zero, "ranks is -1" },
        { a_number_where_text_belongs, "program" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const fixture_path path = save_spoilt(*state, cases[i].change);
        check_refused(path.text);
        CHECK_MESSAGE(cases[i].message);
        CHECK_MESSAGE(path.text);
    }
}

static void a_bad_configuration_inside_is_bad_data_and_says_where(void **state)
{
    fixture *run = *state;
    strcpy(run->config.diffusion.schedule, "curved");
    check_refused(save_step(run, 1).text);
    CHECK_MESSAGE("/config");
    CHECK_MESSAGE("curved");
}

static void format_1_0_drew_uniform_timesteps_and_did_not_say_so(void **state)
{
    (void)state;
    ddpm_checkpoint *checkpoint = open_checkpoint(DDPM_GOLDEN_DIR "/checkpoint-1.0.h5");
    const ddpm_config *read = ddpm_checkpoint_config(checkpoint);
    assert_non_null(strstr(ddpm_checkpoint_program(checkpoint), "(format 1.0)"));
    assert_string_equal(read->objective.timesteps, "uniform");
    assert_false(ddpm_config_is_set(read, "objective.timesteps"));
    assert_true(ddpm_config_is_set(read, "train.lr"));
    ddpm_checkpoint_close(checkpoint);
}

static void later_formats_say_how_timesteps_are_drawn(void **state)
{
    fixture *run = *state;
    ddpm_checkpoint *checkpoint = open_checkpoint(save_step(run, 1).text);
    const ddpm_config *read = ddpm_checkpoint_config(checkpoint);
    assert_string_equal(read->objective.timesteps, run->config.objective.timesteps);
    assert_true(ddpm_config_is_set(read, "objective.timesteps"));
    ddpm_checkpoint_close(checkpoint);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(a_newer_major_version_is_refused_and_named),
        FIXTURE_TEST(a_newer_minor_version_is_read),
        FIXTURE_TEST(a_sealed_file_of_another_kind_is_refused),
        FIXTURE_TEST(a_seal_around_no_hdf5_is_refused),
        FIXTURE_TEST(a_file_that_contradicts_itself_is_refused),
        FIXTURE_TEST(a_bad_configuration_inside_is_bad_data_and_says_where),
        cmocka_unit_test(format_1_0_drew_uniform_timesteps_and_did_not_say_so),
        FIXTURE_TEST(later_formats_say_how_timesteps_are_drawn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
