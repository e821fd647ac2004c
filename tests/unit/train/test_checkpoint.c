#include "checkpoint_fixture.h"
#include "ddpm/diffusion/timesteps.h"

static void what_is_written_is_read_bit_for_bit(void **state)
{
    fixture *run = *state;
    ddpm_checkpoint *checkpoint = open_checkpoint(save_step(run, 1200).text);
    static const struct {
        ddpm_checkpoint_part part;
        size_t ema;
    } parts[FIXTURE_PARTS] = { { DDPM_PART_MODEL, 0 },
                               { DDPM_PART_M, 0 },
                               { DDPM_PART_V, 0 },
                               { DDPM_PART_EMA, 0 },
                               { DDPM_PART_EMA, 1 } };
    for (size_t i = 0; i < FIXTURE_PARTS; i++) {
        float flat[FIXTURE_FLOATS];
        memset(flat, 0xff, sizeof flat);
        CHECK_OK(ddpm_checkpoint_read(checkpoint, flat, &run->params, parts[i].part, parts[i].ema));
        assert_memory_equal(flat, run->part[i], sizeof flat);
    }
    ddpm_checkpoint_close(checkpoint);
}

static void progress_comes_back_whole(void **state)
{
    fixture *run = *state;
    ddpm_checkpoint *checkpoint = open_checkpoint(save_step(run, 1200).text);
    assert_memory_equal(ddpm_checkpoint_progress(checkpoint), &run->progress, sizeof run->progress);
    ddpm_checkpoint_close(checkpoint);
}

static void the_time_of_writing_is_kept_where_no_other_is_given(void **state)
{
    fixture *run = *state;
    run->progress.created[0] = '\0';
    ddpm_checkpoint *checkpoint = open_checkpoint(save_step(run, 1).text);
    const char *created = ddpm_checkpoint_progress(checkpoint)->created;
    assert_int_equal(strlen(created), strlen("2026-01-31T12:00:00Z"));
    assert_int_equal(created[strlen(created) - 1], 'Z');
    ddpm_checkpoint_close(checkpoint);
}

static void a_loss_that_is_not_known_yet_is_kept_as_nan(void **state)
{
    fixture *run = *state;
    run->progress.loss = (double)NAN;
    ddpm_checkpoint *checkpoint = open_checkpoint(save_step(run, 0).text);
    assert_true(isnan(ddpm_checkpoint_progress(checkpoint)->loss));
    ddpm_checkpoint_close(checkpoint);
}

static void the_configuration_comes_back_the_same(void **state)
{
    static const char *const settings[] = { "data.path=/data sets/fash=ion, \"quoted\".h5",
                                            "data.flip=true",
                                            "model.channel_mult=1,2,4",
                                            "model.attention=",
                                            "model.dropout=0.30000000000000004",
                                            "diffusion.schedule=cosine",
                                            "train.lr=0.0012345678901234567",
                                            "train.time_limit=1d12h",
                                            "train.seed=9007199254740991",
                                            "ema.rates=0.9,0.99,0.9999",
                                            "sample.sampler=ddpm" };
    fixture *run = *state;
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
        CHECK_OK(ddpm_config_set(&run->config, settings[i]));
    ddpm_checkpoint *checkpoint = open_checkpoint(save_step(run, 1).text);
    const ddpm_config *read = ddpm_checkpoint_config(checkpoint);
    for (size_t i = 0; i < ddpm_config_key_count; i++) {
        char wrote[DDPM_CONFIG_PATH], got[DDPM_CONFIG_PATH];
        assert_string_equal(ddpm_config_value(read, i, got, sizeof got),
                            ddpm_config_value(&run->config, i, wrote, sizeof wrote));
    }
    assert_true(read->model.dropout == run->config.model.dropout);
    assert_true(read->train.lr == run->config.train.lr);
    assert_string_equal(read->data.path, run->config.data.path);
    ddpm_checkpoint_close(checkpoint);
}

static void the_table_of_parameters_comes_back(void **state)
{
    fixture *run = *state;
    ddpm_checkpoint *checkpoint = open_checkpoint(save_step(run, 1).text);
    const ddpm_params *params = ddpm_checkpoint_params(checkpoint);
    assert_int_equal(params->count, run->params.count);
    assert_int_equal(params->total, run->params.total);
    assert_int_equal(params->parameters, run->params.parameters);
    for (size_t i = 0; i < params->count; i++) {
        const ddpm_param *read = &params->param[i], *wrote = &run->param[i];
        assert_string_equal(read->name, wrote->name);
        assert_int_equal(read->layout, wrote->layout);
        assert_int_equal(read->offset, wrote->offset);
        assert_int_equal(read->count, wrote->count);
        assert_int_equal(read->rank, wrote->rank);
        assert_memory_equal(read->shape, wrote->shape, sizeof read->shape);
        assert_int_equal(read->is_conv1x1, wrote->is_conv1x1);
    }
    assert_int_equal(ddpm_checkpoint_ema_count(checkpoint), 2);
    assert_true(ddpm_checkpoint_ema_decay(checkpoint, 0) == 0.9999);
    assert_true(ddpm_checkpoint_ema_decay(checkpoint, 1) == 0.99);
    assert_non_null(strstr(ddpm_checkpoint_program(checkpoint), "(format 1.1)"));
    ddpm_checkpoint_close(checkpoint);
}

/* The same tensors one after the other without padding, in another order. */
static void packed_backwards(ddpm_params *out, ddpm_param *param, const ddpm_params *params)
{
    *out = (ddpm_params){ params->count, 0, params->parameters, param };
    for (size_t i = 0; i < params->count; i++) {
        param[i] = params->param[params->count - 1 - i];
        param[i].offset = out->total;
        out->total += param[i].count;
    }
}

/* [T, 10] as docs/formats.md has it, and as runs from before wrote it, in a row. */
static void the_losses_of_importance_are_read_in_either_shape(void **state)
{
    enum { T = 7, FLOATS = T * DDPM_IMPORTANCE_HISTORY };
    fixture *run = *state;
    float history[FLOATS], read[FLOATS];
    fill_normal(history, FLOATS, 9);
    history[FLOATS - 1] = NAN;
    run->state.importance = history;
    run->state.importance_floats = FLOATS;
    for (size_t rank = 1; rank <= 2; rank++) {
        ddpm_h5 *file = NULL;
        void *image = NULL;
        size_t bytes;
        ddpm_h5_info info;
        if (rank == 1) run->state.importance_floats = 0;
        CHECK_OK(ddpm_h5_create_image(&file, "run"));
        CHECK_OK(ddpm_train__checkpoint_fill(file, &run->config, &run->params, &run->state,
                                             &run->progress));
        if (rank == 1)
            CHECK_OK(ddpm_h5_write(file, "/objective/losses", DDPM_H5_F32, history, 1,
                                   &(size_t){ FLOATS }));
        run->state.importance_floats = FLOATS;
        CHECK_OK(ddpm_h5_info_of(&info, file, "/objective/losses"));
        assert_int_equal(info.rank, rank);
        assert_int_equal(info.size[0], rank == 1 ? FLOATS : T);
        CHECK_OK(ddpm_h5_image(file, &image, &bytes));
        ddpm_h5_close(file);
        const fixture_path path = path_of_step(run, rank);
        CHECK_OK(ddpm_sealed_write(path.text, image, bytes));
        free(image);
        ddpm_checkpoint *checkpoint = open_checkpoint(path.text);
        memset(read, 0, sizeof read);
        CHECK_OK(ddpm_checkpoint_read_importance(checkpoint, read, FLOATS));
        assert_memory_equal(read, history, sizeof read);
        CHECK_STATUS(ddpm_checkpoint_read_importance(checkpoint, read, FLOATS - 10), DDPM_EDATA);
        ddpm_checkpoint_close(checkpoint);
    }
}

static void tensors_are_found_by_name_wherever_the_table_has_them(void **state)
{
    fixture *run = *state;
    ddpm_checkpoint *checkpoint = open_checkpoint(save_step(run, 1).text);
    ddpm_param param[FIXTURE_TENSORS];
    ddpm_params packed;
    float flat[FIXTURE_FLOATS];
    packed_backwards(&packed, param, &run->params);
    CHECK_OK(ddpm_checkpoint_read(checkpoint, flat, &packed, DDPM_PART_V, 0));
    for (size_t i = 0; i < packed.count; i++) {
        const ddpm_param *at = ddpm_params_find(&run->params, param[i].name);
        assert_memory_equal(flat + param[i].offset, run->state.v + at->offset,
                            at->count * sizeof *flat);
    }
    ddpm_checkpoint_close(checkpoint);
}

static void tensors_of_another_network_are_refused(void **state)
{
    fixture *run = *state;
    ddpm_checkpoint *checkpoint = open_checkpoint(save_step(run, 1).text);
    float flat[FIXTURE_FLOATS];
    ddpm_param *tensor = &run->param[3];

    tensor->shape[3] = 6;
    CHECK_STATUS(ddpm_checkpoint_read(checkpoint, flat, &run->params, DDPM_PART_MODEL, 0),
                 DDPM_EDATA);
    CHECK_MESSAGE("/model/down_blocks/0/resnets/0/conv1/weight is [3,3,5,5]");
    CHECK_MESSAGE("[3,3,5,6] is wanted");

    *tensor = fixture_tensors[3];
    strcpy(tensor->name, "down_blocks.0.resnets.0.conv2.weight");
    CHECK_STATUS(ddpm_checkpoint_read(checkpoint, flat, &run->params, DDPM_PART_MODEL, 0),
                 DDPM_EDATA);
    CHECK_MESSAGE("conv1/weight is not one of the network's");

    *tensor = fixture_tensors[3];
    run->params.count--;
    CHECK_STATUS(ddpm_checkpoint_read(checkpoint, flat, &run->params, DDPM_PART_EMA, 1),
                 DDPM_EDATA);
    CHECK_MESSAGE("/ema/0.99/down_blocks/1/attentions/0/to_out/0/bias");
    ddpm_checkpoint_close(checkpoint);
}

static void a_tensor_that_the_file_lacks_is_named(void **state)
{
    fixture *run = *state;
    run->params.count--;
    run->params.parameters -= run->param[5].count;
    ddpm_checkpoint *checkpoint = open_checkpoint(save_step(run, 1).text);
    run->params.count++;
    float flat[FIXTURE_FLOATS];
    CHECK_STATUS(ddpm_checkpoint_read(checkpoint, flat, &run->params, DDPM_PART_MODEL, 0),
                 DDPM_EDATA);
    CHECK_MESSAGE("/model/down_blocks/1/attentions/0/to_out/0/bias is missing");
    ddpm_checkpoint_close(checkpoint);
}

static void a_hash_depends_on_the_values_alone(void **state)
{
    fixture *run = *state;
    char of_file[DDPM_XXH128_HEX], of_other_file[DDPM_XXH128_HEX], of_memory[DDPM_XXH128_HEX];
    ddpm_flat_hash(of_memory, run->state.weights, &run->params);

    ddpm_checkpoint *checkpoint = open_checkpoint(save_step(run, 1).text);
    CHECK_OK(ddpm_checkpoint_hash(checkpoint, DDPM_PART_MODEL, 0, of_file));
    ddpm_checkpoint_close(checkpoint);
    assert_string_equal(of_file, of_memory);

    run->state.weights[91] = 7.0f; /* padding */
    run->progress.ranks = 1;
    strcpy(run->progress.run_id, "another");
    fixture_fill(run->state.m, &run->params, 12345);
    CHECK_OK(ddpm_config_set(&run->config, "train.batch=256"));
    checkpoint = open_checkpoint(save_step(run, 2).text);
    CHECK_OK(ddpm_checkpoint_hash(checkpoint, DDPM_PART_MODEL, 0, of_other_file));
    assert_string_equal(of_other_file, of_file);
    CHECK_OK(ddpm_checkpoint_hash(checkpoint, DDPM_PART_EMA, 1, of_other_file));
    ddpm_flat_hash(of_memory, run->state.ema[1], &run->params);
    assert_string_equal(of_other_file, of_memory);
    ddpm_checkpoint_close(checkpoint);
}

/* As docs/formats.md defines it, for two tensors. */
static void a_hash_is_the_documented_chain(void **state)
{
    enum { DIGITS = DDPM_XXH128_HEX - 1 };
    fixture *run = *state;
    char expected[DDPM_XXH128_HEX], link[2 * DIGITS + 1], hash[DDPM_XXH128_HEX];
    ddpm_xxh128_hex(expected, "", 0);
    for (size_t i = 0; i < 2; i++) {
        const ddpm_param *param = &run->param[i];
        memcpy(link, expected, DIGITS);
        ddpm_xxh128_hex(link + DIGITS, run->state.weights + param->offset,
                        param->count * sizeof(float));
        ddpm_xxh128_hex(expected, link, 64);
    }
    run->params.count = 2;
    ddpm_flat_hash(hash, run->state.weights, &run->params);
    assert_string_equal(hash, expected);
}

static void a_hash_sees_every_bit_and_the_order(void **state)
{
    fixture *run = *state;
    char before[DDPM_XXH128_HEX], after[DDPM_XXH128_HEX];
    float *weights = run->state.weights;
    ddpm_flat_hash(before, weights, &run->params);
    for (size_t i = 0; i < run->params.count; i++) {
        unsigned char *bytes = (unsigned char *)(weights + run->param[i].offset);
        bytes[run->param[i].count * sizeof *weights - 1] ^= 1;
        ddpm_flat_hash(after, weights, &run->params);
        assert_string_not_equal(after, before);
        bytes[run->param[i].count * sizeof *weights - 1] ^= 1;
    }
    ddpm_flat_hash(after, weights, &run->params);
    assert_string_equal(after, before);
    const ddpm_param first = run->param[0];
    run->param[0] = run->param[1];
    run->param[1] = first;
    ddpm_flat_hash(after, weights, &run->params);
    assert_string_not_equal(after, before);
}

static void a_state_that_is_not_finite_is_not_saved(void **state)
{
    static const float bad[] = { NAN, INFINITY, -INFINITY };
    fixture *run = *state;
    save_step(run, 7);
    for (size_t part = 0; part < FIXTURE_PARTS; part++)
        for (size_t k = 0; k < 3; k++) {
            const size_t at = run->param[3].offset + run->param[3].count - 1;
            const float good = run->part[part][at];
            run->part[part][at] = bad[k];
            CHECK_STATUS(ddpm_checkpoint_write(path_of_step(run, 7).text, &run->config,
                                               &run->params, &run->state, &run->progress),
                         DDPM_EDATA);
            CHECK_MESSAGE("down_blocks.0.resnets.0.conv1.weight");
            run->part[part][at] = good;
        }
    ddpm_checkpoint_close(open_checkpoint(path_of_step(run, 7).text));
}

static void the_size_is_known_before_anything_is_written(void **state)
{
    fixture *run = *state;
    size_t bytes;
    free(read_bytes(&bytes, save_step(run, 1).text));
    const double planned = (double)ddpm_checkpoint_bytes(&run->params, run->state.ema_count);
    CHECK_LE(fabs(planned / (double)bytes - 1.0), 0.1);
}

static void a_checkpoint_without_averages_is_one(void **state)
{
    fixture *run = *state;
    run->state.ema_count = 0;
    ddpm_checkpoint *checkpoint = open_checkpoint(save_step(run, 1).text);
    assert_int_equal(ddpm_checkpoint_ema_count(checkpoint), 0);
    ddpm_checkpoint_close(checkpoint);
}

static void the_digest_is_that_of_the_payload(void **state)
{
    fixture *run = *state;
    const fixture_path path = save_step(run, 1);
    size_t count;
    unsigned char *bytes = read_bytes(&count, path.text), digest[DDPM_SHA256_BYTES];
    ddpm_sha256_of(digest, bytes + DDPM_SEAL_BYTES, count - DDPM_SEAL_BYTES);
    char text[DDPM_SHA256_HEX];
    ddpm_hex(text, digest, sizeof digest);
    ddpm_checkpoint *checkpoint = open_checkpoint(path.text);
    assert_string_equal(ddpm_checkpoint_digest(checkpoint), text);
    ddpm_checkpoint_close(checkpoint);
    free(bytes);
}

/* Whether the output of a command has `part` in it. */
static void check_output(const char *command, const char *path, const char *part)
{
    char line[1024], output[1 << 16] = "";
    snprintf(line, sizeof line, "%s '%s' 2>&1", command, path);
    FILE *pipe = popen(line, "r"); /* NOLINT(cert-env33-c) */
    assert_non_null(pipe);
    output[fread(output, 1, sizeof output - 1, pipe)] = '\0';
    assert_int_equal(pclose(pipe), 0);
    if (!strstr(output, part)) fail_msg("%s does not say %s but\n%s", line, part, output);
}

static void the_tools_of_hdf5_read_it_as_it_is(void **state)
{
    fixture *run = *state;
    const fixture_path path = save_step(run, 1200);
    check_output("h5ls -r", path.text,
                 "/model/down_blocks/0/resnets/0/conv1/weight Dataset {3, 3, 5, 5}");
    check_output("h5ls -r", path.text, "/ema/0.9999/conv_in/bias");
    check_output("h5ls -r", path.text, "/optimizer/v/conv_in/bias");
    check_output("h5dump -d /progress/step", path.text, "(0): 1200");
    check_output("h5dump -d /config", path.text, "[diffusion]");
    check_output("h5dump -a /format", path.text, DDPM_CHECKPOINT_FORMAT);
    check_output("h5dump -a /model/conv_in/weight/layout", path.text, "HWIO");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(what_is_written_is_read_bit_for_bit),
        FIXTURE_TEST(progress_comes_back_whole),
        FIXTURE_TEST(the_time_of_writing_is_kept_where_no_other_is_given),
        FIXTURE_TEST(a_loss_that_is_not_known_yet_is_kept_as_nan),
        FIXTURE_TEST(the_configuration_comes_back_the_same),
        FIXTURE_TEST(the_table_of_parameters_comes_back),
        FIXTURE_TEST(the_losses_of_importance_are_read_in_either_shape),
        FIXTURE_TEST(tensors_are_found_by_name_wherever_the_table_has_them),
        FIXTURE_TEST(tensors_of_another_network_are_refused),
        FIXTURE_TEST(a_tensor_that_the_file_lacks_is_named),
        FIXTURE_TEST(a_hash_depends_on_the_values_alone),
        FIXTURE_TEST(a_hash_is_the_documented_chain),
        FIXTURE_TEST(a_hash_sees_every_bit_and_the_order),
        FIXTURE_TEST(a_state_that_is_not_finite_is_not_saved),
        FIXTURE_TEST(the_size_is_known_before_anything_is_written),
        FIXTURE_TEST(a_checkpoint_without_averages_is_one),
        FIXTURE_TEST(the_digest_is_that_of_the_payload),
        FIXTURE_TEST(the_tools_of_hdf5_read_it_as_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
