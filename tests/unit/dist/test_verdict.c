/* Who is late, by tables: each row is what three ranks said last. */
#include "check.h"
#include "verdict.h"

#include <string.h>

enum { RANKS = 3 };
static const double limit = 100.0;

/* Seconds since it was heard and since it got on; whether it waits; where. */
#define RANK(silent_seconds, idle_seconds, waiting, at_step, at_place)                             \
    {                                                                                              \
        .silent = (silent_seconds), .beat = {                                                      \
            .step = (at_step),                                                                     \
            .place = (at_place),                                                                   \
            .waits = (waiting),                                                                    \
            .idle = (idle_seconds)                                                                 \
        }                                                                                          \
    }
#define WAITS(idle_seconds) RANK(1, idle_seconds, 1, 812, DDPM_AT_REDUCE)

static void check_rows(const ddpm_watched (*rows)[RANKS], const ddpm_verdict *expected,
                       size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const ddpm_verdict verdict = ddpm_dist__judge(rows[i], RANKS, limit);
        if (verdict.fault != expected[i].fault || verdict.count != expected[i].count ||
            verdict.culprit[0] != expected[i].culprit[0])
            fail_msg("row %zu: fault %d of %zu ranks, first %zu", i, (int)verdict.fault,
                     verdict.count, verdict.culprit[0]);
    }
}

static void nobody_is_late_while_somebody_gets_on(void **state)
{
    (void)state;
    static const ddpm_watched rows[][RANKS] = {
        { WAITS(0), WAITS(0), WAITS(0) },
        { WAITS(99), WAITS(99), WAITS(99) },
        { WAITS(500), RANK(1, 99, 0, 800, DDPM_AT_GRID), WAITS(500) },
        { WAITS(500), WAITS(500), WAITS(1) },
        /* not heard of, but not for long enough: the others wait no longer than that */
        { WAITS(101), WAITS(101), RANK(49, 0, 0, 812, DDPM_AT_DATA) },
        /* silent, but the job goes on without it so far */
        { RANK(0, 3, 0, 800, DDPM_AT_GRID), WAITS(300), RANK(300, 0, 0, 800, DDPM_AT_GRID) },
    };
    static const ddpm_verdict none[sizeof rows / sizeof *rows] = { { .fault = DDPM_FAULT_NONE } };
    check_rows(rows, none, sizeof rows / sizeof *rows);
}

static void who_works_without_progress_is_late(void **state)
{
    (void)state;
    static const ddpm_watched rows[][RANKS] = {
        { WAITS(130), WAITS(130), RANK(1, 131, 0, 812, DDPM_AT_DATA) },
        { RANK(1, 131, 0, 812, DDPM_AT_DATA), WAITS(130), RANK(1, 101, 0, 812, DDPM_AT_FORWARD) },
    };
    static const ddpm_verdict late[] = {
        { .fault = DDPM_FAULT_LATE, .count = 1, .culprit = { 2 } },
        { .fault = DDPM_FAULT_LATE, .count = 2, .culprit = { 0 } },
    };
    check_rows(rows, late, sizeof rows / sizeof *rows);
}

static void who_is_not_heard_of_comes_before_who_is_late(void **state)
{
    (void)state;
    static const ddpm_watched rows[][RANKS] = {
        { WAITS(101), RANK(102, 0, 0, 812, DDPM_AT_BACKWARD), WAITS(101) },
        /* its last word was that it waits, too: that does not excuse it */
        { WAITS(101), WAITS(101), RANK(51, 0, 1, 812, DDPM_AT_REDUCE) },
        { WAITS(101), RANK(102, 0, 0, 812, DDPM_AT_BACKWARD), RANK(1, 101, 0, 812, DDPM_AT_DATA) },
        { WAITS(101), RANK(102, 0, 0, 1, 0), RANK(102, 0, 0, 1, 0) },
    };
    static const ddpm_verdict silent[] = {
        { .fault = DDPM_FAULT_SILENT, .count = 1, .culprit = { 1 } },
        { .fault = DDPM_FAULT_SILENT, .count = 1, .culprit = { 2 } },
        { .fault = DDPM_FAULT_SILENT, .count = 1, .culprit = { 1 } },
        { .fault = DDPM_FAULT_SILENT, .count = 2, .culprit = { 1 } },
    };
    check_rows(rows, silent, sizeof rows / sizeof *rows);
}

static void who_has_taken_its_leave_is_neither_silent_nor_a_sign_of_life(void **state)
{
    (void)state;
    ddpm_watched ranks[RANKS] = { WAITS(101), RANK(300, 0, 1, 812, DDPM_AT_END),
                                  RANK(1, 99, 0, 812, DDPM_AT_CHECKPOINT) };
    ranks[1].beat.kind = DDPM_BEAT_LAST;
    assert_int_equal(ddpm_dist__judge(ranks, RANKS, limit).fault, DDPM_FAULT_NONE);
    ranks[2].beat.idle = 101.0;
    const ddpm_verdict verdict = ddpm_dist__judge(ranks, RANKS, limit);
    assert_int_equal(verdict.fault, DDPM_FAULT_LATE);
    assert_int_equal(verdict.culprit[0], 2);
}

static void where_all_wait_the_one_farthest_behind_is_named(void **state)
{
    (void)state;
    static const ddpm_watched rows[][RANKS] = {
        { WAITS(101), RANK(1, 140, 1, 811, DDPM_AT_UPDATE), WAITS(120) },
        { WAITS(101), WAITS(120), WAITS(120) },
    };
    static const ddpm_verdict all[] = {
        { .fault = DDPM_FAULT_ALL, .count = 1, .culprit = { 1 } },
        { .fault = DDPM_FAULT_ALL, .count = 1, .culprit = { 0 } },
    };
    check_rows(rows, all, sizeof rows / sizeof *rows);
}

static void an_allowance_is_for_work_and_not_for_waiting(void **state)
{
    (void)state;
    ddpm_watched ranks[RANKS] = { RANK(0, 180, 0, 5, DDPM_AT_CHECKPOINT), WAITS(180), WAITS(180) };
    ranks[0].beat.allowance = 100.0;
    assert_int_equal(ddpm_dist__judge(ranks, RANKS, limit).fault, DDPM_FAULT_NONE);
    ranks[0].beat.idle = 201.0;
    assert_int_equal(ddpm_dist__judge(ranks, RANKS, limit).fault, DDPM_FAULT_LATE);
    ranks[0].beat.idle = 180.0;
    ranks[0].beat.waits = 1;
    assert_int_equal(ddpm_dist__judge(ranks, RANKS, limit).fault, DDPM_FAULT_ALL);
}

static void the_words_name_rank_host_process_place_and_step(void **state)
{
    (void)state;
    const ddpm_watched late[RANKS] = { WAITS(130), WAITS(130), RANK(1, 131, 0, 812, DDPM_AT_DATA) };
    const ddpm_watched gone[RANKS] = { WAITS(130), RANK(125, 0, 0, 813, DDPM_AT_BACKWARD),
                                       WAITS(130) };
    const ddpm_watched all[RANKS] = { WAITS(130), WAITS(130), WAITS(130) };
    const ddpm_rank_name name[RANKS] = { { 0, 11, "n0" }, { 1, 12, "n1" }, { 2, 13, "n2" } };
    char text[512];
    ddpm_verdict verdict = ddpm_dist__judge(late, RANKS, limit);
    ddpm_dist__verdict_text(text, sizeof text, &verdict, late, name, RANKS, false);
    assert_string_equal(text, "rank 2 (host n2, pid 13) is at 'data' of step 812 without progress "
                              "for 131 s; all others wait");
    verdict = ddpm_dist__judge(gone, RANKS, limit);
    ddpm_dist__verdict_text(text, sizeof text, &verdict, gone, name, RANKS, false);
    assert_string_equal(text,
                        "rank 1 (host n1, pid 12) has not been heard of for 125 s: stopped, or "
                        "node or network are gone; last in 'backward' of step 813");
    verdict = ddpm_dist__judge(all, RANKS, limit);
    ddpm_dist__verdict_text(text, sizeof text, &verdict, all, name, RANKS, false);
    assert_non_null(strstr(text, "all ranks have waited for each other for 130 s"));
    verdict = ddpm_dist__judge(late + 2, 1, limit);
    ddpm_dist__verdict_text(text, sizeof text, &verdict, late + 2, name + 2, 1, true);
    assert_string_equal(text, "rank 2 (host n2, pid 13) is at 'data' of step 812 without progress "
                              "for 131 s");
    for (size_t size = 1; size < 40; size++) {
        memset(text, 'x', sizeof text);
        ddpm_dist__verdict_text(text, size, &verdict, late + 2, name + 2, 1, true);
        assert_true(strlen(text) < size);
    }
}

static void of_many_late_ranks_four_are_named(void **state)
{
    (void)state;
    enum { MANY = 1000 };
    static ddpm_watched ranks[MANY];
    static ddpm_rank_name name[MANY];
    char text[512];
    for (int r = 0; r < MANY; r++) {
        ranks[r] = (ddpm_watched){ .silent = r == 0 ? 0.0 : 200.0, .beat = { .waits = 1 } };
        name[r].rank = r;
    }
    ranks[0].beat.idle = 150.0;
    const ddpm_verdict verdict = ddpm_dist__judge(ranks, MANY, limit);
    assert_int_equal(verdict.count, MANY - 1);
    ddpm_dist__verdict_text(text, sizeof text, &verdict, ranks, name, MANY, false);
    assert_non_null(strstr(text, "rank 4 (host , pid 0) and 995 more have not been heard of"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_is_late_while_somebody_gets_on),
        cmocka_unit_test(who_works_without_progress_is_late),
        cmocka_unit_test(who_is_not_heard_of_comes_before_who_is_late),
        cmocka_unit_test(who_has_taken_its_leave_is_neither_silent_nor_a_sign_of_life),
        cmocka_unit_test(where_all_wait_the_one_farthest_behind_is_named),
        cmocka_unit_test(an_allowance_is_for_work_and_not_for_waiting),
        cmocka_unit_test(the_words_name_rank_host_process_place_and_step),
        cmocka_unit_test(of_many_late_ranks_four_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
