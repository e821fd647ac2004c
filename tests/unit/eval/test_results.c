/* results.jsonl */
#include "check.h"
#include "scratch.h"

#include "ddpm/eval/results.h"

#include <string.h>
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
        cmocka_unit_test(what_is_no_result_is_passed_over),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
