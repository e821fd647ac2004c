/* What a user is told where HDF5 itself crashes over a file. This program's H5Dread and H5Dwrite
 * stand before the library's, and do what hostile files made the library do. */
#include "ddpm/io/h5.h"

#include "check.h"
#include "scratch.h"

#include <fcntl.h>
#include <hdf5.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static enum { WILD_POINTER, ABORT, DIVIDE, ENDLESS_RECURSION } fault;

static volatile int sink;

static int recurse(volatile char *before)
{
    volatile char here[4096];
    here[0] = *before;
    return sink < 0 ? 0 : recurse(here) + here[0];
}

static void crash(void)
{
    volatile char start = 1;
    switch (fault) {
    case WILD_POINTER: raise(SIGSEGV); break;
    case ABORT: abort();
    case DIVIDE: raise(SIGFPE); break;
    case ENDLESS_RECURSION: sink = recurse(&start); break;
    }
}

herr_t H5Dread(hid_t set, hid_t type, hid_t memory, hid_t file, hid_t list, void *data)
{
    (void)set, (void)type, (void)memory, (void)file, (void)list, (void)data;
    crash();
    return -1;
}

herr_t H5Dwrite(hid_t set, hid_t type, hid_t memory, hid_t file, hid_t list, const void *data)
{
    (void)set, (void)type, (void)memory, (void)file, (void)list, (void)data;
    crash();
    return -1;
}

static void make_file(const char *path)
{
    const hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    const hid_t space = H5Screate_simple(1, (hsize_t[]){ 4 }, NULL);
    const hid_t list = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_alloc_time(list, H5D_ALLOC_TIME_EARLY);
    H5Dclose(H5Dcreate2(file, "/x", H5T_STD_U8LE, space, H5P_DEFAULT, list, H5P_DEFAULT));
    H5Pclose(list);
    H5Sclose(space);
    H5Fclose(file);
}

static void read_file(const char *path)
{
    ddpm_h5 *file;
    uint8_t data[4];
    if (ddpm_h5_open(&file, path) == DDPM_OK &&
        ddpm_h5_read(file, "/x", DDPM_H5_U8, data, 4) == DDPM_OK)
        ddpm_h5_close(file);
}

static void write_file(const char *path)
{
    ddpm_h5 *file;
    const uint8_t data[4] = { 0 };
    if (ddpm_h5_create(&file, path) == DDPM_OK &&
        ddpm_h5_write(file, "/x", DDPM_H5_U8, data, 1, (size_t[]){ 4 }) == DDPM_OK)
        ddpm_h5_close(file);
}

static ddpm_status crash_here(const char *object, const ddpm_h5_info *info, void *context)
{
    (void)object, (void)info, (void)context;
    crash();
    return DDPM_OK;
}

static void visit_file(const char *path)
{
    ddpm_h5 *file;
    if (ddpm_h5_open(&file, path) == DDPM_OK &&
        ddpm_h5_each(file, "/", crash_here, NULL) == DDPM_OK)
        ddpm_h5_close(file);
}

static void close_and_crash(const char *path)
{
    ddpm_h5 *file;
    if (ddpm_h5_open(&file, path) == DDPM_OK) ddpm_h5_close(file);
    crash();
}

/* How a child process ended that did this, and what it said. */
static int end_of(void (*work)(const char *), const char *path, char said[512])
{
    int how, ends[2];
    assert_int_equal(pipe(ends), 0);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
        static const int signals[] = { SIGSEGV, SIGABRT, SIGFPE }; /* cmocka has handlers too */
        for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) signal(signals[i], SIG_DFL);
        dup2(ends[1], STDERR_FILENO);
        work(path);
        _exit(0);
    }
    close(ends[1]);
    const ssize_t count = read(ends[0], said, 511);
    said[count > 0 ? count : 0] = '\0';
    close(ends[0]);
    assert_int_equal(waitpid(child, &how, 0), child);
    return how;
}

/* The sanitizers have handlers of their own. */
static bool is_sanitized(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return true;
#else
    return false;
#endif
}

static void a_crash_over_a_file_is_bad_data_and_names_it(void **state)
{
    (void)state;
    if (is_sanitized()) skip();
    char said[512];
    const char *path = scratch_path("hostile.h5");
    make_file(path);
    for (fault = WILD_POINTER; fault <= ENDLESS_RECURSION; fault++) {
        const int how = end_of(read_file, path, said);
        assert_true(WIFEXITED(how));
        assert_int_equal(WEXITSTATUS(how), DDPM_EDATA);
        assert_non_null(strstr(said, path));
        assert_non_null(strstr(said, "HDF5 crashed"));
    }
}

static void any_other_crash_stays_one(void **state)
{
    (void)state;
    if (is_sanitized()) skip();
    char said[512];
    const char *path = scratch_path("fine.h5"), *new = scratch_path("new.h5");
    make_file(path);
    static const int signals[] = { SIGSEGV, SIGABRT, SIGFPE };
    for (fault = WILD_POINTER; fault <= DIVIDE; fault++) {
        const struct {
            void (*work)(const char *);
            const char *path;
        } cases[] = { { close_and_crash, path }, { visit_file, path }, { write_file, new } };
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            const int how = end_of(cases[i].work, cases[i].path, said);
            assert_true(WIFSIGNALED(how));
            assert_int_equal(WTERMSIG(how), signals[fault]);
            assert_string_equal(said, "");
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_crash_over_a_file_is_bad_data_and_names_it),
        cmocka_unit_test(any_other_crash_stays_one),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
