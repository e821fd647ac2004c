#include "ddpm/base/log.h"
#include "ddpm/io/sealed_file.h"
#include "run_dir.h"
#include "run_lock.h"
#include "scratch_dir.h"

#include <dirent.h>
#include <jansson.h>
#include <sys/wait.h>

static void run_path(char path[256], void *const *state)
{
    snprintf(path, 256, "%s/runs/one", (const char *)*state);
}

static void a_new_directory_begins_a_run(void **state)
{
    char path[256], checkpoint[DDPM_RUN_PATH];
    run_path(path, state);
    ddpm_run_dir dir;
    CHECK_OK(ddpm_train__run_dir_open(&dir, checkpoint, sizeof checkpoint, path, DDPM_START_AUTO));
    assert_string_equal(checkpoint, "");
    assert_int_equal(strlen(dir.run_id), 32);
    assert_int_equal(access(dir.checkpoints, F_OK), 0);
    assert_int_equal(access(dir.samples, F_OK), 0);
    ddpm_train__run_dir_close(&dir);
}

static void a_run_keeps_its_identity_in_config_ini(void **state)
{
    char path[256], checkpoint[DDPM_RUN_PATH], id[40];
    run_path(path, state);
    ddpm_run_dir dir;
    ddpm_config config, again;
    ddpm_config_init(&config);
    config.train.batch = 24;
    CHECK_OK(ddpm_train__run_dir_open(&dir, checkpoint, sizeof checkpoint, path, DDPM_START_AUTO));
    CHECK_OK(ddpm_train__run_dir_write_config(&dir, &config));
    memcpy(id, dir.run_id, sizeof id);
    ddpm_config_init(&again);
    CHECK_OK(ddpm_config_read(&again, dir.config));
    assert_int_equal(again.train.batch, 24);
    char *text;
    CHECK_OK(ddpm_read_file(&text, NULL, dir.config, 1 << 20));
    assert_non_null(strstr(text, id));
    free(text);
    ddpm_train__run_dir_close(&dir);
}

static void the_second_job_in_a_directory_is_told_who_has_it(void **state)
{
    char path[256], checkpoint[DDPM_RUN_PATH], pid[32];
    run_path(path, state);
    ddpm_run_dir first, second;
    CHECK_OK(
        ddpm_train__run_dir_open(&first, checkpoint, sizeof checkpoint, path, DDPM_START_AUTO));
    CHECK_STATUS(
        ddpm_train__run_dir_open(&second, checkpoint, sizeof checkpoint, path, DDPM_START_AUTO),
        DDPM_EAGAIN);
    snprintf(pid, sizeof pid, "pid %ld", (long)getpid());
    CHECK_MESSAGE(pid);
    CHECK_STATUS(
        ddpm_train__run_dir_open(&second, checkpoint, sizeof checkpoint, path, DDPM_START_FRESH),
        DDPM_EAGAIN);
    ddpm_train__run_dir_close(&first);
    CHECK_OK(
        ddpm_train__run_dir_open(&second, checkpoint, sizeof checkpoint, path, DDPM_START_AUTO));
    ddpm_train__run_dir_close(&second);
}

static void a_lock_goes_with_the_process_that_held_it(void **state)
{
    ddpm_run_lock *lock;
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) _exit(ddpm_train__lock(&lock, *state) == DDPM_OK ? 0 : 1);
    int result;
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_int_equal(result, 0);
    CHECK_OK(ddpm_train__lock(&lock, *state));
    ddpm_train__unlock(lock);
}

static void resuming_needs_a_run_and_a_checkpoint(void **state)
{
    char path[256], checkpoint[DDPM_RUN_PATH];
    run_path(path, state);
    ddpm_run_dir dir;
    CHECK_STATUS(
        ddpm_train__run_dir_open(&dir, checkpoint, sizeof checkpoint, path, DDPM_START_RESUME),
        DDPM_ENOINPUT);
    CHECK_OK(ddpm_train__run_dir_open(&dir, checkpoint, sizeof checkpoint, path, DDPM_START_AUTO));
    ddpm_train__run_dir_close(&dir);
    CHECK_STATUS(
        ddpm_train__run_dir_open(&dir, checkpoint, sizeof checkpoint, path, DDPM_START_RESUME),
        DDPM_ENOINPUT);
    CHECK_MESSAGE("--resume");
}

static void a_damaged_checkpoint_alone_is_an_error_and_not_a_new_run(void **state)
{
    char path[256], checkpoint[DDPM_RUN_PATH], file[DDPM_RUN_PATH + 64], name[64];
    run_path(path, state);
    ddpm_run_dir dir;
    CHECK_OK(ddpm_train__run_dir_open(&dir, checkpoint, sizeof checkpoint, path, DDPM_START_AUTO));
    ddpm_train__run_dir_close(&dir);
    ddpm_checkpoint_file_name(name, sizeof name, 5);
    snprintf(file, sizeof file, "%s/%s", dir.checkpoints, name);
    CHECK_OK(ddpm_publish_file(file, "rubbish", 7));
    CHECK_STATUS(
        ddpm_train__run_dir_open(&dir, checkpoint, sizeof checkpoint, path, DDPM_START_AUTO),
        DDPM_EDATA);
    CHECK_MESSAGE("--fresh");
}

static void fresh_sets_the_old_run_aside_whole(void **state)
{
    char path[256], checkpoint[DDPM_RUN_PATH], parent[256];
    run_path(path, state);
    ddpm_run_dir dir;
    ddpm_config config;
    ddpm_config_init(&config);
    CHECK_OK(ddpm_train__run_dir_open(&dir, checkpoint, sizeof checkpoint, path, DDPM_START_AUTO));
    CHECK_OK(ddpm_train__run_dir_write_config(&dir, &config));
    ddpm_train__run_dir_close(&dir);
    CHECK_OK(ddpm_train__run_dir_open(&dir, checkpoint, sizeof checkpoint, path, DDPM_START_FRESH));
    assert_int_not_equal(access(dir.config, F_OK), 0);
    CHECK_OK(ddpm_train__run_dir_write_config(&dir, &config));
    ddpm_train__run_dir_close(&dir);
    /* once more, in the same second */
    CHECK_OK(ddpm_train__run_dir_open(&dir, checkpoint, sizeof checkpoint, path, DDPM_START_FRESH));
    ddpm_train__run_dir_close(&dir);

    snprintf(parent, sizeof parent, "%s/runs", (const char *)*state);
    DIR *list = opendir(parent);
    assert_non_null(list);
    int old = 0;
    for (const struct dirent *entry; (entry = readdir(list));)
        if (strncmp(entry->d_name, "one.old-", 8) == 0) {
            char config_ini[1024];
            snprintf(config_ini, sizeof config_ini, "%s/%s/config.ini", parent, entry->d_name);
            assert_int_equal(access(config_ini, F_OK), 0);
            old++;
        }
    closedir(list);
    assert_int_equal(old, 2);
}

static void done_says_what_came_out(void **state)
{
    char path[256], checkpoint[DDPM_RUN_PATH];
    run_path(path, state);
    ddpm_run_dir dir;
    CHECK_OK(ddpm_train__run_dir_open(&dir, checkpoint, sizeof checkpoint, path, DDPM_START_AUTO));
    const ddpm_progress progress = { .step = 70, .images_seen = 560, .loss = 0.25 };
    CHECK_OK(ddpm_train__run_dir_write_done(&dir, &progress, "steps", "somewhere.h5"));
    json_t *json = json_load_file(dir.done, 0, NULL);
    assert_non_null(json);
    assert_int_equal(json_integer_value(json_object_get(json, "step")), 70);
    assert_string_equal(json_string_value(json_object_get(json, "checkpoint")), "somewhere.h5");
    assert_true(json_real_value(json_object_get(json, "loss")) == 0.25);
    json_decref(json);
    ddpm_train__run_dir_remove_done(&dir);
    assert_int_not_equal(access(dir.done, F_OK), 0);
    ddpm_train__run_dir_close(&dir);
}

static void a_directory_that_cannot_be_made_is_named(void **state)
{
    (void)state;
    char checkpoint[DDPM_RUN_PATH];
    ddpm_run_dir dir;
    CHECK_STATUS(ddpm_train__run_dir_open(&dir, checkpoint, sizeof checkpoint, "/proc/no/run",
                                          DDPM_START_AUTO),
                 DDPM_ECREATE);
    CHECK_MESSAGE("/proc/no");
}

int main(void)
{
    ddpm_log_init("test", DDPM_LOG_ERROR);
    static const struct CMUnitTest tests[] = {
        scratch_dir_test(a_new_directory_begins_a_run),
        scratch_dir_test(a_run_keeps_its_identity_in_config_ini),
        scratch_dir_test(the_second_job_in_a_directory_is_told_who_has_it),
        scratch_dir_test(a_lock_goes_with_the_process_that_held_it),
        scratch_dir_test(resuming_needs_a_run_and_a_checkpoint),
        scratch_dir_test(a_damaged_checkpoint_alone_is_an_error_and_not_a_new_run),
        scratch_dir_test(fresh_sets_the_old_run_aside_whole),
        scratch_dir_test(done_says_what_came_out),
        cmocka_unit_test(a_directory_that_cannot_be_made_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
