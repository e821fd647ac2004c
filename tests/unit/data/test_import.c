#include "ddpm/data/import.h"

#include "check.h"
#include "ddpm/data/dataset.h"
#include "ddpm/io/h5.h"
#include "ddpm/io/image.h"
#include "scratch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

static ddpm_status run(const char *format, ddpm_import_options options, const char *const *inputs)
{
    options.output = scratch_path("set.h5");
    remove(options.output);
    options.inputs = inputs;
    while (inputs[options.input_count]) options.input_count++;
    const ddpm_status status = ddpm_importer_find(format)->run(&options);
    if (status != DDPM_OK) assert_false(scratch_exists(scratch_path("set.h5")));
    return status;
}

static ddpm_dataset *open_set(void)
{
    ddpm_dataset *set;
    CHECK_OK(ddpm_dataset_open(&set, scratch_path("set.h5")));
    CHECK_OK(ddpm_dataset_verify(set));
    return set;
}

/* Value k of image i, as bytes of a uint8 set. */
static int value(ddpm_dataset *set, uint64_t image, size_t k)
{
    static float x[4096];
    CHECK_OK(ddpm_dataset_read(set, x, NULL, &image, NULL, 1));
    return (int)((x[k] + 1.0f) * 127.5f + 0.5f);
}

/* IDX: an image of 3 x 4 pixels of value 20 i + k; labels i % 3. */
static size_t idx_images(unsigned char *file, unsigned claim, unsigned images)
{
    const unsigned char header[16] = { 0, 0, 8, 3, 0, 0, 0, (unsigned char)claim,
                                       0, 0, 0, 3, 0, 0, 0, 4 };
    memcpy(file, header, sizeof header);
    for (unsigned i = 0; i < images; i++)
        for (unsigned k = 0; k < 12; k++) file[16 + 12 * i + k] = (unsigned char)(20 * i + k);
    return 16 + 12 * images;
}

static size_t idx_labels(unsigned char *file, unsigned count)
{
    const unsigned char header[8] = { 0, 0, 8, 1, 0, 0, 0, (unsigned char)count };
    memcpy(file, header, sizeof header);
    for (unsigned i = 0; i < count; i++) file[8 + i] = (unsigned char)(i % 3);
    return 8 + count;
}

static const char *write_gz(const char *name, const void *data, size_t bytes)
{
    const char *path = scratch_path("%s", name);
    const gzFile file = gzopen(path, "wb");
    assert_int_equal(gzwrite(file, data, (unsigned)bytes), bytes);
    assert_int_equal(gzclose(file), Z_OK);
    return path;
}

static const char *write_file(const char *name, const void *data, size_t bytes)
{
    const char *path = scratch_path("%s", name);
    scratch_write(path, data, bytes);
    return path;
}

static void expect_idx(void)
{
    ddpm_dataset *set = open_set();
    const ddpm_dataset_info *info = ddpm_dataset_get_info(set);
    assert_int_equal(info->shape.n, 5);
    assert_int_equal(info->shape.h, 3);
    assert_int_equal(info->shape.w, 4);
    assert_int_equal(info->shape.c, 1);
    assert_int_equal(info->classes, 3);
    assert_int_equal(ddpm_dataset_labels(set)[4], 1);
    assert_int_equal(value(set, 4, 11), 91);
    ddpm_dataset_close(set);
}

static void idx_is_read_plain_and_compressed(void **state)
{
    (void)state;
    unsigned char images[256], labels[64];
    const size_t image_bytes = idx_images(images, 5, 5), label_bytes = idx_labels(labels, 5);
    const char *label_file = write_file("labels", labels, label_bytes);
    const ddpm_import_options options = { .labels = &label_file, .label_count = 1 };
    CHECK_OK(
        run("idx", options, (const char *[]){ write_file("images", images, image_bytes), NULL }));
    expect_idx();
    label_file = write_gz("labels.gz", labels, label_bytes);
    CHECK_OK(
        run("idx", options, (const char *[]){ write_gz("images.gz", images, image_bytes), NULL }));
    expect_idx();
}

static void padding_puts_images_in_the_middle_of_the_background(void **state)
{
    (void)state;
    unsigned char images[256];
    const size_t bytes = idx_images(images, 5, 5);
    const char *path = write_file("images", images, bytes);
    CHECK_OK(run("idx", (ddpm_import_options){ .pad = 8 }, (const char *[]){ path, NULL }));
    ddpm_dataset *set = open_set();
    assert_int_equal(ddpm_dataset_get_info(set)->shape.h, 8);
    for (size_t h = 0; h < 8; h++)
        for (size_t w = 0; w < 8; w++) {
            const bool inside = h >= 2 && h < 5 && w >= 2 && w < 6;
            assert_int_equal(value(set, 2, 8 * h + w), inside ? 40 + 4 * (h - 2) + w - 2 : 0);
        }
    ddpm_dataset_close(set);
    CHECK_STATUS(run("idx", (ddpm_import_options){ .pad = 3 }, (const char *[]){ path, NULL }),
                 DDPM_EUSAGE);
}

static void several_files_are_one_set(void **state)
{
    (void)state;
    unsigned char images[256], labels[64];
    size_t bytes = idx_images(images, 5, 5);
    const char *a = write_file("a", images, bytes);
    const char *label_files[2] = { write_file("la", labels, idx_labels(labels, 5)), NULL };
    bytes = idx_images(images, 2, 2);
    const char *b = write_file("b", images, bytes);
    label_files[1] = write_file("lb", labels, idx_labels(labels, 2));
    const ddpm_import_options options = { .labels = label_files, .label_count = 2 };
    CHECK_OK(run("idx", options, (const char *[]){ a, b, NULL }));
    ddpm_dataset *set = open_set();
    assert_int_equal(ddpm_dataset_get_info(set)->shape.n, 7);
    assert_int_equal(value(set, 6, 0), 20);
    ddpm_dataset_close(set);
    CHECK_STATUS(run("idx", options, (const char *[]){ a, NULL }), DDPM_EUSAGE);
    images[11] = 4; /* height of b */
    write_file("b", images, bytes + 8);
    CHECK_STATUS(run("idx", options, (const char *[]){ a, b, NULL }), DDPM_EDATA);
    CHECK_MESSAGE("4 x 4 x 1");
}

static void expect_bad_idx(const unsigned char *images, size_t bytes, const char *reason)
{
    const char *path = write_file("bad", images, bytes);
    CHECK_STATUS(run("idx", (ddpm_import_options){ 0 }, (const char *[]){ path, NULL }),
                 DDPM_EDATA);
    CHECK_MESSAGE(reason);
}

static void a_bad_idx_file_is_refused(void **state)
{
    (void)state;
    unsigned char images[256];
    const size_t bytes = idx_images(images, 5, 5);
    expect_bad_idx(images, bytes - 1, "truncated");
    expect_bad_idx(images, 13, "its header");
    expect_bad_idx(images, 0, "its header");
    images[bytes] = 0;
    expect_bad_idx(images, bytes + 1, "goes on");
    images[0] = 1;
    expect_bad_idx(images, bytes, "not an IDX file");
    images[0] = 0;
    images[2] = 0x0d;
    expect_bad_idx(images, bytes, "0x0d");
    images[2] = 8;
    images[3] = 1;
    expect_bad_idx(images, bytes, "1 dimensions");
    idx_images(images, 0, 5);
    expect_bad_idx(images, bytes, "cannot be");
    idx_images(images, 5, 5);
    memset(images + 8, 0xff, 8); /* 4 G x 4 G pixels */
    expect_bad_idx(images, bytes, "cannot be");
    memset(images + 4, 0xff, 4); /* 4 G images of 3 x 4 */
    memcpy(images + 8, "\0\0\0\3\0\0\0\4", 8);
    expect_bad_idx(images, bytes, "truncated");
}

static void labels_must_fit_their_images(void **state)
{
    (void)state;
    unsigned char images[256], labels[64];
    const char *path = write_file("images", images, idx_images(images, 5, 5));
    const char *label_file = write_file("labels", labels, idx_labels(labels, 4));
    const ddpm_import_options options = { .labels = &label_file, .label_count = 1 };
    CHECK_STATUS(run("idx", options, (const char *[]){ path, NULL }), DDPM_EDATA);
    CHECK_MESSAGE("4 labels");
    label_file = path;
    CHECK_STATUS(run("idx", options, (const char *[]){ path, NULL }), DDPM_EDATA);
    CHECK_MESSAGE("labels have 1");
}

static void every_truncation_of_a_gzip_file_is_an_error(void **state)
{
    (void)state;
    unsigned char images[256];
    const size_t bytes = idx_images(images, 5, 5);
    const char *path = write_gz("cut.gz", images, bytes);
    size_t compressed;
    unsigned char *content = scratch_read(path, &compressed);
    for (size_t n = 0; n < compressed; n++) {
        write_file("cut.gz", content, n);
        CHECK_STATUS(run("idx", (ddpm_import_options){ 0 }, (const char *[]){ path, NULL }),
                     DDPM_EDATA);
    }
    content[compressed - 6] ^= 1; /* the checksum of the whole */
    write_file("cut.gz", content, compressed);
    CHECK_STATUS(run("idx", (ddpm_import_options){ 0 }, (const char *[]){ path, NULL }),
                 DDPM_EDATA);
    free(content);
}

static void what_is_not_there_is_no_input(void **state)
{
    (void)state;
    const char *absent = scratch_path("absent");
    for (size_t i = 0; i < ddpm_importer_count; i++)
        CHECK_STATUS(run(ddpm_importers[i].name, (ddpm_import_options){ .size = 8, .channels = 3 },
                         (const char *[]){ absent, NULL }),
                     DDPM_ENOINPUT);
}

static void cifar10_becomes_interleaved_colour(void **state)
{
    (void)state;
    enum { RECORD = 3073 };
    static unsigned char batch[3 * RECORD];
    for (size_t i = 0; i < 3; i++) {
        batch[i * RECORD] = (unsigned char)(9 - i);
        for (size_t k = 0; k < RECORD - 1; k++)
            batch[i * RECORD + 1 + k] = (unsigned char)(k / 1024 * 100 + k % 32 + i);
    }
    const char *path = write_file("batch.bin", batch, sizeof batch);
    CHECK_OK(run("cifar10", (ddpm_import_options){ 0 }, (const char *[]){ path, path, NULL }));
    ddpm_dataset *set = open_set();
    const ddpm_dataset_info *info = ddpm_dataset_get_info(set);
    assert_int_equal(info->shape.n, 6);
    assert_int_equal(info->shape.c, 3);
    assert_int_equal(info->classes, 10);
    assert_int_equal(ddpm_dataset_labels(set)[5], 7);
    for (size_t c = 0; c < 3; c++)
        assert_int_equal(value(set, 4, (32 * 7 + 5) * 3 + c), 100 * c + 5 + 1);
    ddpm_dataset_close(set);
    write_file("batch.bin", batch, sizeof batch - 1);
    CHECK_STATUS(run("cifar10", (ddpm_import_options){ 0 }, (const char *[]){ path, NULL }),
                 DDPM_EDATA);
    CHECK_MESSAGE("3072 bytes remain");
    batch[RECORD] = 10;
    write_file("batch.bin", batch, sizeof batch);
    CHECK_STATUS(run("cifar10", (ddpm_import_options){ 0 }, (const char *[]){ path, NULL }),
                 DDPM_EDATA);
    CHECK_MESSAGE("record 1 has the label 10");
    write_file("batch.bin", batch, 0);
    CHECK_STATUS(run("cifar10", (ddpm_import_options){ 0 }, (const char *[]){ path, NULL }),
                 DDPM_EDATA);
}

static void write_picture(const char *name, uint8_t grey)
{
    uint8_t pixels[10 * 12];
    memset(pixels, grey, sizeof pixels);
    CHECK_OK(ddpm_image_write_png(&(ddpm_image){ 10, 12, 1, pixels }, scratch_path("%s", name)));
}

static void folders_of_images_are_read_in_order_of_their_names(void **state)
{
    (void)state;
    assert_int_equal(mkdir(scratch_path("photos"), 0777), 0);
    assert_int_equal(mkdir(scratch_path("photos/dog"), 0777), 0);
    assert_int_equal(mkdir(scratch_path("photos/cat"), 0777), 0);
    assert_int_equal(mkdir(scratch_path("photos/cat/old"), 0777), 0);
    write_picture("photos/dog/1.png", 30);
    write_picture("photos/cat/b.PNG", 20);
    write_picture("photos/cat/old/a.png", 25);
    write_file("photos/cat/notes.txt", "x", 1);
    write_file("photos/.hidden.png", "x", 1);
    const char *folder = scratch_path("photos");
    const ddpm_import_options options = { .size = 5, .channels = 3, .folder_labels = true };
    CHECK_OK(run("images", options, (const char *[]){ folder, NULL }));
    ddpm_dataset *set = open_set();
    const ddpm_dataset_info *info = ddpm_dataset_get_info(set);
    assert_int_equal(info->shape.n, 3);
    assert_int_equal(info->shape.h, 5);
    assert_int_equal(info->shape.c, 3);
    const int expected[3] = { 20, 25, 30 };
    for (uint64_t i = 0; i < 3; i++) {
        assert_int_equal(value(set, i, 7), expected[i]);
        assert_int_equal(ddpm_dataset_labels(set)[i], i == 2);
    }
    char *names = ddpm_dataset_text(set, "class_names");
    assert_string_equal(names, "cat\ndog");
    free(names);
    ddpm_dataset_close(set);

    ddpm_import_options plain = { .size = 5, .channels = 1 };
    write_file("photos/dog/broken.jpg", "\xff\xd8\xff\xe0", 4);
    CHECK_STATUS(run("images", plain, (const char *[]){ folder, NULL }), DDPM_EDATA);
    CHECK_MESSAGE("broken.jpg");
    plain.skip_broken = true;
    CHECK_OK(run("images", plain, (const char *[]){ folder, NULL }));
    set = open_set();
    assert_int_equal(ddpm_dataset_get_info(set)->shape.n, 3);
    assert_false(ddpm_dataset_get_info(set)->has_labels);
    ddpm_dataset_close(set);

    write_picture("photos/top.png", 1);
    CHECK_STATUS(run("images", options, (const char *[]){ folder, NULL }), DDPM_EDATA);
    CHECK_MESSAGE("top.png has no label");
    assert_int_equal(mkdir(scratch_path("empty"), 0777), 0);
    const char *empty = scratch_path("empty");
    CHECK_STATUS(run("images", plain, (const char *[]){ empty, NULL }), DDPM_ENOINPUT);
    CHECK_STATUS(
        run("images", (ddpm_import_options){ .channels = 3 }, (const char *[]){ folder, NULL }),
        DDPM_EUSAGE);
}

/* An HDF5 file with /x of these sizes, value k of the whole = k, and /y of labels. */
static const char *write_h5(const char *name, ddpm_h5_type type, size_t rank, const size_t *size)
{
    static uint8_t bytes[4096];
    static float floats[4096];
    static uint64_t labels[64];
    for (size_t i = 0; i < 4096; i++) {
        bytes[i] = (uint8_t)i;
        floats[i] = (float)i;
    }
    for (size_t i = 0; i < 64; i++) labels[i] = i % 5;
    const char *path = scratch_path("%s", name);
    ddpm_h5 *file;
    CHECK_OK(ddpm_h5_create(&file, path));
    CHECK_OK(ddpm_h5_write(file, "/x", type, type == DDPM_H5_U8 ? (void *)bytes : (void *)floats,
                           rank, size));
    CHECK_OK(ddpm_h5_write(file, "/y", DDPM_H5_U64, labels, 1, size));
    CHECK_OK(ddpm_h5_publish(file));
    return path;
}

static void hdf5_arrays_of_each_layout_are_read(void **state)
{
    (void)state;
    const char *path = write_h5("nhw.h5", DDPM_H5_U8, 3, (size_t[]){ 6, 4, 5 });
    const char *labels = "/y";
    CHECK_OK(run("hdf5", (ddpm_import_options){ .labels = &labels, .label_count = 1 },
                 (const char *[]){ path, NULL }));
    ddpm_dataset *set = open_set();
    assert_int_equal(ddpm_dataset_get_info(set)->shape.w, 5);
    assert_int_equal(ddpm_dataset_get_info(set)->shape.c, 1);
    assert_int_equal(ddpm_dataset_get_info(set)->classes, 5);
    assert_int_equal(ddpm_dataset_labels(set)[5], 0);
    assert_int_equal(value(set, 5, 3), 103);
    ddpm_dataset_close(set);

    path = write_h5("nchw.h5", DDPM_H5_U8, 4, (size_t[]){ 2, 3, 5, 6 });
    CHECK_OK(run("hdf5", (ddpm_import_options){ 0 }, (const char *[]){ path, NULL }));
    set = open_set();
    assert_int_equal(ddpm_dataset_get_info(set)->shape.h, 5);
    assert_int_equal(ddpm_dataset_get_info(set)->shape.c, 3);
    assert_int_equal(value(set, 1, (2 * 6 + 4) * 3 + 2), 90 + 2 * 30 + 2 * 6 + 4);
    ddpm_dataset_close(set);
    CHECK_OK(
        run("hdf5", (ddpm_import_options){ .layout = "nhwc" }, (const char *[]){ path, NULL }));
    set = open_set();
    assert_int_equal(ddpm_dataset_get_info(set)->shape.c, 6);
    assert_int_equal(value(set, 1, 7), 97);
    ddpm_dataset_close(set);

    path = write_h5("unclear.h5", DDPM_H5_U8, 4, (size_t[]){ 2, 3, 3, 3 });
    CHECK_STATUS(run("hdf5", (ddpm_import_options){ 0 }, (const char *[]){ path, NULL }),
                 DDPM_EUSAGE);
    CHECK_MESSAGE("--layout");
}

static void hdf5_ranges_are_stated_or_measured(void **state)
{
    (void)state;
    const char *path = write_h5("floats.h5", DDPM_H5_F32, 4, (size_t[]){ 2, 5, 5, 1 });
    CHECK_OK(run("hdf5", (ddpm_import_options){ 0 }, (const char *[]){ path, NULL }));
    ddpm_dataset *set = open_set();
    assert_true(ddpm_dataset_get_info(set)->is_float);
    assert_true(ddpm_dataset_get_info(set)->range_min == 0.0f);
    assert_true(ddpm_dataset_get_info(set)->range_max == 49.0f);
    ddpm_dataset_close(set);
    const ddpm_import_options stated = {
        .has_range = true, .range_min = -25, .range_max = 25, .pad = 7
    };
    CHECK_OK(run("hdf5", stated, (const char *[]){ path, NULL }));
    set = open_set();
    float x[49];
    CHECK_OK(ddpm_dataset_read(set, x, NULL, (uint64_t[]){ 1 }, NULL, 1));
    assert_true(x[0] == -1.0f);               /* background */
    assert_true(x[8] == 1.0f && x[9] > 1.0f); /* 25, 26 */
    ddpm_dataset_close(set);
    path = write_h5("bytes.h5", DDPM_H5_U8, 3, (size_t[]){ 2, 4, 4 });
    CHECK_STATUS(run("hdf5", stated, (const char *[]){ path, NULL }), DDPM_EUSAGE);
    CHECK_MESSAGE("--range");
}

static void hdf5_of_another_kind_is_refused(void **state)
{
    (void)state;
    const char *path = write_h5("rank2.h5", DDPM_H5_U8, 2, (size_t[]){ 4, 4 });
    CHECK_STATUS(run("hdf5", (ddpm_import_options){ 0 }, (const char *[]){ path, NULL }),
                 DDPM_EDATA);
    CHECK_MESSAGE("no array of 3 or 4");
    CHECK_STATUS(
        run("hdf5", (ddpm_import_options){ .object = "/x" }, (const char *[]){ path, NULL }),
        DDPM_EDATA);
    CHECK_STATUS(
        run("hdf5", (ddpm_import_options){ .object = "nothing" }, (const char *[]){ path, NULL }),
        DDPM_EDATA);
    CHECK_MESSAGE("has no /nothing");
    path = write_h5("none.h5", DDPM_H5_U8, 3, (size_t[]){ 0, 4, 4 });
    CHECK_STATUS(run("hdf5", (ddpm_import_options){ 0 }, (const char *[]){ path, NULL }),
                 DDPM_EDATA);
    CHECK_MESSAGE("empty");
    const char *labels = "/x";
    path = write_h5("labels.h5", DDPM_H5_U8, 3, (size_t[]){ 2, 4, 4 });
    CHECK_STATUS(run("hdf5", (ddpm_import_options){ .labels = &labels, .label_count = 1 },
                     (const char *[]){ path, NULL }),
                 DDPM_EDATA);
}

static void an_import_stops_when_it_is_told_to(void **state)
{
    (void)state;
    static volatile sig_atomic_t stop = 1;
    unsigned char images[256];
    const char *path = write_file("images", images, idx_images(images, 5, 5));
    const size_t files = scratch_count();
    remove(scratch_path("set.h5"));
    CHECK_STATUS(run("idx", (ddpm_import_options){ .stop = &stop }, (const char *[]){ path, NULL }),
                 DDPM_EAGAIN);
    assert_in_range(scratch_count(), files - 1, files);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(idx_is_read_plain_and_compressed),
        cmocka_unit_test(padding_puts_images_in_the_middle_of_the_background),
        cmocka_unit_test(several_files_are_one_set),
        cmocka_unit_test(a_bad_idx_file_is_refused),
        cmocka_unit_test(labels_must_fit_their_images),
        cmocka_unit_test(every_truncation_of_a_gzip_file_is_an_error),
        cmocka_unit_test(what_is_not_there_is_no_input),
        cmocka_unit_test(cifar10_becomes_interleaved_colour),
        cmocka_unit_test(folders_of_images_are_read_in_order_of_their_names),
        cmocka_unit_test(hdf5_arrays_of_each_layout_are_read),
        cmocka_unit_test(hdf5_ranges_are_stated_or_measured),
        cmocka_unit_test(hdf5_of_another_kind_is_refused),
        cmocka_unit_test(an_import_stops_when_it_is_told_to),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
