#include "checkpoint_fixture.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>

static void names_sort_as_steps_do(void **state)
{
    (void)state;
    char name[64];
    ddpm_checkpoint_file_name(name, sizeof name, 1200);
    assert_string_equal(name, "step-000001200.h5");
    ddpm_checkpoint_file_name(name, sizeof name, 12345678901);
    assert_string_equal(name, "step-12345678901.h5");
}

static void make_file(const fixture *run, const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", run->directory, name);
    write_bytes(path, "x", 1);
}

static void only_names_of_checkpoints_are_listed_newest_first(void **state)
{
    static const char *const others[] = { "step-000000001.h5.bak",
                                          "step-1.h5",
                                          "step-00000000x.h5",
                                          "step--00000001.h5",
                                          "step-0000000001.h5",
                                          "step-99999999999999999999.h5",
                                          ".step-000000001.h5.tmp-12-0",
                                          "best.h5",
                                          "step-.h5" };
    fixture *run = *state;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) make_file(run, others[i]);
    make_file(run, "step-000000020.h5");
    make_file(run, "step-1000000000.h5");
    make_file(run, "step-000000003.h5");
    uint64_t *steps = NULL;
    size_t count = 0;
    CHECK_OK(ddpm_checkpoint_list(&steps, &count, run->directory));
    assert_int_equal(count, 3);
    assert_int_equal(steps[0], 1000000000);
    assert_int_equal(steps[1], 20);
    assert_int_equal(steps[2], 3);
    free(steps);
}

static void a_directory_without_checkpoints_has_no_newest(void **state)
{
    const fixture *run = *state;
    char path[512];
    CHECK_STATUS(ddpm_checkpoint_newest(path, sizeof path, run->directory, ""), DDPM_ENOINPUT);
    CHECK_MESSAGE(run->directory);
    CHECK_STATUS(ddpm_checkpoint_newest(path, sizeof path, "/nonexistent/run", ""), DDPM_ENOINPUT);
    CHECK_MESSAGE("/nonexistent/run");
}

static void the_newest_of_another_run_is_passed_over(void **state)
{
    fixture *run = *state;
    char path[512];
    save_step(run, 10);
    strcpy(run->progress.run_id, "stranger");
    save_step(run, 20);
    CHECK_OK(ddpm_checkpoint_newest(path, sizeof path, run->directory, "5f0c1e22a9"));
    assert_string_equal(path, path_of_step(run, 10).text);
    CHECK_OK(ddpm_checkpoint_newest(path, sizeof path, run->directory, "stranger"));
    assert_string_equal(path, path_of_step(run, 20).text);
    CHECK_OK(ddpm_checkpoint_newest(path, sizeof path, run->directory, ""));
    assert_string_equal(path, path_of_step(run, 20).text);
    CHECK_STATUS(ddpm_checkpoint_newest(path, sizeof path, run->directory, "nobody"), DDPM_EDATA);
    CHECK_MESSAGE("belongs to run 5f0c1e22a9, not to run nobody");
}

static void a_path_that_does_not_fit_is_not_cut(void **state)
{
    fixture *run = *state;
    char path[16];
    save_step(run, 1);
    CHECK_STATUS(ddpm_checkpoint_newest(path, sizeof path, run->directory, ""), DDPM_EUSAGE);
}

static void spoil_file(const fixture *run, uint64_t step)
{
    size_t count;
    const fixture_path path = path_of_step(run, step);
    unsigned char *bytes = read_bytes(&count, path.text);
    bytes[count / 2] ^= 1;
    write_bytes(path.text, bytes, count);
    free(bytes);
}

/* The steps that are left, newest first; ends with 0. */
static void check_left(const fixture *run, const uint64_t *expected)
{
    uint64_t *steps = NULL;
    size_t count = 0, i = 0;
    CHECK_OK(ddpm_checkpoint_list(&steps, &count, run->directory));
    for (; expected[i] != 0 && i < count; i++) assert_int_equal(steps[i], expected[i]);
    assert_int_equal(i, count);
    assert_int_equal(expected[i], 0);
    free(steps);
}
#define CHECK_LEFT(...) check_left(run, (const uint64_t[]){ __VA_ARGS__, 0 })

static void save_steps(fixture *run, uint64_t most)
{
    for (uint64_t step = 10; step <= most; step += 10) save_step(run, step);
}

static void the_newest_k_are_kept(void **state)
{
    fixture *run = *state;
    save_steps(run, 60);
    CHECK_OK(ddpm_checkpoint_prune(run->directory, 3, 0, NULL, 0));
    CHECK_LEFT(60, 50, 40);
    CHECK_OK(ddpm_checkpoint_prune(run->directory, 3, 0, NULL, 0));
    CHECK_LEFT(60, 50, 40);
}

static void every_mth_is_kept_for_good(void **state)
{
    fixture *run = *state;
    save_steps(run, 90);
    CHECK_OK(ddpm_checkpoint_prune(run->directory, 2, 30, NULL, 0));
    CHECK_LEFT(90, 80, 60, 30);
}

static void steps_that_are_asked_for_are_kept(void **state)
{
    fixture *run = *state;
    save_steps(run, 90);
    CHECK_OK(ddpm_checkpoint_prune(run->directory, 2, 0, (const uint64_t[]){ 20, 50, 55 }, 3));
    CHECK_LEFT(90, 80, 50, 20);
}

static void the_best_is_the_one_that_the_newest_tells_of(void **state)
{
    fixture *run = *state;
    char path[512];
    run->progress.best.step = 0;
    save_step(run, 10);
    CHECK_STATUS(ddpm_checkpoint_find_best(path, sizeof path, run->directory), DDPM_ENOINPUT);
    CHECK_MESSAGE("knows of no best");
    save_step(run, 20);
    run->progress.best.step = 20;
    save_step(run, 30);
    CHECK_OK(ddpm_checkpoint_find_best(path, sizeof path, run->directory));
    assert_string_equal(path, path_of_step(run, 20).text);
    run->progress.best.step = 10; /* of a file: what it tells of */
    const fixture_path other = save_step(run, 25);
    CHECK_OK(ddpm_checkpoint_find_best(path, sizeof path, other.text));
    assert_string_equal(path, path_of_step(run, 10).text);
    spoil_file(run, 30);
    CHECK_OK(ddpm_checkpoint_find_best(path, sizeof path, run->directory));
    assert_string_equal(path, path_of_step(run, 10).text);
    assert_int_equal(unlink(path), 0);
    CHECK_STATUS(ddpm_checkpoint_find_best(path, sizeof path, run->directory), DDPM_ENOINPUT);
    CHECK_MESSAGE("step-000000010.h5");
    CHECK_STATUS(ddpm_checkpoint_find_best(path, sizeof path, "/nowhere"), DDPM_ENOINPUT);
}

static void two_that_verify_are_always_left(void **state)
{
    fixture *run = *state;
    save_steps(run, 60);
    spoil_file(run, 60);
    spoil_file(run, 50);
    spoil_file(run, 30);
    CHECK_OK(ddpm_checkpoint_prune(run->directory, 2, 0, NULL, 0));
    CHECK_LEFT(60, 50, 40, 20);
}

static void keeping_one_keeps_two(void **state)
{
    fixture *run = *state;
    save_steps(run, 40);
    CHECK_OK(ddpm_checkpoint_prune(run->directory, 1, 0, NULL, 0));
    CHECK_LEFT(40, 30);
}

static void nothing_is_removed_while_fewer_than_two_verify(void **state)
{
    fixture *run = *state;
    save_steps(run, 40);
    spoil_file(run, 40);
    spoil_file(run, 30);
    spoil_file(run, 10);
    CHECK_OK(ddpm_checkpoint_prune(run->directory, 2, 0, NULL, 0));
    CHECK_LEFT(40, 30, 20, 10);
}

static void files_of_other_names_are_never_removed(void **state)
{
    fixture *run = *state;
    save_steps(run, 40);
    make_file(run, "step-000000010.h5.bak");
    make_file(run, "notes.txt");
    CHECK_OK(ddpm_checkpoint_prune(run->directory, 2, 0, NULL, 0));
    char path[512];
    snprintf(path, sizeof path, "%s/notes.txt", run->directory);
    assert_int_equal(access(path, F_OK), 0);
    snprintf(path, sizeof path, "%s/step-000000010.h5.bak", run->directory);
    assert_int_equal(access(path, F_OK), 0);
}

static void leftovers_of_killed_saves_go_when_they_are_old(void **state)
{
    fixture *run = *state;
    save_steps(run, 20);
    make_file(run, ".step-000000015.h5.tmp-123-0");
    make_file(run, ".step-000000016.h5.tmp-123-0");
    make_file(run, ".other.h5.tmp-123-0");
    char path[512];
    for (int i = 0; i < 3; i++) {
        static const char *const names[] = { ".step-000000015.h5.tmp-123-0",
                                             ".step-000000016.h5.tmp-123-0",
                                             ".other.h5.tmp-123-0" };
        const time_t now = time(NULL), then = i == 1 ? now - 60 : now - 7200;
        const struct timespec times[] = { { .tv_sec = then }, { .tv_sec = then } };
        snprintf(path, sizeof path, "%s/%s", run->directory, names[i]);
        assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
        if (i == 2) {
            CHECK_OK(ddpm_checkpoint_prune(run->directory, 3, 0, NULL, 0));
            assert_int_equal(access(path, F_OK), 0);
            unlink(path);
        }
    }
    snprintf(path, sizeof path, "%s/.step-000000015.h5.tmp-123-0", run->directory);
    assert_int_equal(access(path, F_OK), -1);
    snprintf(path, sizeof path, "%s/.step-000000016.h5.tmp-123-0", run->directory);
    assert_int_equal(access(path, F_OK), 0);
    CHECK_LEFT(20, 10);
}

static void a_run_directory_stands_for_its_newest_checkpoint(void **state)
{
    fixture *run = *state;
    char path[512], inside[128], link[128], upper[80];
    save_steps(run, 20);
    CHECK_OK(ddpm_checkpoint_find(path, sizeof path, run->directory));
    assert_string_equal(path, path_of_step(run, 20).text);

    snprintf(upper, sizeof upper, "%s-run", run->directory);
    snprintf(link, sizeof link, "%s/checkpoints", upper);
    snprintf(inside, sizeof inside, "%s/step-000000020.h5", link);
    assert_int_equal(mkdir(upper, 0700), 0);
    assert_int_equal(symlink(run->directory, link), 0);
    CHECK_OK(ddpm_checkpoint_find(path, sizeof path, upper));
    assert_string_equal(path, inside);
    unlink(link);
    rmdir(upper);

    CHECK_OK(ddpm_checkpoint_find(path, sizeof path, "/nowhere/step-000000001.h5"));
    assert_string_equal(path, "/nowhere/step-000000001.h5");
    CHECK_STATUS(ddpm_checkpoint_find(path, 8, run->directory), DDPM_EUSAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_sort_as_steps_do),
        FIXTURE_TEST(only_names_of_checkpoints_are_listed_newest_first),
        FIXTURE_TEST(a_directory_without_checkpoints_has_no_newest),
        FIXTURE_TEST(the_newest_of_another_run_is_passed_over),
        FIXTURE_TEST(a_path_that_does_not_fit_is_not_cut),
        FIXTURE_TEST(the_newest_k_are_kept),
        FIXTURE_TEST(every_mth_is_kept_for_good),
        FIXTURE_TEST(steps_that_are_asked_for_are_kept),
        FIXTURE_TEST(the_best_is_the_one_that_the_newest_tells_of),
        FIXTURE_TEST(two_that_verify_are_always_left),
        FIXTURE_TEST(keeping_one_keeps_two),
        FIXTURE_TEST(nothing_is_removed_while_fewer_than_two_verify),
        FIXTURE_TEST(files_of_other_names_are_never_removed),
        FIXTURE_TEST(leftovers_of_killed_saves_go_when_they_are_old),
        FIXTURE_TEST(a_run_directory_stands_for_its_newest_checkpoint),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
