#include "ddpm/io/sealed_file.h"

#include "check.h"
#include "ddpm/io/h5.h"
#include "scratch.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void make_image(void **image, size_t *bytes)
{
    ddpm_h5 *file;
    const float x[3] = { 1.0f, 2.0f, 3.0f };
    CHECK_OK(ddpm_h5_create_image(&file, "test"));
    CHECK_OK(ddpm_h5_write(file, "/group/x", DDPM_H5_F32, x, 1, (size_t[]){ 3 }));
    CHECK_OK(ddpm_h5_image(file, image, bytes));
    ddpm_h5_close(file);
}

static const char *make_sealed(const char *name)
{
    void *image;
    size_t bytes;
    make_image(&image, &bytes);
    const char *path = scratch_path("%s", name);
    CHECK_OK(ddpm_sealed_write(path, image, bytes));
    free(image);
    return path;
}

static void what_is_sealed_is_read_back(void **state)
{
    (void)state;
    void *image, *read;
    size_t bytes, read_bytes;
    make_image(&image, &bytes);
    const char *path = scratch_path("whole.h5");
    CHECK_OK(ddpm_sealed_write(path, image, bytes));
    CHECK_OK(ddpm_sealed_read(&read, &read_bytes, path, UINT64_MAX));
    assert_int_equal(read_bytes, bytes);
    assert_memory_equal((char *)read + DDPM_SEAL_BYTES, (char *)image + DDPM_SEAL_BYTES,
                        bytes - DDPM_SEAL_BYTES);
    unsigned char expected[DDPM_SHA256_BYTES], found[DDPM_SHA256_BYTES], said[DDPM_SHA256_BYTES];
    ddpm_sha256_of(expected, (char *)image + DDPM_SEAL_BYTES, bytes - DDPM_SEAL_BYTES);
    CHECK_OK(ddpm_sealed_verify(path, found));
    ddpm_sealed_digest(said, read);
    assert_memory_equal(found, expected, sizeof found);
    assert_memory_equal(said, expected, sizeof said);
    assert_true(ddpm_sealed_is(path));
    free(read);
    free(image);
}

static void a_sealed_file_is_an_hdf5_file(void **state)
{
    (void)state;
    ddpm_h5 *file;
    float x[3];
    CHECK_OK(ddpm_h5_open(&file, make_sealed("plain.h5")));
    CHECK_OK(ddpm_h5_read(file, "/group/x", DDPM_H5_F32, x, 3));
    assert_true(x[0] == 1.0f && x[2] == 3.0f);
    ddpm_h5_close(file);
}

static void every_flipped_bit_is_found(void **state)
{
    (void)state;
    const char *path = make_sealed("bits.h5");
    size_t bytes;
    unsigned char *content = scratch_read(path, &bytes);
    const int fd = open(path, O_WRONLY);
    assert_true(fd >= 0);
    for (size_t bit = 0; bit < 8 * bytes; bit++) {
        const unsigned char flipped = content[bit / 8] ^ (unsigned char)(1U << bit % 8);
        assert_int_equal(pwrite(fd, &flipped, 1, (off_t)(bit / 8)), 1);
        CHECK_STATUS(ddpm_sealed_verify(path, NULL), DDPM_EDATA);
        if (bit % 97 == 0) {
            void *image;
            size_t read;
            CHECK_STATUS(ddpm_sealed_read(&image, &read, path, UINT64_MAX), DDPM_EDATA);
        }
        assert_int_equal(pwrite(fd, &content[bit / 8], 1, (off_t)(bit / 8)), 1);
    }
    close(fd);
    CHECK_OK(ddpm_sealed_verify(path, NULL));
    free(content);
}

static void every_truncation_and_extension_is_found(void **state)
{
    (void)state;
    const char *path = make_sealed("cut.h5");
    size_t bytes;
    unsigned char *content = scratch_read(path, &bytes);
    for (size_t left = bytes; left-- > 0;) {
        assert_int_equal(truncate(path, (off_t)left), 0);
        CHECK_STATUS(ddpm_sealed_verify(path, NULL), DDPM_EDATA);
    }
    scratch_write(path, content, bytes + 1);
    CHECK_STATUS(ddpm_sealed_verify(path, NULL), DDPM_EDATA);
    CHECK_MESSAGE("1 bytes follow its end");
    free(content);
}

static void a_newer_version_is_refused_as_such(void **state)
{
    (void)state;
    const char *path = make_sealed("newer.h5");
    size_t bytes;
    unsigned char *content = scratch_read(path, &bytes);
    content[8] = DDPM_SEAL_VERSION + 1;
    ddpm_sha256_of(content + 480, content, 480);
    scratch_write(path, content, bytes);
    CHECK_STATUS(ddpm_sealed_verify(path, NULL), DDPM_EDATA);
    CHECK_MESSAGE("use a newer release");
    free(content);
}

static void a_claimed_length_is_not_believed(void **state)
{
    (void)state;
    const char *path = make_sealed("claim.h5");
    size_t bytes;
    unsigned char *content = scratch_read(path, &bytes);
    memset(content + 16, 0x7f, 8);
    ddpm_sha256_of(content + 480, content, 480);
    scratch_write(path, content, bytes);
    void *image;
    CHECK_STATUS(ddpm_sealed_read(&image, &bytes, path, UINT64_MAX), DDPM_EDATA);
    CHECK_MESSAGE("truncated");
    free(content);
}

static void a_file_above_the_limit_is_refused(void **state)
{
    (void)state;
    void *image;
    size_t bytes;
    CHECK_STATUS(ddpm_sealed_read(&image, &bytes, make_sealed("large.h5"), 600), DDPM_EDATA);
    CHECK_MESSAGE("allowed");
}

static void what_is_no_file_is_no_input(void **state)
{
    (void)state;
    CHECK_STATUS(ddpm_sealed_verify(scratch_path("absent.h5"), NULL), DDPM_ENOINPUT);
    CHECK_STATUS(ddpm_sealed_verify(scratch_path("%s", ""), NULL), DDPM_ENOINPUT);
    CHECK_MESSAGE("a directory");
    const char *pipe = scratch_path("pipe");
    assert_int_equal(mkfifo(pipe, 0600), 0);
    CHECK_STATUS(ddpm_sealed_verify(pipe, NULL), DDPM_ENOINPUT);
    unlink(pipe);
}

static void another_kind_of_file_is_not_sealed(void **state)
{
    (void)state;
    const char *path = scratch_path("text");
    char text[600];
    memset(text, 'a', sizeof text);
    scratch_write(path, text, sizeof text);
    CHECK_STATUS(ddpm_sealed_verify(path, NULL), DDPM_EDATA);
    CHECK_MESSAGE("not a sealed file");
    assert_false(ddpm_sealed_is(path));
    assert_false(ddpm_sealed_is(scratch_path("absent.h5")));
    assert_false(ddpm_sealed_is(scratch_path(".")));
}

static void publishing_replaces_whole_files_and_leaves_nothing_else(void **state)
{
    (void)state;
    const char *path = scratch_path("published");
    CHECK_OK(ddpm_publish_file(path, "first", 5));
    const size_t files = scratch_count();
    CHECK_OK(ddpm_publish_file(path, "second", 6));
    assert_int_equal(scratch_count(), files);
    char *text;
    size_t bytes;
    CHECK_OK(ddpm_read_file(&text, &bytes, path, 100));
    assert_string_equal(text, "second");
    assert_int_equal(bytes, 6);
    free(text);
    CHECK_STATUS(ddpm_read_file(&text, &bytes, path, 5), DDPM_EDATA);
}

static void a_published_file_has_the_mode_of_the_umask(void **state)
{
    (void)state;
    const mode_t before = umask(027);
    const char *path = scratch_path("mode");
    CHECK_OK(ddpm_publish_file(path, "x", 1));
    umask(before);
    struct stat about;
    assert_int_equal(stat(path, &about), 0);
    assert_int_equal(about.st_mode & 0777, 0640);
}

static void files_left_by_a_killed_process_do_not_stand_in_the_way(void **state)
{
    (void)state;
    const char *left = scratch_path(".busy.tmp-%ld-0", (long)getpid());
    scratch_write(left, "old", 3);
    CHECK_OK(ddpm_publish_file(scratch_path("busy"), "x", 1));
    assert_true(scratch_exists(left));
    unlink(left);
}

static void an_impossible_path_cannot_be_created(void **state)
{
    (void)state;
    CHECK_STATUS(ddpm_publish_file(scratch_path("no/such/file"), "x", 1), DDPM_ECREATE);
    CHECK_MESSAGE("create the directory first");
    CHECK_STATUS(ddpm_publish_file(scratch_path("%s", ""), "x", 1), DDPM_ECREATE);
    assert_int_equal(mkdir(scratch_path("dir"), 0777), 0);
    CHECK_STATUS(ddpm_publish_file(scratch_path("dir"), "x", 1), DDPM_ECREATE);
    CHECK_MESSAGE("directory of that name");
}

/* A limit on the size of files stands for a full disk: the write fails midway. */
static int publish_under_a_limit(const char *path)
{
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){ 100, 100 });
    char data[1000] = { 0 };
    return (int)ddpm_publish_file(path, data, sizeof data);
}

static void a_write_that_fails_midway_leaves_the_old_file(void **state)
{
    (void)state;
    const char *path = scratch_path("full");
    CHECK_OK(ddpm_publish_file(path, "old", 3));
    const size_t files = scratch_count();
    const pid_t child = fork();
    if (child == 0) _exit(publish_under_a_limit(path));
    int result;
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_true(WIFEXITED(result));
    assert_int_equal(WEXITSTATUS(result), DDPM_EIO);
    assert_int_equal(scratch_count(), files);
    char *text;
    CHECK_OK(ddpm_read_file(&text, NULL, path, 100));
    assert_string_equal(text, "old");
    free(text);
}

static void directories_are_made_with_all_above_them(void **state)
{
    (void)state;
    const char *path = scratch_path("a/b//c/");
    CHECK_OK(ddpm_make_directory(path));
    CHECK_OK(ddpm_make_directory(path));
    CHECK_OK(ddpm_publish_file(scratch_path("a/b/c/file"), "x", 1));
    CHECK_STATUS(ddpm_make_directory(scratch_path("a/b/c/file/d")), DDPM_ECREATE);
    CHECK_MESSAGE("not a directory");
    CHECK_OK(ddpm_make_directory("."));
    CHECK_OK(ddpm_make_directory("/"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_sealed_is_read_back),
        cmocka_unit_test(a_sealed_file_is_an_hdf5_file),
        cmocka_unit_test(every_flipped_bit_is_found),
        cmocka_unit_test(every_truncation_and_extension_is_found),
        cmocka_unit_test(a_newer_version_is_refused_as_such),
        cmocka_unit_test(a_claimed_length_is_not_believed),
        cmocka_unit_test(a_file_above_the_limit_is_refused),
        cmocka_unit_test(what_is_no_file_is_no_input),
        cmocka_unit_test(another_kind_of_file_is_not_sealed),
        cmocka_unit_test(publishing_replaces_whole_files_and_leaves_nothing_else),
        cmocka_unit_test(a_published_file_has_the_mode_of_the_umask),
        cmocka_unit_test(files_left_by_a_killed_process_do_not_stand_in_the_way),
        cmocka_unit_test(an_impossible_path_cannot_be_created),
        cmocka_unit_test(a_write_that_fails_midway_leaves_the_old_file),
        cmocka_unit_test(directories_are_made_with_all_above_them),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
