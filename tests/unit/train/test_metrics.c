#include "ddpm/io/sealed_file.h"
#include "metrics.h"
#include "scratch_dir.h"

#include <jansson.h>
#include <math.h>

enum { BATCH = 8, LINES = 3 };

static ddpm_step_result step_with(double loss, bool finite)
{
    ddpm_step_result result = { .loss = loss,
                                .grad_norm = 2.0 * loss,
                                .lr = 1e-3,
                                .finite = finite,
                                .quartile_error = { loss, 0.0, 0.0, 3.0 * loss },
                                .quartile_images = { 1.0, 0.0, 0.0, 3.0 } };
    result.phase_seconds[DDPM_PHASE_DATA] = 0.25;
    return result;
}

static void a_line_holds_means_over_its_steps(void **state)
{
    (void)state;
    ddpm_metrics_sum sum = { .steps = 0 };
    for (int k = 1; k <= 4; k++) {
        const ddpm_step_result result = step_with(k, true);
        ddpm_train__metrics_add(&sum, &result, 0.5);
    }
    const ddpm_metrics_line line = ddpm_train__metrics_take(&sum, BATCH);
    assert_int_equal(line.steps, 4);
    assert_true(line.loss == 2.5);
    assert_true(line.grad_norm == 5.0);
    assert_true(line.grad_norm_max == 8.0);
    assert_true(line.images_per_second == 4.0 * BATCH / 2.0);
    assert_true(line.phase_seconds[DDPM_PHASE_DATA] == 1.0);
    assert_true(line.quartile_loss[0] == 2.5);
    assert_true(line.quartile_loss[3] == 2.5);
    assert_true(isnan(line.quartile_loss[1]));
    assert_int_equal(sum.steps, 0);
}

static void a_skipped_step_does_not_spoil_the_means(void **state)
{
    (void)state;
    ddpm_metrics_sum sum = { .steps = 0 };
    const ddpm_step_result good = step_with(3.0, true), bad = step_with((double)NAN, false);
    ddpm_train__metrics_add(&sum, &good, 1.0);
    ddpm_train__metrics_add(&sum, &bad, 1.0);
    const ddpm_metrics_line line = ddpm_train__metrics_take(&sum, BATCH);
    assert_int_equal(line.steps, 2);
    assert_true(line.loss == 3.0);
    assert_true(line.images_per_second == BATCH);
}

static void path_in(char path[256], void *const *state)
{
    snprintf(path, 256, "%s/metrics.jsonl", (const char *)*state);
}

/* Lines for steps 10, 20 and 30. */
static void write_lines(const char *path)
{
    ddpm_metrics *metrics;
    CHECK_OK(ddpm_train__metrics_open(&metrics, path, 0, 0));
    for (uint64_t k = 1; k <= LINES; k++) {
        const ddpm_metrics_line line = { .step = 10 * k,
                                         .loss = k == 2 ? (double)NAN : 1.0 / (double)k,
                                         .images_per_second = 5.0 };
        ddpm_train__metrics_write(metrics, &line);
    }
    ddpm_train__metrics_close(metrics);
}

/* The steps of the file's lines, each of which must be a whole object. */
static size_t read_steps(json_int_t steps[LINES], const char *path)
{
    char *text;
    CHECK_OK(ddpm_read_file(&text, NULL, path, 1 << 20));
    size_t count = 0;
    for (char *line = text, *end; *line; line = end + 1) {
        end = strchr(line, '\n');
        assert_non_null(end);
        json_t *json = json_loadb(line, (size_t)(end - line), 0, NULL);
        assert_non_null(json);
        assert_true(count < LINES);
        steps[count++] = json_integer_value(json_object_get(json, "step"));
        json_decref(json);
    }
    free(text);
    return count;
}

static void a_line_is_json_with_the_fields_that_scripts_rely_on(void **state)
{
    char path[256], *text;
    path_in(path, state);
    write_lines(path);
    CHECK_OK(ddpm_read_file(&text, NULL, path, 1 << 20));
    char *second = strchr(text, '\n');
    assert_non_null(second);
    json_t *json = json_loads(second + 1, JSON_DISABLE_EOF_CHECK, NULL);
    assert_non_null(json);
    assert_int_equal(json_integer_value(json_object_get(json, "step")), 20);
    assert_true(json_is_null(json_object_get(json, "loss"))); /* NaN is no JSON */
    assert_true(json_real_value(json_object_get(json, "images_per_second")) == 5.0);
    static const char *const fields[] = { "grad_norm",
                                          "lr",
                                          "seconds_waiting_for_data",
                                          "seconds_communicating",
                                          "seconds_waiting_for_communication",
                                          "loss_q0",
                                          "loss_q3",
                                          "time",
                                          "epoch",
                                          "skipped_steps" };
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        assert_non_null(json_object_get(json, fields[i]));
    json_decref(json);
    free(text);
}

static void resuming_cuts_back_to_the_checkpoint(void **state)
{
    char path[256];
    json_int_t steps[LINES];
    path_in(path, state);
    write_lines(path);
    ddpm_metrics *metrics;
    CHECK_OK(ddpm_train__metrics_open(&metrics, path, 20, 20));
    const ddpm_metrics_line line = { .step = 25 };
    ddpm_train__metrics_write(metrics, &line);
    ddpm_train__metrics_close(metrics);
    assert_int_equal(read_steps(steps, path), 3);
    assert_int_equal(steps[1], 20);
    assert_int_equal(steps[2], 25);
}

/* The state knows of steps up to 20, and of the evaluation of step 10 alone. */
static void resuming_drops_evaluations_that_the_state_does_not_know_of(void **state)
{
    char path[256];
    json_int_t steps[LINES];
    path_in(path, state);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    fputs("{\"step\":10,\"eval_loss\":0.5}\n"
          "{\"step\":20,\"loss\":0.25}\n"
          "{\"step\":20,\"eval_loss\":null}\n"
          "{\"step\":30,\"eval_loss\":0.5}\n",
          file);
    assert_int_equal(fclose(file), 0);
    ddpm_metrics *metrics;
    CHECK_OK(ddpm_train__metrics_open(&metrics, path, 20, 10));
    ddpm_train__metrics_append(metrics, strdup("{\"step\":20,\"eval_loss\":0.125}"));
    ddpm_train__metrics_append(metrics, NULL);
    ddpm_train__metrics_close(metrics);
    assert_int_equal(read_steps(steps, path), 3);
    assert_int_equal(steps[0], 10);
    assert_int_equal(steps[1], 20);
    assert_int_equal(steps[2], 20);
    CHECK_OK(ddpm_train__metrics_open(&metrics, path, 20, 20));
    ddpm_train__metrics_close(metrics);
    assert_int_equal(read_steps(steps, path), 3);
}

static void a_last_line_torn_at_any_byte_is_dropped(void **state)
{
    char path[256], *text;
    size_t bytes;
    json_int_t steps[LINES];
    path_in(path, state);
    write_lines(path);
    CHECK_OK(ddpm_read_file(&text, &bytes, path, 1 << 20));
    size_t last = bytes - 1;
    while (text[last - 1] != '\n') last--;
    for (size_t cut = last; cut < bytes; cut++) {
        FILE *file = fopen(path, "wb");
        assert_non_null(file);
        assert_int_equal(fwrite(text, 1, cut, file), cut);
        assert_int_equal(fclose(file), 0);
        ddpm_metrics *metrics;
        CHECK_OK(ddpm_train__metrics_open(&metrics, path, 1000, 1000));
        ddpm_train__metrics_close(metrics);
        assert_int_equal(read_steps(steps, path), LINES - 1);
    }
    free(text);
}

static void a_directory_that_is_not_there_is_an_error(void **state)
{
    char path[256];
    ddpm_metrics *metrics;
    snprintf(path, sizeof path, "%s/nowhere/metrics.jsonl", (const char *)*state);
    CHECK_STATUS(ddpm_train__metrics_open(&metrics, path, 0, 0), DDPM_ECREATE);
    CHECK_MESSAGE("nowhere");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_holds_means_over_its_steps),
        cmocka_unit_test(a_skipped_step_does_not_spoil_the_means),
        scratch_dir_test(a_line_is_json_with_the_fields_that_scripts_rely_on),
        scratch_dir_test(resuming_cuts_back_to_the_checkpoint),
        scratch_dir_test(resuming_drops_evaluations_that_the_state_does_not_know_of),
        scratch_dir_test(a_last_line_torn_at_any_byte_is_dropped),
        scratch_dir_test(a_directory_that_is_not_there_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
