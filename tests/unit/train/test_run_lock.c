/* Who may work in a run directory, with flock and without. */
#include "run_lock.h"

#include "ddpm/base/log.h"
#include "ddpm/io/sealed_file.h"
#include "scratch_dir.h"

#include <signal.h>
#include <sys/wait.h>
#include <time.h>

static const ddpm_lock_ways fast = { .beat_ms = 20, .stale_ms = 400 },
                            without_flock = { .beat_ms = 20, .stale_ms = 400, .no_flock = true };

static void sleep_ms(long ms)
{
    nanosleep(&(struct timespec){ .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 }, NULL);
}

static void put_lock(const char *directory, const char *text)
{
    char path[256];
    snprintf(path, sizeof path, "%s/lock", directory);
    CHECK_OK(ddpm_publish_file(path, text, strlen(text)));
}

/* A holder on another machine: its kernel is not this one. */
static void put_stranger(const char *directory, const char *nonce, unsigned beat)
{
    char text[256];
    snprintf(text, sizeof text,
             "host elsewhere, pid 7, since then\nboot 00000000-0000-0000-0000-000000000000 pids "
             "pid:[1] pid 7 begun 1 beat %s %020u\n",
             nonce, beat);
    put_lock(directory, text);
}

/* A process that takes the lock and holds it until it is killed. */
static pid_t hold_in_child(const char *directory, const ddpm_lock_ways *ways)
{
    int ready[2];
    assert_int_equal(pipe(ready), 0);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        ddpm_run_lock *lock;
        const char ok = ddpm_train__lock_in(&lock, directory, ways) == DDPM_OK;
        if (write(ready[1], &ok, 1) != 1) _exit(1);
        for (;;) pause();
    }
    char ok = 0;
    assert_int_equal(read(ready[0], &ok, 1), 1);
    assert_int_equal(ok, 1);
    close(ready[0]);
    close(ready[1]);
    return child;
}

static void kill_child(pid_t child)
{
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
}

static void a_lock_without_flock_keeps_others_out(void **state)
{
    ddpm_run_lock *mine, *other;
    CHECK_OK(ddpm_train__lock_in(&mine, *state, &without_flock));
    CHECK_STATUS(ddpm_train__lock_in(&other, *state, &without_flock), DDPM_EAGAIN);
    char pid[32];
    snprintf(pid, sizeof pid, "pid %ld", (long)getpid());
    CHECK_MESSAGE(pid);
    CHECK_OK(ddpm_train__lock_check(mine));
    ddpm_train__unlock(mine);
    CHECK_OK(ddpm_train__lock_in(&other, *state, &without_flock));
    ddpm_train__unlock(other);
}

static void a_killed_holder_without_flock_leaves_a_stale_lock(void **state)
{
    const ddpm_lock_ways patient = { .beat_ms = 20, .stale_ms = 60000, .no_flock = true };
    const pid_t child = hold_in_child(*state, &without_flock);
    kill_child(child);
    ddpm_run_lock *mine; /* its process is known to be gone: nobody waits a minute */
    CHECK_OK(ddpm_train__lock_in(&mine, *state, &patient));
    ddpm_train__unlock(mine);
}

static void a_holder_elsewhere_whose_heart_stands_still_is_dead(void **state)
{
    ddpm_run_lock *mine;
    put_stranger(*state, "00000000000000aa", 5);
    CHECK_OK(ddpm_train__lock_in(&mine, *state, &fast));
    CHECK_OK(ddpm_train__lock_check(mine));
    ddpm_train__unlock(mine);
}

/* As on a file system whose flock does not reach the other machine. */
static void a_holder_elsewhere_whose_heart_beats_is_respected(void **state)
{
    put_stranger(*state, "00000000000000aa", 5);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        for (unsigned beat = 6;; beat++) {
            sleep_ms(20);
            put_stranger(*state, "00000000000000aa", beat);
        }
    ddpm_run_lock *mine;
    const ddpm_status status = ddpm_train__lock_in(&mine, *state, &fast);
    kill_child(child);
    CHECK_STATUS(status, DDPM_EAGAIN);
    CHECK_MESSAGE("elsewhere");
}

static void who_was_taken_for_dead_learns_that_the_lock_is_lost(void **state)
{
    ddpm_run_lock *mine;
    CHECK_OK(ddpm_train__lock_in(&mine, *state, &without_flock));
    put_stranger(*state, "00000000000000bb", 0);
    ddpm_status status = DDPM_OK;
    for (int i = 0; i < 200 && status == DDPM_OK; i++) {
        sleep_ms(10);
        status = ddpm_train__lock_check(mine);
    }
    CHECK_STATUS(status, DDPM_EAGAIN);
    CHECK_MESSAGE("taken for dead");
    CHECK_MESSAGE("elsewhere");
    ddpm_train__unlock(mine);
    char path[256], *text; /* it is the other's, and stays */
    snprintf(path, sizeof path, "%s/lock", (const char *)*state);
    CHECK_OK(ddpm_read_file(&text, NULL, path, 4096));
    assert_non_null(strstr(text, "elsewhere"));
    free(text);
}

/* Of those that start when the gate closes; who has the lock keeps it until the door closes. */
static void take_and_tell(const char *directory, const ddpm_lock_ways *ways, const int gate[2],
                          const int door[2], int verdicts)
{
    ddpm_run_lock *lock;
    char byte;
    close(gate[1]);
    close(door[1]);
    if (read(gate[0], &byte, 1) != 0) _exit(3);
    bool mine = ddpm_train__lock_in(&lock, directory, ways) == DDPM_OK;
    if (mine) { /* and still, once all others have made up their minds? */
        if (write(verdicts, "w", 1) != 1 || read(door[0], &byte, 1) != 0) _exit(3);
        mine = ddpm_train__lock_check(lock) == DDPM_OK;
    } else if (write(verdicts, "l", 1) != 1)
        _exit(3);
    _exit(mine ? 0 : 1);
}

static void of_many_that_start_at_once_one_gets_the_lock(void **state)
{
    enum { STARTERS = 6, ROUNDS = 5 };
    for (int round = 0; round < ROUNDS; round++)
        for (int kind = 0; kind < 2; kind++) {
            pid_t child[STARTERS];
            int gate[2], door[2], verdicts[2];
            char verdict;
            assert_int_equal(pipe(gate), 0);
            assert_int_equal(pipe(door), 0);
            assert_int_equal(pipe(verdicts), 0);
            for (int i = 0; i < STARTERS; i++) {
                child[i] = fork();
                assert_true(child[i] >= 0);
                if (child[i] == 0)
                    take_and_tell(*state, kind ? &without_flock : &fast, gate, door, verdicts[1]);
            }
            close(gate[0]);
            close(gate[1]);
            close(verdicts[1]);
            for (int i = 0; i < STARTERS; i++) assert_int_equal(read(verdicts[0], &verdict, 1), 1);
            close(door[0]);
            close(door[1]);
            close(verdicts[0]);
            int winners = 0, code;
            for (int i = 0; i < STARTERS; i++) {
                assert_int_equal(waitpid(child[i], &code, 0), child[i]);
                assert_true(WIFEXITED(code));
                winners += WEXITSTATUS(code) == 0;
            }
            assert_int_equal(winners, 1);
        }
}

/* Without flock two may both have found no holder: who wrote last has the lock. */
static void who_is_written_over_while_taking_the_lock_does_not_get_it(void **state)
{
    const ddpm_lock_ways slow = { .beat_ms = 200, .stale_ms = 800, .no_flock = true };
    char path[256], *text = NULL;
    snprintf(path, sizeof path, "%s/lock", (const char *)*state);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        ddpm_run_lock *lock;
        _exit(ddpm_train__lock_in(&lock, *state, &slow) == DDPM_EAGAIN ? 0 : 1);
    }
    size_t bytes = 0;
    for (int i = 0; i < 2000 && bytes == 0; i++) {
        sleep_ms(1);
        if (access(path, F_OK) == 0) CHECK_OK(ddpm_read_file(&text, &bytes, path, 4096));
        free(text);
        text = NULL;
    }
    put_stranger(*state, "00000000000000cc", 0);
    int code;
    assert_int_equal(waitpid(child, &code, 0), child);
    assert_true(WIFEXITED(code));
    assert_int_equal(WEXITSTATUS(code), 0);
}

static void a_lock_of_an_older_version_is_respected_while_it_is_held(void **state)
{
    ddpm_run_lock *mine;
    put_lock(*state, "host old, pid 1, since then\n");
    CHECK_OK(ddpm_train__lock_in(&mine, *state, &fast)); /* flock says that nobody holds it */
    ddpm_train__unlock(mine);
}

int main(void)
{
    ddpm_log_init("test", DDPM_LOG_ERROR);
    static const struct CMUnitTest tests[] = {
        scratch_dir_test(a_lock_without_flock_keeps_others_out),
        scratch_dir_test(a_killed_holder_without_flock_leaves_a_stale_lock),
        scratch_dir_test(a_holder_elsewhere_whose_heart_stands_still_is_dead),
        scratch_dir_test(a_holder_elsewhere_whose_heart_beats_is_respected),
        scratch_dir_test(who_was_taken_for_dead_learns_that_the_lock_is_lost),
        scratch_dir_test(of_many_that_start_at_once_one_gets_the_lock),
        scratch_dir_test(who_is_written_over_while_taking_the_lock_does_not_get_it),
        scratch_dir_test(a_lock_of_an_older_version_is_respected_while_it_is_held),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
