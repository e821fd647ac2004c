/* Files that claim more than they hold, or lead out of themselves, made by HDF5 directly. */
#include "ddpm/io/h5.h"

#include "check.h"
#include "scratch.h"

#include <fcntl.h>
#include <hdf5.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void expect_refused(const char *path, const char *object, const char *reason)
{
    ddpm_h5 *file;
    ddpm_h5_info info;
    CHECK_OK(ddpm_h5_open(&file, path));
    CHECK_STATUS(ddpm_h5_info_of(&info, file, object), DDPM_EDATA);
    CHECK_MESSAGE(reason);
    uint8_t byte;
    CHECK_STATUS(ddpm_h5_read_rows(file, object, DDPM_H5_U8, &byte, 0, 1), DDPM_EDATA);
    ddpm_h5_close(file);
}

static hid_t new_file(const char *path)
{
    return H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
}

/* An array of bytes /x of this size; data may be NULL: never written. */
static void add_array(hid_t file, hid_t creation, int rank, const hsize_t *size, const void *data)
{
    const hid_t space = H5Screate_simple(rank, size, NULL);
    const hid_t set = H5Dcreate2(file, "/x", H5T_STD_U8LE, space, H5P_DEFAULT, creation,
                                 H5P_DEFAULT);
    assert_true(set >= 0);
    if (data)
        assert_true(H5Dwrite(set, H5T_NATIVE_UINT8, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) >= 0);
    H5Dclose(set);
    H5Sclose(space);
}

static void petabytes_that_were_never_written_are_refused(void **state)
{
    (void)state;
    const char *path = scratch_path("empty.h5");
    hid_t file = new_file(path);
    const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_alloc_time(creation, H5D_ALLOC_TIME_LATE);
    add_array(file, creation, 1, (hsize_t[]){ UINT64_C(1) << 52 }, NULL);
    H5Fclose(file);
    expect_refused(path, "/x", "cannot hold");
    file = new_file(path);
    H5Pset_chunk(creation, 1, (hsize_t[]){ 1024 });
    add_array(file, creation, 1, (hsize_t[]){ UINT64_C(1) << 52 }, NULL);
    H5Pclose(creation);
    H5Fclose(file);
    expect_refused(path, "/x", "cannot hold");
}

static void partly_written_chunks_are_refused(void **state)
{
    (void)state;
    const char *path = scratch_path("part.h5");
    const hid_t file = new_file(path), creation = H5Pcreate(H5P_DATASET_CREATE);
    const hid_t space = H5Screate_simple(1, (hsize_t[]){ 100 }, NULL);
    H5Pset_chunk(creation, 1, (hsize_t[]){ 10 });
    const hid_t set = H5Dcreate2(file, "/x", H5T_STD_U8LE, space, H5P_DEFAULT, creation,
                                 H5P_DEFAULT);
    const uint8_t data[50] = { 0 };
    const hid_t memory = H5Screate_simple(1, (hsize_t[]){ 50 }, NULL);
    H5Sselect_hyperslab(space, H5S_SELECT_SET, (hsize_t[]){ 0 }, NULL, (hsize_t[]){ 50 }, NULL);
    H5Dwrite(set, H5T_NATIVE_UINT8, memory, space, H5P_DEFAULT, data);
    H5Dclose(set);
    H5Sclose(memory);
    H5Sclose(space);
    H5Pclose(creation);
    H5Fclose(file);
    expect_refused(path, "/x", "never written");
}

static void huge_chunks_are_refused(void **state)
{
    (void)state;
    const char *path = scratch_path("chunk.h5");
    const hid_t file = new_file(path), creation = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_chunk(creation, 1, (hsize_t[]){ UINT64_C(3) << 30 });
    H5Pset_deflate(creation, 1);
    add_array(file, creation, 1, (hsize_t[]){ UINT64_C(3) << 30 }, NULL);
    H5Pclose(creation);
    H5Fclose(file);
    expect_refused(path, "/x", "above the limit");
}

static void a_filter_that_we_do_not_know_is_refused(void **state)
{
    (void)state;
    const char *path = scratch_path("nbit.h5");
    const hid_t file = new_file(path), creation = H5Pcreate(H5P_DATASET_CREATE);
    const uint8_t data[16] = { 1 };
    H5Pset_chunk(creation, 1, (hsize_t[]){ 16 });
    H5Pset_nbit(creation);
    add_array(file, creation, 1, (hsize_t[]){ 16 }, data);
    H5Pclose(creation);
    H5Fclose(file);
    expect_refused(path, "/x", "filter 5");
}

static void deflate_twice_is_refused(void **state)
{
    (void)state;
    const char *path = scratch_path("twice.h5");
    const hid_t file = new_file(path), creation = H5Pcreate(H5P_DATASET_CREATE);
    static const uint8_t data[1 << 20];
    H5Pset_chunk(creation, 1, (hsize_t[]){ sizeof data });
    H5Pset_deflate(creation, 9);
    H5Pset_deflate(creation, 9);
    add_array(file, creation, 1, (hsize_t[]){ sizeof data }, data);
    H5Pclose(creation);
    H5Fclose(file);
    expect_refused(path, "/x", "twice");
}

static void numbers_of_odd_bits_are_refused(void **state)
{
    (void)state;
    const char *path = scratch_path("bits.h5");
    const hid_t file = new_file(path), space = H5Screate_simple(1, (hsize_t[]){ 4 }, NULL);
    const hid_t seven = H5Tcopy(H5T_STD_U8LE), twisted = H5Tcopy(H5T_IEEE_F32LE);
    H5Tset_precision(seven, 7);
    H5Tset_fields(twisted, 31, 0, 8, 8, 23);
    const struct {
        const char *name;
        hid_t type;
        ddpm_h5_type read;
    } cases[] = { { "/seven", seven, DDPM_H5_U8 },
                  { "/twisted", twisted, DDPM_H5_F32 },
                  { "/vax", H5T_VAX_F32, DDPM_H5_F32 } };
    for (size_t i = 0; i < 3; i++) {
        const hid_t set = H5Dcreate2(file, cases[i].name, cases[i].type, space, H5P_DEFAULT,
                                     H5P_DEFAULT, H5P_DEFAULT);
        H5Dwrite(set, H5T_NATIVE_UINT8, H5S_ALL, H5S_ALL, H5P_DEFAULT, "abcd");
        H5Dclose(set);
    }
    H5Tclose(seven);
    H5Tclose(twisted);
    H5Sclose(space);
    H5Fclose(file);
    ddpm_h5 *opened;
    CHECK_OK(ddpm_h5_open(&opened, path));
    for (size_t i = 0; i < 3; i++) {
        ddpm_h5_info info;
        float data[4];
        CHECK_OK(ddpm_h5_info_of(&info, opened, cases[i].name));
        assert_int_equal(info.type, DDPM_H5_OTHER);
        CHECK_STATUS(ddpm_h5_read(opened, cases[i].name, cases[i].read, data, 4), DDPM_EDATA);
        CHECK_MESSAGE("none of a processor's");
    }
    ddpm_h5_close(opened);
}

static void a_text_that_was_never_written_is_refused(void **state)
{
    (void)state;
    const char *path = scratch_path("notext.h5");
    const hid_t file = new_file(path), space = H5Screate(H5S_SCALAR), type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, 1 << 23);
    H5Dclose(H5Dcreate2(file, "/x", type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    H5Tclose(type);
    H5Sclose(space);
    H5Fclose(file);
    ddpm_h5 *opened;
    char *text;
    CHECK_OK(ddpm_h5_open(&opened, path));
    CHECK_STATUS(ddpm_h5_read_text(opened, "/x", &text), DDPM_EDATA);
    CHECK_MESSAGE("cannot hold");
    ddpm_h5_close(opened);
}

static void content_in_another_file_is_refused(void **state)
{
    (void)state;
    const char *path = scratch_path("external.h5");
    const hid_t file = new_file(path), creation = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_external(creation, "/etc/passwd", 0, 64);
    add_array(file, creation, 1, (hsize_t[]){ 64 }, NULL);
    H5Pclose(creation);
    H5Fclose(file);
    expect_refused(path, "/x", "lies in other files");
}

static void a_virtual_dataset_is_refused(void **state)
{
    (void)state;
    const char *path = scratch_path("virtual.h5");
    const hid_t file = new_file(path), creation = H5Pcreate(H5P_DATASET_CREATE);
    const hid_t space = H5Screate_simple(1, (hsize_t[]){ 8 }, NULL);
    H5Pset_virtual(creation, space, "other.h5", "/x", space);
    add_array(file, creation, 1, (hsize_t[]){ 8 }, NULL);
    H5Sclose(space);
    H5Pclose(creation);
    H5Fclose(file);
    expect_refused(path, "/x", "virtual");
}

static ddpm_status count_one(const char *object, const ddpm_h5_info *info, void *context)
{
    (void)object;
    (void)info;
    ++*(int *)context;
    return DDPM_OK;
}

static void links_are_not_followed(void **state)
{
    (void)state;
    const char *path = scratch_path("elsewhere.h5");
    const hid_t file = new_file(path);
    const uint8_t data[4] = { 0 };
    add_array(file, H5P_DEFAULT, 1, (hsize_t[]){ 4 }, data);
    H5Lcreate_external(path, "/x", file, "/out", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_external(path, "/", file, "/dir", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_soft("/out", file, "/soft", H5P_DEFAULT, H5P_DEFAULT);
    H5Fclose(file);
    expect_refused(path, "/out", "not followed");
    expect_refused(path, "/dir/x", "not followed");
    expect_refused(path, "/soft", "not followed");
    ddpm_h5 *opened;
    int count = 0;
    CHECK_OK(ddpm_h5_open(&opened, path));
    CHECK_OK(ddpm_h5_each(opened, "/", count_one, &count));
    assert_int_equal(count, 1);
    ddpm_h5_close(opened);
}

static void a_group_within_itself_ends(void **state)
{
    (void)state;
    const char *path = scratch_path("loop.h5");
    const hid_t file = new_file(path);
    const hid_t group = H5Gcreate2(file, "/g", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_hard(file, "/", group, "up", H5P_DEFAULT, H5P_DEFAULT);
    /* Many ways round: walked to the depth that is allowed, they would take hours. */
    for (int i = 0; i < 100; i++) {
        char name[16];
        snprintf(name, sizeof name, "again%d", i);
        H5Lcreate_hard(file, "/", group, name, H5P_DEFAULT, H5P_DEFAULT);
    }
    H5Gclose(group);
    H5Fclose(file);
    ddpm_h5 *opened;
    int count = 0;
    CHECK_OK(ddpm_h5_open(&opened, path));
    CHECK_STATUS(ddpm_h5_each(opened, "/", count_one, &count), DDPM_EDATA);
    CHECK_MESSAGE("link back to itself");
    ddpm_h5_close(opened);
}

static void text_of_any_kind_is_read(void **state)
{
    (void)state;
    const char *path = scratch_path("text.h5"), *value = "variable";
    const hid_t file = new_file(path), space = H5Screate(H5S_SCALAR);
    hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, H5T_VARIABLE);
    hid_t attribute = H5Acreate2(file, "v", type, space, H5P_DEFAULT, H5P_DEFAULT);
    H5Awrite(attribute, type, &value);
    H5Aclose(attribute);
    H5Tclose(type);
    type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, 8);
    H5Tset_strpad(type, H5T_STR_SPACEPAD);
    attribute = H5Acreate2(file, "padded", type, space, H5P_DEFAULT, H5P_DEFAULT);
    H5Awrite(attribute, type, "four    ");
    H5Aclose(attribute);
    H5Tset_strpad(type, H5T_STR_NULLPAD);
    attribute = H5Acreate2(file, "full", type, space, H5P_DEFAULT, H5P_DEFAULT);
    H5Awrite(attribute, type, "12345678");
    H5Aclose(attribute);
    H5Tclose(type);
    H5Sclose(space);
    H5Fclose(file);
    ddpm_h5 *opened;
    CHECK_OK(ddpm_h5_open(&opened, path));
    const char *const expected[3][2] = { { "v", "variable" },
                                         { "padded", "four" },
                                         { "full", "12345678" } };
    for (int i = 0; i < 3; i++) {
        char *text;
        CHECK_OK(ddpm_h5_attribute_text(opened, "/", expected[i][0], &text));
        assert_string_equal(text, expected[i][1]);
        free(text);
    }
    ddpm_h5_close(opened);
}

/* The format that we write has a checksum for metadata and for data: a flipped bit is an error at
   opening or reading, or it changed nothing that was read. */
static void a_flipped_bit_is_found_or_harmless(void **state)
{
    (void)state;
    const char *path = scratch_path("bits.h5");
    static uint8_t rows[8][64], found[8][64];
    for (size_t i = 0; i < sizeof rows; i++) rows[i / 64][i % 64] = (uint8_t)(i * 7);
    ddpm_h5 *file;
    CHECK_OK(ddpm_h5_create(&file, path));
    CHECK_OK(ddpm_h5_create_rows(file, "/x", DDPM_H5_U8, 2, (size_t[]){ 64 }, 3, 4));
    CHECK_OK(ddpm_h5_append_rows(file, "/x", DDPM_H5_U8, rows, 8));
    CHECK_OK(ddpm_h5_publish(file));
    size_t bytes, detected = 0, tried = 0;
    unsigned char *content = scratch_read(path, &bytes);
    const int fd = open(path, O_WRONLY);
    for (size_t bit = 0; bit < 8 * bytes; bit += 7, tried++) {
        const unsigned char flipped = content[bit / 8] ^ (unsigned char)(1U << bit % 8);
        assert_int_equal(pwrite(fd, &flipped, 1, (off_t)(bit / 8)), 1);
        ddpm_status status = ddpm_h5_open(&file, path);
        if (status == DDPM_OK) {
            status = ddpm_h5_read_rows(file, "/x", DDPM_H5_U8, found, 0, 8);
            ddpm_h5_close(file);
        }
        if (status == DDPM_OK)
            assert_memory_equal(found, rows, sizeof rows);
        else
            detected++;
        assert_int_equal(pwrite(fd, &content[bit / 8], 1, (off_t)(bit / 8)), 1);
    }
    CHECK_LE(0.5, (double)detected / (double)tried);
    close(fd);
    free(content);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(petabytes_that_were_never_written_are_refused),
        cmocka_unit_test(partly_written_chunks_are_refused),
        cmocka_unit_test(huge_chunks_are_refused),
        cmocka_unit_test(a_filter_that_we_do_not_know_is_refused),
        cmocka_unit_test(deflate_twice_is_refused),
        cmocka_unit_test(numbers_of_odd_bits_are_refused),
        cmocka_unit_test(a_text_that_was_never_written_is_refused),
        cmocka_unit_test(content_in_another_file_is_refused),
        cmocka_unit_test(a_virtual_dataset_is_refused),
        cmocka_unit_test(links_are_not_followed),
        cmocka_unit_test(a_group_within_itself_ends),
        cmocka_unit_test(text_of_any_kind_is_read),
        cmocka_unit_test(a_flipped_bit_is_found_or_harmless),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
