/* Texts of /proc and /sys. */
#include "check.h"
#include "doctor_text.h"

#include <string.h>

static void a_list_of_processors_is_read_whole(void **state)
{
    (void)state;
    cpu_set_t cpus;
    assert_true(ddpm_app__parse_cpus(&cpus, "0-3,8,10-11\n"));
    assert_int_equal(CPU_COUNT(&cpus), 7);
    assert_true(CPU_ISSET(3, &cpus) && !CPU_ISSET(4, &cpus) && CPU_ISSET(11, &cpus));
    assert_true(ddpm_app__parse_cpus(&cpus, "5"));
    assert_int_equal(CPU_COUNT(&cpus), 1);
}

static void what_is_no_such_list_gives_an_empty_set(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "", "\n", "x", "1-", "3-1", "1,,2", "1,", "0-99999", "1 2", "-1", "99999999999999999999"
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        cpu_set_t cpus;
        if (ddpm_app__parse_cpus(&cpus, bad[i])) fail_msg("'%s' was read", bad[i]);
        assert_int_equal(CPU_COUNT(&cpus), 0);
    }
}

static void meminfo_is_found_by_its_whole_name(void **state)
{
    (void)state;
    static const char text[] = "MemTotal:       16 kB\nMemAvailable:   4 kB\nSwapTotal: 1 kB\n";
    assert_int_equal(ddpm_app__meminfo_bytes(text, "MemTotal"), 16384);
    assert_int_equal(ddpm_app__meminfo_bytes(text, "MemAvailable"), 4096);
    assert_int_equal(ddpm_app__meminfo_bytes(text, "Mem"), 0);
    assert_int_equal(ddpm_app__meminfo_bytes(text, "SwapFree"), 0);
}

static void the_word_in_brackets_is_the_setting(void **state)
{
    (void)state;
    char word[16];
    ddpm_app__bracketed(word, sizeof word, "always [madvise] never");
    assert_string_equal(word, "madvise");
    ddpm_app__bracketed(word, sizeof word, "always madvise");
    assert_string_equal(word, "");
    ddpm_app__bracketed(word, sizeof word, "[a-word-much-too-long-for-it]");
    assert_int_equal(strlen(word), sizeof word - 1);
}

static void a_quota_is_in_cores(void **state)
{
    (void)state;
    assert_true(ddpm_app__parse_quota("250000 100000") == 2.5);
    assert_true(ddpm_app__parse_quota("max 100000") == 0.0);
    assert_true(ddpm_app__parse_quota("-1 100000") == 0.0);
    assert_true(ddpm_app__parse_quota("5 0") == 0.0);
    assert_true(ddpm_app__parse_quota("") == 0.0);
}

static void the_group_of_either_version_is_found(void **state)
{
    (void)state;
    static const char text[] = "9:cpu,cpuacct:/a/b\n4:cpuset:/job\n0::/unified\n";
    char group[64];
    assert_true(ddpm_app__cgroup(group, sizeof group, text, "cpu"));
    assert_string_equal(group, "/a/b");
    assert_true(ddpm_app__cgroup(group, sizeof group, text, "cpuset"));
    assert_string_equal(group, "/job");
    assert_true(ddpm_app__cgroup(group, sizeof group, text, NULL));
    assert_string_equal(group, "/unified");
    assert_false(ddpm_app__cgroup(group, sizeof group, text, "memory"));
    assert_false(ddpm_app__cgroup(group, sizeof group, "4:name=systemd:/x\n", NULL));
    assert_false(ddpm_app__cgroup(group, sizeof group, "nothing", "cpu"));
}

static void ranks_are_listed_in_ranges(void **state)
{
    (void)state;
    const bool member[10] = { true, true, true, false, true, false, true, true, false, true };
    char text[64];
    ddpm_app__number_list(text, sizeof text, member, 10);
    assert_string_equal(text, "0-2, 4, 6, 7, 9");
    ddpm_app__number_list(text, 6, member, 10); /* cut, not overrun */
    assert_int_equal(strlen(text), 5);
    ddpm_app__number_list(text, sizeof text, member, 0);
    assert_string_equal(text, "");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_of_processors_is_read_whole),
        cmocka_unit_test(what_is_no_such_list_gives_an_empty_set),
        cmocka_unit_test(meminfo_is_found_by_its_whole_name),
        cmocka_unit_test(the_word_in_brackets_is_the_setting),
        cmocka_unit_test(a_quota_is_in_cores),
        cmocka_unit_test(the_group_of_either_version_is_found),
        cmocka_unit_test(ranks_are_listed_in_ranges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
