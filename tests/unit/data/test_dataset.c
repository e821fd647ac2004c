#include "ddpm/data/dataset.h"

#include "check.h"
#include "ddpm/base/memory.h"
#include "ddpm/io/h5.h"
#include "scratch.h"

#include <fcntl.h>
#include <hdf5.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { N = 50, H = 6, W = 5, C = 3, VALUES = H * W * C };

static const ddpm_dataset_info bytes_info = { .shape = { 0, H, W, C },
                                              .has_labels = true,
                                              .range_max = 255.0f,
                                              .name = "little",
                                              .source = "a test" };

static uint8_t byte_at(size_t image, size_t k)
{
    return (uint8_t)(image * 31 + k * 7);
}

static const char *make_bytes(const char *name)
{
    const char *path = scratch_path("%s", name);
    ddpm_dataset_writer *writer;
    CHECK_OK(ddpm_dataset_writer_create(&writer, path, &bytes_info));
    for (size_t i = 0; i < N; i += 10) {
        uint8_t images[10][VALUES];
        int64_t labels[10];
        for (size_t k = 0; k < 10; k++) {
            for (size_t v = 0; v < VALUES; v++) images[k][v] = byte_at(i + k, v);
            labels[k] = (int64_t)((i + k) % 4);
        }
        CHECK_OK(ddpm_dataset_writer_append(writer, images, labels, 10));
    }
    CHECK_OK(ddpm_dataset_writer_set_number(writer, "answer", 42.0));
    CHECK_OK(ddpm_dataset_writer_set_text(writer, "question", "what?"));
    CHECK_OK(ddpm_dataset_writer_finish(writer));
    return path;
}

static void what_is_written_is_described(void **state)
{
    (void)state;
    ddpm_dataset *set;
    CHECK_OK(ddpm_dataset_open(&set, make_bytes("info.h5")));
    const ddpm_dataset_info *info = ddpm_dataset_get_info(set);
    assert_int_equal(info->shape.n, N);
    assert_int_equal(info->shape.h, H);
    assert_int_equal(info->shape.w, W);
    assert_int_equal(info->shape.c, C);
    assert_false(info->is_float);
    assert_true(info->has_labels);
    assert_int_equal(info->classes, 4);
    assert_string_equal(info->name, "little");
    assert_string_equal(info->source, "a test");
    assert_int_equal(strlen(info->created), 20);
    /* Of an independent program in Python, after docs/formats.md. */
    assert_string_equal(info->content_hash,
                        "sha256:342f1ee88fc86e7c99c15aa16c38ada4e8d067d35cea89656"
                        "02960806a650ee8");
    assert_true(info->chunk_images > 0 && info->file_bytes > 0);
    double number;
    assert_true(ddpm_dataset_number(&number, set, "answer"));
    assert_true(number == 42.0);
    assert_false(ddpm_dataset_number(&number, set, "nothing"));
    char *text = ddpm_dataset_text(set, "question");
    assert_string_equal(text, "what?");
    free(text);
    assert_null(ddpm_dataset_text(set, "nothing"));
    CHECK_OK(ddpm_dataset_verify(set));
    ddpm_dataset_close(set);
}

static void expect_images(ddpm_dataset *set)
{
    const uint64_t index[4] = { 49, 0, 17, 17 };
    const bool flip[4] = { false, true, false, true };
    float x[4][H][W][C];
    int64_t labels[4];
    CHECK_OK(ddpm_dataset_read(set, &x[0][0][0][0], labels, index, flip, 4));
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(labels[i], index[i] % 4);
        for (size_t h = 0; h < H; h++)
            for (size_t w = 0; w < W; w++)
                for (size_t c = 0; c < C; c++) {
                    const size_t column = flip[i] ? W - 1 - w : w;
                    const uint8_t v = byte_at((size_t)index[i], (h * W + column) * C + c);
                    assert_true(x[i][h][w][c] == (float)(v / 127.5 - 1.0));
                }
    }
}

static void images_are_scaled_and_flipped(void **state)
{
    (void)state;
    ddpm_dataset *set;
    CHECK_OK(ddpm_dataset_open(&set, make_bytes("read.h5")));
    expect_images(set);
    assert_int_equal(ddpm_dataset_memory_bytes(set), N * (VALUES + sizeof(int64_t)));
    assert_int_equal(ddpm_memory_live_bytes(DDPM_MEMORY_DATA), ddpm_dataset_memory_bytes(set));
    ddpm_dataset_close(set);
    assert_int_equal(ddpm_memory_live_bytes(DDPM_MEMORY_DATA), 0);
}

static void a_set_that_is_not_held_in_memory_reads_the_same(void **state)
{
    (void)state;
    ddpm_dataset *set;
    CHECK_OK(ddpm_dataset_open(&set, make_bytes("disk.h5")));
    ddpm_dataset_hold_below(set, 0);
    expect_images(set);
    CHECK_LE(ddpm_memory_live_bytes(DDPM_MEMORY_DATA), VALUES + N * sizeof(int64_t));
    ddpm_dataset_close(set);
}

static void moments_are_those_of_the_scaled_values(void **state)
{
    (void)state;
    ddpm_dataset *set;
    double mean[C], std[C];
    CHECK_OK(ddpm_dataset_open(&set, make_bytes("moments.h5")));
    CHECK_OK(ddpm_dataset_moments(set, mean, std));
    for (size_t c = 0; c < C; c++) {
        double sum = 0.0, squares = 0.0;
        for (size_t i = 0; i < N; i++)
            for (size_t k = c; k < VALUES; k += C) {
                const double x = byte_at(i, k) / 127.5 - 1.0;
                sum += x;
                squares += x * x;
            }
        const double count = N * H * W, expected = sum / count;
        CHECK_LE(fabs(mean[c] - expected), 1e-7);
        CHECK_LE(fabs(std[c] - sqrt(squares / count - expected * expected)), 1e-7);
    }
    ddpm_dataset_close(set);
}

static const char *make_floats(const char *name, float min, float max, float last)
{
    const char *path = scratch_path("%s", name);
    ddpm_dataset_writer *writer;
    const ddpm_dataset_info info = {
        .shape = { 0, 2, 2, 1 }, .is_float = true, .range_min = min, .range_max = max
    };
    const float images[2][4] = { { -1.0f, 0.25f, 0.1f, 1.0f }, { 3.0f, 0.0f, -2.0f, last } };
    CHECK_OK(ddpm_dataset_writer_create(&writer, path, &info));
    const ddpm_status status = ddpm_dataset_writer_append(writer, images, NULL, 2);
    if (status == DDPM_OK) {
        CHECK_OK(ddpm_dataset_writer_finish(writer));
        return path;
    }
    CHECK_STATUS(status, DDPM_EDATA);
    CHECK_MESSAGE("not a number");
    ddpm_dataset_writer_free(writer);
    return NULL;
}

static void floats_are_scaled_by_their_range(void **state)
{
    (void)state;
    ddpm_dataset *set;
    const uint64_t index[2] = { 0, 1 };
    float x[2][4];
    CHECK_OK(ddpm_dataset_open(&set, make_floats("unit.h5", -1.0f, 1.0f, 0.3f)));
    CHECK_OK(ddpm_dataset_read(set, x[0], NULL, index, NULL, 2));
    assert_true(x[0][1] == 0.25f && x[0][2] == 0.1f && x[1][3] == 0.3f && x[1][0] == 3.0f);
    assert_null(ddpm_dataset_labels(set));
    ddpm_dataset_close(set);
    CHECK_OK(ddpm_dataset_open(&set, make_floats("wide.h5", -2.0f, 6.0f, 6.0f)));
    CHECK_OK(ddpm_dataset_read(set, x[0], NULL, index, NULL, 2));
    assert_true(x[0][0] == -0.75f && x[1][2] == -1.0f && x[1][3] == 1.0f);
    ddpm_dataset_close(set);
}

static void a_value_that_is_no_number_is_refused(void **state)
{
    (void)state;
    const size_t files = scratch_count();
    assert_null(make_floats("nan.h5", -1.0f, 1.0f, NAN));
    assert_null(make_floats("inf.h5", -1.0f, 1.0f, -INFINITY));
    assert_int_equal(scratch_count(), files);
}

static void the_content_hash_is_of_content_and_nothing_else(void **state)
{
    (void)state;
    ddpm_dataset *a, *b;
    CHECK_OK(ddpm_dataset_open(&a, make_floats("h1.h5", -1.0f, 1.0f, 0.5f)));
    CHECK_OK(ddpm_dataset_open(&b, make_floats("h2.h5", -1.0f, 1.0f, 0.5f)));
    assert_string_equal(ddpm_dataset_get_info(a)->content_hash,
                        ddpm_dataset_get_info(b)->content_hash);
    ddpm_dataset_close(b);
    CHECK_OK(ddpm_dataset_open(&b, make_floats("h3.h5", -1.0f, 2.0f, 0.5f)));
    assert_string_not_equal(ddpm_dataset_get_info(a)->content_hash,
                            ddpm_dataset_get_info(b)->content_hash);
    ddpm_dataset_close(b);
    CHECK_OK(ddpm_dataset_open(&b, make_floats("h4.h5", -1.0f, 1.0f, 0.75f)));
    assert_string_not_equal(ddpm_dataset_get_info(a)->content_hash,
                            ddpm_dataset_get_info(b)->content_hash);
    ddpm_dataset_close(b);
    ddpm_dataset_close(a);
}

static void a_set_of_nothing_is_refused(void **state)
{
    (void)state;
    ddpm_dataset_writer *writer;
    const char *path = scratch_path("none.h5");
    CHECK_OK(ddpm_dataset_writer_create(&writer, path, &bytes_info));
    CHECK_STATUS(ddpm_dataset_writer_finish(writer), DDPM_EDATA);
    CHECK_MESSAGE("no images");
    assert_false(scratch_exists(path));
}

static void labels_and_shapes_are_checked(void **state)
{
    (void)state;
    ddpm_dataset_writer *writer;
    const uint8_t image[VALUES] = { 0 };
    CHECK_OK(ddpm_dataset_writer_create(&writer, scratch_path("labels.h5"), &bytes_info));
    CHECK_STATUS(ddpm_dataset_writer_append(writer, image, (int64_t[]){ -1 }, 1), DDPM_EDATA);
    ddpm_dataset_writer_free(writer);
    ddpm_dataset_info info = bytes_info;
    info.shape.h = 0;
    CHECK_STATUS(ddpm_dataset_writer_create(&writer, scratch_path("x.h5"), &info), DDPM_EDATA);
    info.shape.h = SIZE_MAX / 2;
    CHECK_STATUS(ddpm_dataset_writer_create(&writer, scratch_path("x.h5"), &info), DDPM_EDATA);
    info = bytes_info;
    info.range_min = 255.0f;
    CHECK_STATUS(ddpm_dataset_writer_create(&writer, scratch_path("x.h5"), &info), DDPM_EDATA);
    info.range_min = 0.0f;
    info.range_max = 1e-45f; /* a byte would be infinite */
    CHECK_STATUS(ddpm_dataset_writer_create(&writer, scratch_path("x.h5"), &info), DDPM_EDATA);
    CHECK_MESSAGE("too narrow");
}

static void other_files_are_no_datasets(void **state)
{
    (void)state;
    ddpm_dataset *set;
    ddpm_h5 *file;
    const char *path = scratch_path("other.h5");
    CHECK_STATUS(ddpm_dataset_open(&set, path), DDPM_ENOINPUT);
    CHECK_OK(ddpm_h5_create(&file, path));
    const float x[2] = { 0 };
    CHECK_OK(ddpm_h5_write(file, "/images", DDPM_H5_F32, x, 1, (size_t[]){ 2 }));
    CHECK_OK(ddpm_h5_publish(file));
    CHECK_STATUS(ddpm_dataset_open(&set, path), DDPM_EDATA);
    CHECK_MESSAGE("import hdf5");
}

/* Nothing that is read from a damaged file is taken for what was written. */
static void a_flipped_bit_never_changes_an_image_in_silence(void **state)
{
    (void)state;
    char path[512];
    snprintf(path, sizeof path, "%s", make_bytes("bits.h5"));
    size_t bytes, detected = 0, tried = 0;
    unsigned char *content = scratch_read(path, &bytes);
    const int fd = open(path, O_WRONLY);
    for (size_t bit = 0; bit < 8 * bytes; bit += 101, tried++) {
        const unsigned char flipped = content[bit / 8] ^ (unsigned char)(1U << bit % 8);
        assert_int_equal(pwrite(fd, &flipped, 1, (off_t)(bit / 8)), 1);
        ddpm_dataset *set;
        ddpm_status status = ddpm_dataset_open(&set, path);
        if (status == DDPM_OK) {
            status = ddpm_dataset_verify(set);
            if (status == DDPM_OK) expect_images(set);
            ddpm_dataset_close(set);
        }
        detected += status != DDPM_OK;
        assert_int_equal(pwrite(fd, &content[bit / 8], 1, (off_t)(bit / 8)), 1);
    }
    CHECK_LE(0.5, (double)detected / (double)tried);
    close(fd);
    free(content);
}

/* Every checksum of HDF5 is right here; only the content is not what its hash says. */
static void a_wrong_content_hash_is_found(void **state)
{
    (void)state;
    const char *path = make_bytes("hash.h5");
    char hash[80] = "";
    const hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
    const hid_t attribute = H5Aopen(file, "content_hash", H5P_DEFAULT);
    const hid_t type = H5Aget_type(attribute);
    assert_true(H5Aread(attribute, type, hash) >= 0);
    hash[20] = hash[20] == '0' ? '1' : '0';
    assert_true(H5Awrite(attribute, type, hash) >= 0);
    H5Tclose(type);
    H5Aclose(attribute);
    H5Fclose(file);
    ddpm_dataset *set;
    float x[VALUES];
    CHECK_OK(ddpm_dataset_open(&set, path));
    CHECK_STATUS(ddpm_dataset_verify(set), DDPM_EDATA);
    CHECK_MESSAGE("content hash");
    CHECK_STATUS(ddpm_dataset_read(set, x, NULL, (uint64_t[]){ 0 }, NULL, 1), DDPM_EDATA);
    ddpm_dataset_close(set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_described),
        cmocka_unit_test(images_are_scaled_and_flipped),
        cmocka_unit_test(a_set_that_is_not_held_in_memory_reads_the_same),
        cmocka_unit_test(moments_are_those_of_the_scaled_values),
        cmocka_unit_test(floats_are_scaled_by_their_range),
        cmocka_unit_test(a_value_that_is_no_number_is_refused),
        cmocka_unit_test(the_content_hash_is_of_content_and_nothing_else),
        cmocka_unit_test(a_set_of_nothing_is_refused),
        cmocka_unit_test(labels_and_shapes_are_checked),
        cmocka_unit_test(other_files_are_no_datasets),
        cmocka_unit_test(a_flipped_bit_never_changes_an_image_in_silence),
        cmocka_unit_test(a_wrong_content_hash_is_found),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
