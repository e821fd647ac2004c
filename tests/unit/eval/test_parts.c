/* Partial results: what comes back, what is never mixed, what is made good. */
#include "check.h"
#include "scratch.h"

#include "ddpm/base/log.h"
#include "ddpm/eval/parts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { UNITS = 4, VALUES = 3 };
static const double unit2[VALUES] = { 1.0 / 3.0, -0.0, 5e-324 };
static const double unit0[VALUES] = { 1e300, 2.0, 0.1 };

/* A file with units 2 and 0. */
static const char *two_units(const char *name)
{
    const char *path = scratch_path("%s", name);
    ddpm_eval_parts *parts;
    CHECK_OK(ddpm_eval_parts_open(&parts, path, "one", UNITS, VALUES));
    CHECK_OK(ddpm_eval_parts_add(parts, 2, unit2));
    CHECK_OK(ddpm_eval_parts_add(parts, 0, unit0));
    ddpm_eval_parts_close(parts);
    return path;
}

static void a_unit_comes_back_bit_for_bit(void **state)
{
    (void)state;
    const char *path = two_units("bits.jsonl");
    ddpm_eval_parts *parts;
    CHECK_OK(ddpm_eval_parts_open(&parts, path, "one", UNITS, VALUES));
    assert_non_null(ddpm_eval_parts_get(parts, 2));
    assert_memory_equal(ddpm_eval_parts_get(parts, 2), unit2, sizeof unit2);
    assert_memory_equal(ddpm_eval_parts_get(parts, 0), unit0, sizeof unit0);
    assert_null(ddpm_eval_parts_get(parts, 1));
    assert_null(ddpm_eval_parts_get(parts, UNITS));
    ddpm_eval_parts_close(parts);
}

static void another_evaluation_is_not_mixed_in(void **state)
{
    (void)state;
    const char *path = two_units("mixed.jsonl");
    ddpm_eval_parts *parts;
    CHECK_STATUS(ddpm_eval_parts_open(&parts, path, "another", UNITS, VALUES), 78);
    CHECK_MESSAGE("another evaluation");
    /* Nor a line of it under our head: the seal covers whose it is. */
    const char *other = scratch_path("other.jsonl");
    CHECK_OK(ddpm_eval_parts_open(&parts, other, "another", UNITS, VALUES));
    CHECK_OK(ddpm_eval_parts_add(parts, 1, unit0));
    ddpm_eval_parts_close(parts);
    size_t ours, theirs;
    char *a = (char *)scratch_read(path, &ours), *b = (char *)scratch_read(other, &theirs);
    const char *line = memchr(b, '\n', theirs);
    assert_non_null(line);
    const size_t length = theirs - (size_t)(line + 1 - b);
    char *both = malloc(ours + length);
    assert_non_null(both);
    memcpy(both, a, ours);
    memcpy(both + ours, line + 1, length);
    scratch_write(path, both, ours + length);
    CHECK_OK(ddpm_eval_parts_open(&parts, path, "one", UNITS, VALUES));
    assert_null(ddpm_eval_parts_get(parts, 1));
    assert_non_null(ddpm_eval_parts_get(parts, 2));
    ddpm_eval_parts_close(parts);
    free(both);
    free(a);
    free(b);
}

static void a_file_cut_anywhere_goes_on(void **state)
{
    (void)state;
    const char *path = two_units("whole.jsonl"), *cut = scratch_path("cut.jsonl");
    size_t bytes;
    unsigned char *text = scratch_read(path, &bytes);
    for (size_t length = 0; length <= bytes; length++) {
        ddpm_eval_parts *parts;
        scratch_write(cut, text, length);
        CHECK_OK(ddpm_eval_parts_open(&parts, cut, "one", UNITS, VALUES));
        if (length < bytes) assert_null(ddpm_eval_parts_get(parts, 0));
        CHECK_OK(ddpm_eval_parts_add(parts, 2, unit2));
        CHECK_OK(ddpm_eval_parts_add(parts, 0, unit0));
        ddpm_eval_parts_close(parts);
        CHECK_OK(ddpm_eval_parts_open(&parts, cut, "one", UNITS, VALUES));
        assert_non_null(ddpm_eval_parts_get(parts, 0));
        assert_non_null(ddpm_eval_parts_get(parts, 2));
        ddpm_eval_parts_close(parts);
    }
    free(text);
}

static void no_changed_byte_gives_another_number(void **state)
{
    (void)state;
    const char *path = two_units("sound.jsonl"), *bad = scratch_path("bad.jsonl");
    size_t bytes;
    unsigned char *text = scratch_read(path, &bytes);
    const unsigned char *head = memchr(text, '\n', bytes);
    for (size_t at = (size_t)(head - text) + 1; at < bytes; at++) {
        ddpm_eval_parts *parts;
        text[at] ^= 1;
        scratch_write(bad, text, bytes);
        text[at] ^= 1;
        CHECK_OK(ddpm_eval_parts_open(&parts, bad, "one", UNITS, VALUES));
        const double *two = ddpm_eval_parts_get(parts, 2), *none = ddpm_eval_parts_get(parts, 0);
        assert_false(two && none);
        if (two) assert_memory_equal(two, unit2, sizeof unit2);
        if (none) assert_memory_equal(none, unit0, sizeof unit0);
        ddpm_eval_parts_close(parts);
    }
    free(text);
}

static void what_is_not_finite_is_refused(void **state)
{
    (void)state;
    ddpm_eval_parts *parts;
    const double values[VALUES] = { 0.0, (double)NAN, 0.0 };
    CHECK_OK(ddpm_eval_parts_open(&parts, scratch_path("nan.jsonl"), "one", UNITS, VALUES));
    CHECK_STATUS(ddpm_eval_parts_add(parts, 0, values), 65);
    assert_null(ddpm_eval_parts_get(parts, 0));
    ddpm_eval_parts_close(parts);
}

static void two_evaluations_do_not_write_one_file(void **state)
{
    (void)state;
    ddpm_eval_parts *parts, *second;
    const char *path = scratch_path("locked.jsonl");
    CHECK_OK(ddpm_eval_parts_open(&parts, path, "one", UNITS, VALUES));
    CHECK_STATUS(ddpm_eval_parts_open(&second, path, "one", UNITS, VALUES), 75);
    ddpm_eval_parts_close(parts);
    CHECK_OK(ddpm_eval_parts_open(&second, path, "one", UNITS, VALUES));
    ddpm_eval_parts_close(second);
}

static void a_stranger_s_file_is_left_alone(void **state)
{
    (void)state;
    ddpm_eval_parts *parts;
    const char *path = scratch_path("stranger.txt");
    scratch_write(path, "dear diary\n", 11);
    CHECK_STATUS(ddpm_eval_parts_open(&parts, path, "one", UNITS, VALUES), 65);
    size_t bytes;
    free(scratch_read(path, &bytes));
    assert_int_equal(bytes, 11);
}

int main(void)
{
    ddpm_log_init("test", DDPM_LOG_ERROR);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_unit_comes_back_bit_for_bit),
        cmocka_unit_test(another_evaluation_is_not_mixed_in),
        cmocka_unit_test(a_file_cut_anywhere_goes_on),
        cmocka_unit_test(no_changed_byte_gives_another_number),
        cmocka_unit_test(what_is_not_finite_is_refused),
        cmocka_unit_test(two_evaluations_do_not_write_one_file),
        cmocka_unit_test(a_stranger_s_file_is_left_alone),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
