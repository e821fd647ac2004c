#include "ddpm/base/text.h"

#include "check.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static void whole_numbers_are_read_strictly(void **state)
{
    (void)state;
    int64_t n = -1;
    const struct {
        const char *text;
        int64_t value;
    } good[] = { { "0", 0 },        { "-7", -7 }, { "8e5", 800000 },
                 { "1_000", 1000 }, { "+3", 3 },  { "9223372036854775807", INT64_MAX },
                 { "2.5e1", 25 } };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_true(ddpm_text_int64(&n, good[i].text, INT64_MIN, INT64_MAX));
        assert_true(n == good[i].value);
    }
    const char *bad[] = { "",
                          " 1",
                          "1 ",
                          "1.5",
                          "x",
                          "1x",
                          "--1",
                          "_1",
                          "1_",
                          "1e400",
                          "nan",
                          "inf",
                          "9223372036854775808",
                          "1e-1" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (ddpm_text_int64(&n, bad[i], INT64_MIN, INT64_MAX)) fail_msg("read '%s'", bad[i]);
    assert_false(ddpm_text_int64(&n, "11", 0, 10));
    assert_false(ddpm_text_int64(&n, "-1", 0, 10));
}

static void durations_are_read_in_every_form(void **state)
{
    (void)state;
    const struct {
        const char *text;
        double seconds;
    } good[] = { { "90", 90 },        { "90s", 90 },       { "5m", 300 },   { "1.5h", 5400 },
                 { "1d12h", 129600 }, { "1:30:00", 5400 }, { "2:05", 125 }, { "0", 0 } };
    double seconds;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        if (!ddpm_text_duration(&seconds, good[i].text)) fail_msg("not read: %s", good[i].text);
        assert_true(seconds == good[i].seconds);
    }
    const char *bad[] = { "",   "5x",  "m",  "5m5h", "1:60:00", "1:2:3:4",
                          "-5", "5 m", "::", "h1",   "nan" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (ddpm_text_duration(&seconds, bad[i])) fail_msg("read '%s'", bad[i]);
}

static void reals_read_back_as_themselves(void **state)
{
    (void)state;
    const double values[] = { 0.1, 1e-8, 2e-4, 0.9999, 1.0 / 3.0, DBL_MAX, DBL_MIN, 5e-324, 0, -2 };
    char text[32];
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        assert_true(strtod(ddpm_text_real(text, values[i]), NULL) == values[i]);
    assert_string_equal(ddpm_text_real(text, 0.1), "0.1");
    assert_string_equal(ddpm_text_real(text, 0.9999), "0.9999");
}

static void numbers_are_written_for_people(void **state)
{
    (void)state;
    char text[32];
    assert_string_equal(ddpm_text_count(text, 35746307), "35,746,307");
    assert_string_equal(ddpm_text_count(text, 7), "7");
    assert_string_equal(ddpm_text_bytes(text, 512), "512 B");
    assert_string_equal(ddpm_text_bytes(text, 3 * 1024 * 1024 / 2), "1.50 MiB");
    assert_string_equal(ddpm_text_seconds(text, 3725), "1 h 02 min");
    assert_string_equal(ddpm_text_seconds(text, 245), "4 min 05 s");
    assert_string_equal(ddpm_text_seconds(text, (double)NAN), "-");
}

static void the_nearest_name_is_offered_only_when_it_is_near(void **state)
{
    (void)state;
    const char *const names[] = { "train.batch", "train.micro_batch", "model.channels" };
    assert_string_equal(ddpm_text_nearest("train.bacth", names, 3), "train.batch");
    assert_string_equal(ddpm_text_nearest("model.chanels", names, 3), "model.channels");
    assert_null(ddpm_text_nearest("zzz", names, 3));
    assert_int_equal(ddpm_text_distance("kitten", "sitting"), 3);
    assert_int_equal(ddpm_text_distance("", "abc"), 3);
}

static void bytes_that_are_no_utf8_are_escaped(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to;
    } cases[] = {
        { "runs/one", "runs/one" },
        { "gr\xc3\xbc\xc3\x9f"
          "e \xe2\x82\xac \xf0\x9f\x99\x82",
          "gr\xc3\xbc\xc3\x9f"
          "e \xe2\x82\xac \xf0\x9f\x99\x82" },
        { "gr\xfc\xdf"
          "e",
          "gr\\xfc\\xdfe" },          /* Latin-1 */
        { "\xe2\x82", "\\xe2\\x82" }, /* cut off */
        { "\xc0\xaf", "\\xc0\\xaf" }, /* too long a form of '/' */
        { "\xe0\x9f\xbf", "\\xe0\\x9f\\xbf" },
        { "\xed\x9f\xbf", "\xed\x9f\xbf" },
        { "\xed\xa0\x80", "\\xed\\xa0\\x80" }, /* a surrogate */
        { "\xf0\x8f\xbf\xbf", "\\xf0\\x8f\\xbf\\xbf" },
        { "\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf" },
        { "\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80" }, /* above U+10FFFF */
        { "\xf5", "\\xf5" },
        { "\xc3(", "\\xc3(" },
        { "\x80", "\\x80" },
    };
    char text[64];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(ddpm_text_utf8(text, sizeof text, cases[i].from), cases[i].to);
    /* Never a part of a character. */
    assert_string_equal(ddpm_text_utf8(text, 4, "ab\xc3\xbc"), "ab");
    assert_string_equal(ddpm_text_utf8(text, 5, "ab\xc3\xbc"), "ab\xc3\xbc");
    assert_string_equal(ddpm_text_utf8(text, 6, "ab\xff"), "ab");
    assert_string_equal(ddpm_text_utf8(text, 1, "ab"), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_numbers_are_read_strictly),
        cmocka_unit_test(durations_are_read_in_every_form),
        cmocka_unit_test(reals_read_back_as_themselves),
        cmocka_unit_test(numbers_are_written_for_people),
        cmocka_unit_test(the_nearest_name_is_offered_only_when_it_is_near),
        cmocka_unit_test(bytes_that_are_no_utf8_are_escaped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
