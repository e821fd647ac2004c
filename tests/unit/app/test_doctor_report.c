/* Equal findings are one, and the report ends with the code of the first error. */
#include "doctor_case.h"

static void says_its_rank(ddpm_doctor_report *report, const ddpm_doctor_group *group)
{
    ddpm_app__fine(report, "rank %d is fine", group->rank[0]->rank);
}

static void warns_odd_ranks(ddpm_doctor_report *report, const ddpm_doctor_group *group)
{
    if (group->rank[0]->rank % 2) ddpm_app__warn(report, "be even", "odd");
    ddpm_app__fine(report, "even");
}

static void counts(ddpm_doctor_report *report, const ddpm_doctor_group *group)
{
    ddpm_app__warn(report, "none", "%d from %s", group->count, group->rank[0]->host);
}

static void fails_twice(ddpm_doctor_report *report, const ddpm_doctor_group *group)
{
    (void)group;
    ddpm_app__wrong(report, DDPM_ECREATE, NULL, "first");
    ddpm_app__wrong(report, DDPM_ECONFIG, NULL, "second");
}

static ddpm_doctor_report *judge_case(doctor_case *c, ddpm_doctor_judge *judge,
                                      ddpm_doctor_scope scope)
{
    case_init(c);
    ddpm_doctor_report *report = ddpm_app__report_create(c->facts, CASE_RANKS);
    assert_non_null(report);
    const ddpm_doctor_check check = { "test", scope, judge };
    ddpm_app__report_judge(report, &check, &c->all);
    return report;
}

static void what_is_fine_of_every_rank_is_one_line(void **state)
{
    (void)state;
    static doctor_case c;
    ddpm_doctor_report *report = judge_case(&c, says_its_rank, DDPM_SCOPE_RANK);
    assert_int_equal(report->count, 1);
    assert_string_equal(report->finding[0].found, "rank 0 is fine");
    assert_true(report->finding[0].is_varied);
    for (int r = 0; r < CASE_RANKS; r++) assert_true(report->finding[0].ranks[r]);
    ddpm_app__report_free(report);
}

static void equal_warnings_are_one_about_several_ranks(void **state)
{
    (void)state;
    static doctor_case c;
    ddpm_doctor_report *report = judge_case(&c, warns_odd_ranks, DDPM_SCOPE_RANK);
    assert_int_equal(report->count, 2);
    assert_int_equal(ddpm_app__report_count(report, DDPM_DOCTOR_WARNING), 1);
    const ddpm_doctor_finding *warning = &report->finding[1];
    assert_string_equal(warning->remedy, "be even");
    for (int r = 0; r < CASE_RANKS; r++) {
        assert_int_equal(warning->ranks[r], r % 2);
        assert_int_equal(report->finding[0].ranks[r], 1 - r % 2);
    }
    assert_false(warning->is_varied);
    assert_int_equal(ddpm_app__report_code(report), DDPM_OK);
    ddpm_app__report_free(report);
}

static void a_judge_gets_the_ranks_of_its_scope(void **state)
{
    (void)state;
    static doctor_case c;
    ddpm_doctor_report *report = judge_case(&c, counts, DDPM_SCOPE_NODE);
    assert_int_equal(report->count, 2);
    assert_string_equal(report->finding[0].found, "4 from node0");
    assert_string_equal(report->finding[1].found, "4 from node1");
    ddpm_app__report_free(report);
    report = judge_case(&c, counts, DDPM_SCOPE_WORLD);
    assert_int_equal(report->count, 1);
    assert_string_equal(report->finding[0].found, "8 from node0");
    ddpm_app__report_free(report);
}

static void the_first_error_is_the_exit_code(void **state)
{
    (void)state;
    static doctor_case c;
    ddpm_doctor_report *report = judge_case(&c, fails_twice, DDPM_SCOPE_WORLD);
    assert_int_equal(ddpm_app__report_count(report, DDPM_DOCTOR_ERROR), 2);
    assert_int_equal(ddpm_app__report_code(report), DDPM_ECREATE);
    ddpm_app__report_free(report);
}

static void every_check_says_something_of_every_rank_where_all_is_well(void **state)
{
    (void)state;
    static doctor_case c;
    case_init(&c);
    for (size_t i = 0; i < ddpm_app__doctor_check_count; i++)
        expect(&c, ddpm_app__doctor_checks[i].name, DDPM_DOCTOR_OK, "", CASE_RANKS);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_fine_of_every_rank_is_one_line),
        cmocka_unit_test(equal_warnings_are_one_about_several_ranks),
        cmocka_unit_test(a_judge_gets_the_ranks_of_its_scope),
        cmocka_unit_test(the_first_error_is_the_exit_code),
        cmocka_unit_test(every_check_says_something_of_every_rank_where_all_is_well),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
