/* results.jsonl */
#include "check.h"
#include "scratch.h"

#include "ddpm/eval/results.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

static void append(const char *directory, const char *metric, const char *key, double value)
{
    json_t *json = json_pack("{s:s,s:s,s:f}", "metric", metric, "key", key, "value", value);
    CHECK_OK(ddpm_results_append(directory, json));
    json_decref(json);
}

static double value_at(const json_t *array, size_t i)
{
    return json_number_value(json_object_get(json_array_get(array, i), "value"));
}

static void results_come_back_in_order_and_the_last_of_a_key_counts(void **state)
{
    (void)state;
    const char *run = scratch_path("run"), *eval = scratch_path("run/eval");
    assert_int_equal(mkdir(run, 0777), 0);
    assert_int_equal(mkdir(eval, 0777), 0);
    append(eval, "bpd", "a", 0.1);
    append(eval, "swd", "b", 2.0);
    append(eval, "bpd", "a", 3.0);
    json_t *array;
    const char *names[] = { run, eval, scratch_path("run/eval/results.jsonl") };
    for (size_t i = 0; i < 3; i++) {
        CHECK_OK(ddpm_results_read(&array, names[i]));
        assert_int_equal(json_array_size(array), 2);
        assert_true(value_at(array, 0) == 3.0 && value_at(array, 1) == 2.0);
        json_decref(array);
    }
}

/* The results of a run are those of both places, and of what was evaluated in its course. */
static void a_run_has_the_results_of_all_its_files(void **state)
{
    (void)state;
    static const char metrics[] =
        "{\"step\":5,\"loss\":0.5}\n"
        "{\"step\":5,\"eval_loss\":0.25,\"eval_bpd\":3.5,\"eval_bpd_standard_error\":0.1,"
        "\"eval_images\":40,\"eval_draws\":20,\"eval_weights\":\"ema:0.9\","
        "\"eval_data\":\"sha256:ab\",\"time\":\"2026-01-31T12:00:00Z\"}\n"
        "{\"step\":10,\"eval_loss\":0.125,\"eval_images\":40}\n"
        "{\"step\":15,\"eval_loss\":null,\"eval_bpd\":null}\n"
        "{\"step\":20,\"eval_loss\":0.1";
    const char *run = scratch_path("all"), *eval = scratch_path("all/eval");
    json_t *array;
    assert_int_equal(mkdir(run, 0777), 0);
    CHECK_STATUS(ddpm_results_read(&array, run), 66);
    CHECK_MESSAGE("metrics.jsonl");
    scratch_write(scratch_path("all/metrics.jsonl"), metrics, strlen(metrics));
    CHECK_OK(ddpm_results_read(&array, run));
    assert_int_equal(json_array_size(array), 3);
    json_decref(array);
    assert_int_equal(mkdir(eval, 0777), 0);
    append(run, "swd", "a", 1.0);
    append(eval, "kid", "b", 2.0);
    CHECK_OK(ddpm_results_read(&array, run));
    assert_int_equal(json_array_size(array), 5);
    static const double values[] = { 1.0, 2.0, 0.25, 3.5, 0.125 };
    for (size_t i = 0; i < 5; i++) assert_true(value_at(array, i) == values[i]);
    const json_t *bpd = json_array_get(array, 3);
    json_t *expected = json_pack("{s:s,s:f,s:f,s:i,s:{s:i,s:s},s:{s:s},s:{s:i},s:s}", "metric",
                                 "eval_bpd", "value", 3.5, "standard_error", 0.1, "images", 40,
                                 "model", "step", 5, "weights", "ema:0.9", "data", "content_hash",
                                 "sha256:ab", "settings", "evaluations", 20, "created",
                                 "2026-01-31T12:00:00Z");
    assert_non_null(expected);
    assert_true(json_equal(bpd, expected));
    json_decref(expected);
    json_decref(array);
}

static void of_one_key_the_latest_counts_in_whatever_file_it_is(void **state)
{
    (void)state;
    static const char early[] =
        "{\"metric\":\"x\",\"key\":\"k\",\"value\":1,\"created\":\"2026-01-01T00:00:00Z\"}\n";
    static const char late[] =
        "{\"metric\":\"x\",\"key\":\"k\",\"value\":2,\"created\":\"2026-01-02T00:00:00Z\"}\n";
    const char *run = scratch_path("times");
    assert_int_equal(mkdir(run, 0777), 0);
    assert_int_equal(mkdir(scratch_path("times/eval"), 0777), 0);
    const char *first = scratch_path("times/results.jsonl"),
               *second = scratch_path("times/eval/results.jsonl");
    for (int swapped = 0; swapped < 2; swapped++) {
        json_t *array;
        scratch_write(swapped ? second : first, early, strlen(early));
        scratch_write(swapped ? first : second, late, strlen(late));
        CHECK_OK(ddpm_results_read(&array, run));
        assert_int_equal(json_array_size(array), 1);
        assert_true(value_at(array, 0) == 2.0);
        json_decref(array);
    }
}

static void a_line_that_is_torn_anywhere_takes_no_other_with_it(void **state)
{
    (void)state;
    const char *run = scratch_path("torn"), *path = scratch_path("torn/results.jsonl");
    assert_int_equal(mkdir(run, 0777), 0);
    append(run, "swd", "a", 1.0);
    append(run, "swd", "b", 2.0);
    size_t bytes;
    unsigned char *whole = scratch_read(path, &bytes);
    const size_t line = bytes / 2;
    for (size_t cut = 0; cut <= bytes; cut++) {
        /* A line is whole also where nothing but its end is missing. */
        const size_t before = cut + 1 >= bytes ? 2 : cut + 1 >= line ? 1 : 0;
        scratch_write(path, whole, cut);
        append(run, "swd", "c", 3.0);
        json_t *array;
        CHECK_OK(ddpm_results_read(&array, run));
        assert_int_equal(json_array_size(array), before + 1);
        for (size_t i = 0; i <= before; i++)
            assert_true(value_at(array, i) == (i == before ? 3.0 : 1.0 + (double)i));
        json_decref(array);
    }
    free(whole);
}

/* As on a full disk: a part of the line fits. */
static void a_line_that_does_not_fit_leaves_the_file_as_it_was(void **state)
{
    (void)state;
    const char *run = scratch_path("full"), *path = scratch_path("full/results.jsonl");
    assert_int_equal(mkdir(run, 0777), 0);
    append(run, "swd", "a", 1.0);
    size_t before, after;
    unsigned char *was = scratch_read(path, &before);
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    const struct rlimit tight = { .rlim_cur = before + 10, .rlim_max = limit.rlim_max };
    json_t *json = json_pack("{s:s,s:f}", "metric", "swd", "value", 2.0);
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
    const ddpm_status status = ddpm_results_append(run, json);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    json_decref(json);
    CHECK_STATUS(status, 74);
    CHECK_MESSAGE(strerror(EFBIG));
    unsigned char *is = scratch_read(path, &after);
    assert_int_equal(after, before);
    assert_memory_equal(is, was, before);
    free(is);
    free(was);
}

static void a_path_that_is_too_long_is_not_cut(void **state)
{
    (void)state;
    static char directory[4096];
    json_t *json = json_object(), *array;
    memset(directory, '/', sizeof directory - 2);
    CHECK_STATUS(ddpm_results_append(directory, json), 73);
    CHECK_MESSAGE("too long");
    CHECK_STATUS(ddpm_results_read(&array, directory), 73);
    json_decref(json);
}

static void what_is_no_result_is_passed_over(void **state)
{
    (void)state;
    const char *path = scratch_path("mixed.jsonl");
    const char text[] =
        "{\"metric\":\"x\",\"value\":1}\n{}\nnonsense\n{\"metric\":\"x\",\"value\":\"1\"}\n"
        "{\"metric\":\"y\",\"value\":2}";
    scratch_write(path, text, strlen(text));
    json_t *array;
    CHECK_OK(ddpm_results_read(&array, path));
    assert_int_equal(json_array_size(array), 2);
    json_decref(array);
    CHECK_STATUS(ddpm_results_read(&array, scratch_path("nowhere")), 66);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results_come_back_in_order_and_the_last_of_a_key_counts),
        cmocka_unit_test(a_run_has_the_results_of_all_its_files),
        cmocka_unit_test(of_one_key_the_latest_counts_in_whatever_file_it_is),
        cmocka_unit_test(a_line_that_is_torn_anywhere_takes_no_other_with_it),
        cmocka_unit_test(a_line_that_does_not_fit_leaves_the_file_as_it_was),
        cmocka_unit_test(a_path_that_is_too_long_is_not_cut),
        cmocka_unit_test(what_is_no_result_is_passed_over),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
