/* Units of many bytes: what comes back, what is never mixed, what is made good. */
#include "check.h"
#include "scratch.h"

#include "ddpm/base/log.h"
#include "ddpm/eval/rows.h"

#include <stdlib.h>
#include <string.h>

enum { UNITS = 4, UNIT = 10, BYTES = 3 * UNIT + 7 };

typedef struct {
    ddpm_eval_rows *rows;
    unsigned char buffer[BYTES];
} work;

static unsigned char value_of(size_t i)
{
    return (unsigned char)(i * 37 + 11);
}

static void begin(work *w, const char *path, const char *identity)
{
    memset(w->buffer, 0, sizeof w->buffer);
    CHECK_OK(ddpm_eval_rows_open(&w->rows, path, identity, w->buffer, BYTES, UNIT));
}

static void add(work *w, size_t unit)
{
    for (size_t i = unit * UNIT; i < (unit + 1) * UNIT && i < BYTES; i++)
        w->buffer[i] = value_of(i);
    CHECK_OK(ddpm_eval_rows_add(w->rows, unit));
}

/* Every unit is either there, as it was, or not there and nothing is. */
static size_t count_sound(const work *w)
{
    size_t count = 0;
    for (size_t unit = 0; unit < UNITS; unit++) {
        const bool has = ddpm_eval_rows_has(w->rows, unit);
        count += has;
        for (size_t i = unit * UNIT; i < (unit + 1) * UNIT && i < BYTES; i++)
            assert_int_equal(w->buffer[i], has ? value_of(i) : 0);
    }
    return count;
}

/* A file with units 3, the short one, 0 and 2. */
static const char *three_units(const char *name)
{
    work w;
    const char *path = scratch_path("%s", name);
    begin(&w, path, "one");
    add(&w, 3);
    add(&w, 0);
    add(&w, 2);
    ddpm_eval_rows_close(w.rows);
    return path;
}

static void units_come_back(void **state)
{
    (void)state;
    work w;
    begin(&w, three_units("whole.rows"), "one");
    assert_int_equal(count_sound(&w), 3);
    assert_false(ddpm_eval_rows_has(w.rows, 1));
    ddpm_eval_rows_close(w.rows);
}

static void another_evaluation_is_not_mixed_in(void **state)
{
    (void)state;
    work w;
    const char *path = three_units("mixed.rows"), *other = scratch_path("other.rows");
    CHECK_STATUS(ddpm_eval_rows_open(&w.rows, path, "another", w.buffer, BYTES, UNIT), 78);
    CHECK_MESSAGE("another evaluation");
    /* Nor are its records under our head: the seal covers whose they are. */
    enum { HEAD = 64 };
    begin(&w, other, "another");
    add(&w, 0);
    ddpm_eval_rows_close(w.rows);
    size_t ours, theirs;
    unsigned char *a = scratch_read(path, &ours), *b = scratch_read(other, &theirs);
    memcpy(b, a, HEAD);
    scratch_write(other, b, theirs);
    begin(&w, other, "one");
    assert_int_equal(count_sound(&w), 0);
    ddpm_eval_rows_close(w.rows);
    free(a);
    free(b);
}

static void a_file_cut_anywhere_goes_on(void **state)
{
    (void)state;
    const char *path = three_units("uncut.rows"), *cut = scratch_path("cut.rows");
    size_t bytes;
    unsigned char *all = scratch_read(path, &bytes);
    for (size_t length = 0; length <= bytes; length++) {
        work w;
        scratch_write(cut, all, length);
        begin(&w, cut, "one");
        assert_int_equal(count_sound(&w),
                         (length >= bytes) + (length >= bytes - 26) + (length >= bytes - 52));
        add(&w, 1);
        ddpm_eval_rows_close(w.rows);
        begin(&w, cut, "one");
        assert_true(ddpm_eval_rows_has(w.rows, 1));
        count_sound(&w);
        ddpm_eval_rows_close(w.rows);
    }
    free(all);
}

static void no_changed_byte_gives_another_result(void **state)
{
    (void)state;
    const char *path = three_units("sound.rows"), *bad = scratch_path("bad.rows");
    enum { HEAD = 64 };
    size_t bytes;
    unsigned char *all = scratch_read(path, &bytes);
    for (size_t at = HEAD; at < bytes; at++)
        for (unsigned bit = 0; bit < 8; bit++) {
            work w;
            all[at] ^= (unsigned char)(1U << bit);
            scratch_write(bad, all, bytes);
            all[at] ^= (unsigned char)(1U << bit);
            begin(&w, bad, "one");
            assert_true(count_sound(&w) < 3);
            ddpm_eval_rows_close(w.rows);
        }
    free(all);
}

static void two_evaluations_do_not_write_one_file(void **state)
{
    (void)state;
    work w, second;
    const char *path = scratch_path("locked.rows");
    begin(&w, path, "one");
    CHECK_STATUS(ddpm_eval_rows_open(&second.rows, path, "one", second.buffer, BYTES, UNIT), 75);
    ddpm_eval_rows_close(w.rows);
}

static void a_stranger_s_file_is_left_alone(void **state)
{
    (void)state;
    work w;
    static const char diary[] = "dear diary, today it rained all day, and the day before as well; "
                                "and tomorrow it will";
    const char *path = scratch_path("stranger.txt");
    const size_t lengths[] = { 1, 11, sizeof diary };
    for (size_t i = 0; i < 3; i++) {
        size_t bytes;
        scratch_write(path, diary + (i == 0), lengths[i]);
        CHECK_STATUS(ddpm_eval_rows_open(&w.rows, path, "one", w.buffer, BYTES, UNIT), 65);
        free(scratch_read(path, &bytes));
        assert_int_equal(bytes, lengths[i]);
    }
}

int main(void)
{
    ddpm_log_init("test", DDPM_LOG_ERROR);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(units_come_back),
        cmocka_unit_test(another_evaluation_is_not_mixed_in),
        cmocka_unit_test(a_file_cut_anywhere_goes_on),
        cmocka_unit_test(no_changed_byte_gives_another_result),
        cmocka_unit_test(two_evaluations_do_not_write_one_file),
        cmocka_unit_test(a_stranger_s_file_is_left_alone),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
