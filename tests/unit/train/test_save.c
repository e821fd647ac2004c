/* Checkpoints beside the training, and what follows when they cannot be written. */
#include "save.h"

#include "checkpoint_fixture.h"
#include "ddpm/base/clock.h"
#include "ddpm/base/log.h"

#include <sys/stat.h>

static ddpm_run_dir dir;
static ddpm_saver saver;

static void begin(fixture *run)
{
    dir = (ddpm_run_dir){ .lock = NULL };
    snprintf(dir.checkpoints, sizeof dir.checkpoints, "%s", run->directory);
    run->config.checkpoint.keep = 3;
    const ddpm_writer_source source = {
        .dir = &dir, .config = &run->config, .params = &run->params, .state = &run->state
    };
    saver = (ddpm_saver){ .attempts = 3, .retry_seconds = 0.01 };
    CHECK_OK(ddpm_train__writer_create(&saver.writer, &source));
}

/* No file can be made in a directory that is not there. */
static void lose_directory(void)
{
    snprintf(dir.checkpoints, sizeof dir.checkpoints, "/nowhere/at/all");
}

static ddpm_status save_and_poll(fixture *run, uint64_t step)
{
    run->progress.step = step;
    ddpm_train__save(&saver, &run->progress);
    ddpm_train__writer_wait(saver.writer, -1.0);
    return ddpm_train__save_poll(&saver);
}

static void what_is_written_is_the_state_as_it_was_given(void **state)
{
    fixture *run = *state;
    begin(run);
    float before[FIXTURE_PARTS][FIXTURE_FLOATS], read[FIXTURE_FLOATS];
    memcpy(before, run->part, sizeof before);
    run->progress.step = 7;
    ddpm_train__save(&saver, &run->progress);
    for (size_t i = 0; i < FIXTURE_PARTS; i++) /* the training goes on at once */
        fixture_fill(run->part[i], &run->params, 9000 + 100 * i);
    ddpm_train__writer_wait(saver.writer, -1.0);
    CHECK_OK(ddpm_train__save_poll(&saver));
    assert_string_equal(saver.last, path_of_step(run, 7).text);
    ddpm_checkpoint *checkpoint = open_checkpoint(saver.last);
    static const struct {
        ddpm_checkpoint_part part;
        size_t ema, at;
    } parts[FIXTURE_PARTS] = { { DDPM_PART_MODEL, 0, 0 },
                               { DDPM_PART_M, 0, 1 },
                               { DDPM_PART_V, 0, 2 },
                               { DDPM_PART_EMA, 0, 3 },
                               { DDPM_PART_EMA, 1, 4 } };
    for (size_t i = 0; i < FIXTURE_PARTS; i++) {
        CHECK_OK(ddpm_checkpoint_read(checkpoint, read, &run->params, parts[i].part, parts[i].ema));
        assert_memory_equal(read, before[parts[i].at], sizeof read);
    }
    ddpm_checkpoint_close(checkpoint);
    ddpm_train__writer_free(saver.writer);
}

static void a_failure_is_forgiven_until_there_are_too_many(void **state)
{
    fixture *run = *state;
    begin(run);
    lose_directory();
    CHECK_OK(save_and_poll(run, 1));
    assert_int_equal(saver.failures, 1);
    saver.retry_seconds = 100.0;
    CHECK_OK(save_and_poll(run, 2));
    CHECK_LE(190e9, saver.retry_ns - ddpm_clock_ns()); /* twice as long as the first time */
    CHECK_LE(saver.retry_ns - ddpm_clock_ns(), 200e9);
    CHECK_STATUS(save_and_poll(run, 3), DDPM_ECREATE);
    CHECK_MESSAGE("giving up after 3");
    ddpm_train__writer_free(saver.writer);
}

static void a_failed_checkpoint_is_due_again_and_success_clears_it(void **state)
{
    fixture *run = *state;
    begin(run);
    lose_directory();
    CHECK_OK(save_and_poll(run, 1));
    for (int i = 0; i < 2000 && !ddpm_train__save_is_due(&saver); i++) usleep(1000);
    assert_true(ddpm_train__save_is_due(&saver));
    snprintf(dir.checkpoints, sizeof dir.checkpoints, "%s", run->directory);
    CHECK_OK(save_and_poll(run, 2));
    assert_int_equal(saver.failures, 0);
    assert_false(ddpm_train__save_is_due(&saver));
    ddpm_train__writer_free(saver.writer);
}

static void a_state_that_is_not_finite_never_reaches_the_disk(void **state)
{
    fixture *run = *state;
    begin(run);
    run->part[2][150] = INFINITY;
    CHECK_OK(save_and_poll(run, 1));
    assert_int_equal(saver.failures, 1);
    run->progress.step = 2;
    CHECK_STATUS(ddpm_train__save_last(&saver, &run->progress), DDPM_EDATA);
    CHECK_MESSAGE("v of tensor");
    uint64_t *steps;
    size_t count;
    CHECK_OK(ddpm_checkpoint_list(&steps, &count, run->directory));
    assert_int_equal(count, 0);
    free(steps);
    ddpm_train__writer_free(saver.writer);
}

static void the_last_state_is_written_once(void **state)
{
    fixture *run = *state;
    begin(run);
    run->progress.step = 4;
    ddpm_train__save(&saver, &run->progress); /* still on its way */
    CHECK_OK(ddpm_train__save_last(&saver, &run->progress));
    struct stat first, second;
    assert_int_equal(stat(saver.last, &first), 0);
    CHECK_OK(ddpm_train__save_last(&saver, &run->progress));
    assert_int_equal(stat(saver.last, &second), 0);
    assert_int_equal(first.st_ino, second.st_ino);
    run->progress.step = 5;
    CHECK_OK(ddpm_train__save_last(&saver, &run->progress));
    assert_string_equal(saver.last, path_of_step(run, 5).text);
    ddpm_train__writer_free(saver.writer);
}

static void a_writer_that_is_freed_first_finishes(void **state)
{
    fixture *run = *state;
    begin(run);
    run->progress.step = 6;
    ddpm_train__save(&saver, &run->progress);
    ddpm_train__writer_free(saver.writer);
    ddpm_checkpoint_close(open_checkpoint(path_of_step(run, 6).text));
}

/* Says that this step is the best, as an evaluation does. */
static ddpm_status save_best(fixture *run, uint64_t step)
{
    run->progress.best = (ddpm_best){ .step = step, .value = 1.0 / (double)step };
    return save_and_poll(run, step);
}

static uint64_t best_told_by(const fixture *run, uint64_t step)
{
    ddpm_checkpoint *checkpoint = open_checkpoint(path_of_step(run, step).text);
    const uint64_t best = ddpm_checkpoint_progress(checkpoint)->best.step;
    ddpm_checkpoint_close(checkpoint);
    return best;
}

static bool is_there(const fixture *run, uint64_t step)
{
    return access(path_of_step(run, step).text, F_OK) == 0;
}

static void the_best_checkpoint_is_kept_until_all_tell_of_a_better_one(void **state)
{
    fixture *run = *state;
    begin(run);
    CHECK_OK(save_best(run, 1));
    for (uint64_t step = 2; step <= 8; step++) CHECK_OK(save_and_poll(run, step));
    assert_true(is_there(run, 1) && !is_there(run, 5) && is_there(run, 6));
    assert_int_equal(best_told_by(run, 8), 1);
    CHECK_OK(save_best(run, 9));
    assert_int_equal(best_told_by(run, 9), 9);
    assert_true(is_there(run, 1)); /* of which step 8 tells, should step 9 be damaged */
    CHECK_OK(save_and_poll(run, 10));
    assert_true(!is_there(run, 1) && is_there(run, 9));
    for (uint64_t step = 11; step <= 14; step++) CHECK_OK(save_and_poll(run, step));
    assert_true(is_there(run, 9) && !is_there(run, 11));
    ddpm_train__writer_free(saver.writer);
}

static void a_best_checkpoint_that_is_not_written_leaves_the_one_before(void **state)
{
    fixture *run = *state;
    begin(run);
    CHECK_OK(save_best(run, 1));
    assert_int_equal(ddpm_train__save_best(&saver).step, 1);
    lose_directory();
    CHECK_OK(save_best(run, 2));
    assert_int_equal(saver.failures, 1);
    assert_int_equal(ddpm_train__save_best(&saver).step, 1);
    snprintf(dir.checkpoints, sizeof dir.checkpoints, "%s", run->directory);
    CHECK_OK(save_and_poll(run, 3)); /* the progress at hand still says 2 */
    assert_int_equal(best_told_by(run, 3), 1);
    run->progress.step = 4;
    CHECK_OK(ddpm_train__save_last(&saver, &run->progress));
    assert_int_equal(best_told_by(run, 4), 1);
    ddpm_train__writer_free(saver.writer);
}

static void a_run_that_goes_on_knows_the_best_of_before(void **state)
{
    fixture *run = *state;
    begin(run);
    CHECK_OK(save_best(run, 1));
    for (uint64_t step = 2; step <= 4; step++) CHECK_OK(save_and_poll(run, step));
    ddpm_train__writer_free(saver.writer);
    const ddpm_writer_source source = { .dir = &dir,
                                        .config = &run->config,
                                        .params = &run->params,
                                        .state = &run->state,
                                        .best = { .step = 1, .value = 1.0 } };
    saver = (ddpm_saver){ .attempts = 3, .retry_seconds = 0.01 };
    CHECK_OK(ddpm_train__writer_create(&saver.writer, &source));
    assert_true(ddpm_train__save_best(&saver).value == 1.0);
    for (uint64_t step = 5; step <= 9; step++) CHECK_OK(save_and_poll(run, step));
    assert_true(is_there(run, 1) && !is_there(run, 5));
    assert_int_equal(best_told_by(run, 9), 1);
    ddpm_train__writer_free(saver.writer);
}

static void a_last_state_that_was_evaluated_since_is_written_again(void **state)
{
    fixture *run = *state;
    begin(run);
    CHECK_OK(save_and_poll(run, 4));
    run->progress.evaluated = 4;
    run->progress.best = (ddpm_best){ .step = 4 };
    CHECK_OK(ddpm_train__save_last(&saver, &run->progress));
    ddpm_checkpoint *checkpoint = open_checkpoint(path_of_step(run, 4).text);
    assert_int_equal(ddpm_checkpoint_progress(checkpoint)->evaluated, 4);
    assert_int_equal(ddpm_checkpoint_progress(checkpoint)->best.step, 4);
    ddpm_checkpoint_close(checkpoint);
    ddpm_train__writer_free(saver.writer);
}

int main(void)
{
    ddpm_log_init("test", DDPM_LOG_ERROR);
    static const struct CMUnitTest tests[] = {
        FIXTURE_TEST(what_is_written_is_the_state_as_it_was_given),
        FIXTURE_TEST(a_failure_is_forgiven_until_there_are_too_many),
        FIXTURE_TEST(a_failed_checkpoint_is_due_again_and_success_clears_it),
        FIXTURE_TEST(a_state_that_is_not_finite_never_reaches_the_disk),
        FIXTURE_TEST(the_last_state_is_written_once),
        FIXTURE_TEST(the_best_checkpoint_is_kept_until_all_tell_of_a_better_one),
        FIXTURE_TEST(a_best_checkpoint_that_is_not_written_leaves_the_one_before),
        FIXTURE_TEST(a_run_that_goes_on_knows_the_best_of_before),
        FIXTURE_TEST(a_last_state_that_was_evaluated_since_is_written_again),
        FIXTURE_TEST(a_writer_that_is_freed_first_finishes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
