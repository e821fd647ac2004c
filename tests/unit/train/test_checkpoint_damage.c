/* Damage is always found, and the newest file that has none is the one that is used. */
#include "checkpoint_fixture.h"

#include <fcntl.h>

enum { FLIPS = 1500, CUTS = 300 };

static int open_for_damage(size_t *count, const char *path)
{
    const int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    *count = (size_t)lseek(fd, 0, SEEK_END);
    assert_true(*count > DDPM_SEAL_BYTES);
    return fd;
}

static void flip(int fd, size_t at, unsigned bit)
{
    unsigned char byte;
    assert_int_equal(pread(fd, &byte, 1, (off_t)at), 1);
    byte ^= (unsigned char)(1u << bit);
    assert_int_equal(pwrite(fd, &byte, 1, (off_t)at), 1);
}

static void every_flipped_bit_is_found(void **state)
{
    fixture *run = *state;
    const fixture_path path = save_step(run, 1);
    size_t count;
    const int fd = open_for_damage(&count, path.text);
    const size_t payload = count - DDPM_SEAL_BYTES;
    for (size_t i = 0; i < DDPM_SEAL_BYTES + FLIPS; i++) {
        /* Every byte of the header, and then places all over the file. */
        const size_t k = i - DDPM_SEAL_BYTES;
        const size_t at = i < DDPM_SEAL_BYTES ? i : DDPM_SEAL_BYTES + k * payload / FLIPS;
        flip(fd, at, i % 8);
        check_refused(path.text);
        flip(fd, at, i % 8);
    }
    close(fd);
    ddpm_checkpoint_close(open_checkpoint(path.text));
}

static void every_truncation_is_found(void **state)
{
    fixture *run = *state;
    const fixture_path path = save_step(run, 1);
    size_t count;
    const int fd = open_for_damage(&count, path.text);
    for (size_t i = 1; i <= CUTS; i++) {
        /* Single bytes at the end, then ever shorter down to nothing. */
        const size_t length = i <= CUTS / 2 ? count - i : (CUTS - i) * (count - CUTS) * 2 / CUTS;
        assert_int_equal(ftruncate(fd, (off_t)length), 0);
        check_refused(path.text);
    }
    close(fd);
}

static void bytes_after_the_end_are_found(void **state)
{
    fixture *run = *state;
    const fixture_path path = save_step(run, 1);
    size_t count;
    unsigned char *bytes = read_bytes(&count, path.text);
    unsigned char *longer = calloc(1, count + 512);
    assert_non_null(longer);
    memcpy(longer, bytes, count);
    for (size_t more = 1; more <= 512; more *= 8) {
        write_bytes(path.text, longer, count + more);
        check_refused(path.text);
    }
    free(longer);
    free(bytes);
}

static void a_zeroed_page_is_found(void **state)
{
    fixture *run = *state;
    const fixture_path path = save_step(run, 1);
    size_t count;
    unsigned char *bytes = read_bytes(&count, path.text), page[512];
    for (size_t at = 0; at + sizeof page <= count; at += sizeof page) {
        memcpy(page, bytes + at, sizeof page);
        memset(bytes + at, 0, sizeof page);
        const bool changed = memcmp(page, bytes + at, sizeof page) != 0;
        write_bytes(path.text, bytes, count);
        if (changed) check_refused(path.text);
        memcpy(bytes + at, page, sizeof page);
    }
    free(bytes);
}

static void files_that_never_were_checkpoints_are_refused(void **state)
{
    static const char *const contents[] = { "", "x", "step = 12\n", "\x89HDF\r\n\x1a\n" };
    const fixture *run = *state;
    const fixture_path path = path_of_step(run, 1);
    for (size_t i = 0; i < sizeof contents / sizeof *contents; i++) {
        write_bytes(path.text, contents[i], strlen(contents[i]));
        check_refused(path.text);
        CHECK_MESSAGE(path.text);
    }
    unlink(path.text);
    ddpm_checkpoint *checkpoint = NULL;
    CHECK_STATUS(ddpm_checkpoint_open(&checkpoint, path.text), DDPM_ENOINPUT);
}

/* One kind of damage a file, so that all are met. */
static void damage(const char *path, size_t kind)
{
    size_t count;
    unsigned char *bytes = read_bytes(&count, path);
    switch (kind % 3) {
    case 0: bytes[count / 2] ^= 16; break;
    case 1: count -= 100; break;
    default: memset(bytes, 0, DDPM_SEAL_BYTES); break;
    }
    write_bytes(path, bytes, count);
    free(bytes);
}

static void the_newest_survivor_of_any_damage_is_used(void **state)
{
    enum { FILES = 3 };
    fixture *run = *state;
    for (unsigned damaged = 0; damaged < 1u << FILES; damaged++) {
        uint64_t survivor = 0;
        for (size_t i = 0; i < FILES; i++) {
            const uint64_t step = 100 * (i + 1);
            const fixture_path path = save_step(run, step);
            if (damaged & 1u << i)
                damage(path.text, i + damaged);
            else
                survivor = step;
        }
        char path[512];
        const ddpm_status status = ddpm_checkpoint_newest(path, sizeof path, run->directory,
                                                          run->progress.run_id);
        if (survivor == 0) {
            CHECK_STATUS(status, DDPM_EDATA);
            CHECK_MESSAGE("none of its 3 checkpoints");
        } else {
            CHECK_OK(status);
            assert_string_equal(path, path_of_step(run, survivor).text);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(every_flipped_bit_is_found),
        FIXTURE_TEST(every_truncation_is_found),
        FIXTURE_TEST(bytes_after_the_end_are_found),
        FIXTURE_TEST(a_zeroed_page_is_found),
        FIXTURE_TEST(files_that_never_were_checkpoints_are_refused),
        FIXTURE_TEST(the_newest_survivor_of_any_damage_is_used),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
