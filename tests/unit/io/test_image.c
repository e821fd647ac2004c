#include "ddpm/io/image.h"

#include "check.h"
#include "scratch.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
/* after stdio.h */
#include <jpeglib.h>

enum { LIMIT = 1 << 20 };

static ddpm_image make_image(size_t height, size_t width, size_t channels)
{
    ddpm_image image = { height, width, channels, malloc(height * width * channels) };
    assert_non_null(image.pixels);
    for (size_t i = 0; i < height * width * channels; i++)
        image.pixels[i] = (uint8_t)(i * 37 + i / 5);
    return image;
}

static const char *write_png(const char *name, const ddpm_image *image)
{
    const char *path = scratch_path("%s", name);
    CHECK_OK(ddpm_image_write_png(image, path));
    return path;
}

static void a_png_of_grey_or_colour_comes_back_exactly(void **state)
{
    (void)state;
    for (size_t channels = 1; channels <= 3; channels += 2) {
        ddpm_image image = make_image(7, 5, channels), read;
        CHECK_OK(ddpm_image_read(&read, write_png("exact.png", &image), 0, LIMIT));
        assert_int_equal(read.height, 7);
        assert_int_equal(read.width, 5);
        assert_int_equal(read.channels, channels);
        assert_memory_equal(read.pixels, image.pixels, 7 * 5 * channels);
        ddpm_image_free(&read);
        ddpm_image_free(&image);
    }
}

static void alpha_is_blended_over_black(void **state)
{
    (void)state;
    uint8_t rgba[] = { 200, 100, 50, 255, 200, 100, 50, 0, 200, 100, 50, 128 };
    uint8_t grey_alpha[] = { 200, 255, 200, 0, 200, 128 };
    const uint8_t colours[] = { 200, 100, 50, 0, 0, 0, 100, 50, 25 }, greys[] = { 200, 0, 100 };
    ddpm_image read;
    CHECK_OK(
        ddpm_image_read(&read, write_png("rgba.png", &(ddpm_image){ 1, 3, 4, rgba }), 0, LIMIT));
    assert_int_equal(read.channels, 3);
    assert_memory_equal(read.pixels, colours, sizeof colours);
    ddpm_image_free(&read);
    CHECK_OK(ddpm_image_read(&read, write_png("ga.png", &(ddpm_image){ 1, 3, 2, grey_alpha }), 0,
                             LIMIT));
    assert_int_equal(read.channels, 1);
    assert_memory_equal(read.pixels, greys, sizeof greys);
    ddpm_image_free(&read);
}

static void channels_are_converted_on_request(void **state)
{
    (void)state;
    uint8_t rgb[] = { 255, 255, 255, 255, 0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0 };
    const uint8_t luma[] = { 255, 76, 150, 29, 0 };
    uint8_t grey[] = { 7, 200 };
    const uint8_t repeated[] = { 7, 7, 7, 200, 200, 200 };
    ddpm_image read;
    CHECK_OK(ddpm_image_read(&read, write_png("rgb.png", &(ddpm_image){ 1, 5, 3, rgb }), 1, LIMIT));
    assert_int_equal(read.channels, 1);
    assert_memory_equal(read.pixels, luma, sizeof luma);
    ddpm_image_free(&read);
    CHECK_OK(
        ddpm_image_read(&read, write_png("grey.png", &(ddpm_image){ 1, 2, 1, grey }), 3, LIMIT));
    assert_memory_equal(read.pixels, repeated, sizeof repeated);
    ddpm_image_free(&read);
}

/* A chunk of PNG: length, name, data, CRC. */
static size_t put_chunk(unsigned char *to, const char *name, const unsigned char *data, size_t n)
{
    const unsigned char length[4] = { (unsigned char)(n >> 24), (unsigned char)(n >> 16),
                                      (unsigned char)(n >> 8), (unsigned char)n };
    memcpy(to, length, 4);
    memcpy(to + 4, name, 4);
    if (n) memcpy(to + 8, data, n);
    const uLong crc = crc32(crc32(0, NULL, 0), to + 4, (uInt)(n + 4));
    for (int i = 0; i < 4; i++) to[8 + n + (size_t)i] = (unsigned char)(crc >> (24 - 8 * i));
    return n + 12;
}

static void a_png_that_claims_to_be_huge_is_refused(void **state)
{
    (void)state;
    static const unsigned char signature[8] = { 0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n' };
    const unsigned char header[13] = { 0, 0x40, 0, 0, 0, 0x40, 0, 0, 8, 2, 0, 0, 0 };
    unsigned char file[256];
    size_t used = sizeof signature;
    memcpy(file, signature, used);
    used += put_chunk(file + used, "IHDR", header, sizeof header);
    used += put_chunk(file + used, "IDAT", NULL, 0);
    used += put_chunk(file + used, "IEND", NULL, 0);
    const char *path = scratch_path("huge.png");
    scratch_write(path, file, used);
    ddpm_image read;
    CHECK_STATUS(ddpm_image_read(&read, path, 0, LIMIT), DDPM_EDATA);
    CHECK_MESSAGE("4194304 x 4194304");
    assert_null(read.pixels);
}

static void every_truncated_png_is_an_error(void **state)
{
    (void)state;
    ddpm_image image = make_image(9, 9, 3), read;
    size_t bytes;
    const char *path = write_png("cut.png", &image);
    unsigned char *content = scratch_read(path, &bytes);
    for (size_t n = 0; n < bytes; n++) {
        scratch_write(path, content, n);
        CHECK_STATUS(ddpm_image_read(&read, path, 0, LIMIT), DDPM_EDATA);
    }
    free(content);
    ddpm_image_free(&image);
}

static void damaged_pixels_of_a_png_are_an_error(void **state)
{
    (void)state;
    ddpm_image image = make_image(16, 16, 1), read;
    size_t bytes;
    const char *path = write_png("bits.png", &image);
    unsigned char *content = scratch_read(path, &bytes);
    for (size_t i = 8; i < bytes; i++) {
        content[i] ^= 0x10;
        scratch_write(path, content, bytes);
        /* Only the name of a chunk that may be left out can change without harm. */
        if (ddpm_image_read(&read, path, 0, LIMIT) == DDPM_OK) {
            assert_memory_equal(read.pixels, image.pixels, 256);
            ddpm_image_free(&read);
        }
        content[i] ^= 0x10;
    }
    free(content);
    ddpm_image_free(&image);
}

static const char *write_jpeg(const char *name, int components, J_COLOR_SPACE space)
{
    const char *path = scratch_path("%s", name);
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr errors;
    jpeg.err = jpeg_std_error(&errors);
    jpeg_create_compress(&jpeg);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    jpeg_stdio_dest(&jpeg, file);
    jpeg.image_width = jpeg.image_height = 24;
    jpeg.input_components = components;
    jpeg.in_color_space = space;
    jpeg_set_defaults(&jpeg);
    jpeg_set_quality(&jpeg, 100, TRUE);
    jpeg_start_compress(&jpeg, TRUE);
    for (int y = 0; y < 24; y++) {
        unsigned char line[24 * 4];
        for (int x = 0; x < 24; x++)
            for (int c = 0; c < components; c++)
                line[x * components + c] = (unsigned char)(40 + 60 * c + 2 * x + y);
        JSAMPROW row = line;
        jpeg_write_scanlines(&jpeg, &row, 1);
    }
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    fclose(file);
    return path;
}

static void a_jpeg_is_read_in_its_colours(void **state)
{
    (void)state;
    ddpm_image read;
    CHECK_OK(ddpm_image_read(&read, write_jpeg("colour.jpg", 3, JCS_RGB), 0, LIMIT));
    assert_int_equal(read.channels, 3);
    assert_int_equal(read.width, 24);
    for (int y = 0; y < 24; y++)
        for (int x = 0; x < 24; x++)
            for (int c = 0; c < 3; c++)
                CHECK_LE(abs(read.pixels[(y * 24 + x) * 3 + c] - (40 + 60 * c + 2 * x + y)), 6);
    ddpm_image_free(&read);
    CHECK_OK(ddpm_image_read(&read, write_jpeg("grey.jpg", 1, JCS_GRAYSCALE), 0, LIMIT));
    assert_int_equal(read.channels, 1);
    ddpm_image_free(&read);
    CHECK_STATUS(ddpm_image_read(&read, write_jpeg("cmyk.jpg", 4, JCS_CMYK), 0, LIMIT), DDPM_EDATA);
    CHECK_MESSAGE("CMYK");
    CHECK_STATUS(ddpm_image_read(&read, write_jpeg("large.jpg", 3, JCS_RGB), 0, 575), DDPM_EDATA);
    CHECK_MESSAGE("24 x 24");
}

static void every_truncated_jpeg_is_an_error(void **state)
{
    (void)state;
    ddpm_image read;
    size_t bytes;
    const char *path = write_jpeg("cut.jpg", 3, JCS_RGB);
    unsigned char *content = scratch_read(path, &bytes);
    for (size_t n = 0; n < bytes; n++) {
        scratch_write(path, content, n);
        CHECK_STATUS(ddpm_image_read(&read, path, 0, LIMIT), DDPM_EDATA);
    }
    free(content);
}

static void other_files_are_no_images(void **state)
{
    (void)state;
    ddpm_image read;
    scratch_write(scratch_path("text.png"), "no image", 8);
    CHECK_STATUS(ddpm_image_read(&read, scratch_path("text.png"), 0, LIMIT), DDPM_EDATA);
    CHECK_MESSAGE("neither PNG nor JPEG");
    CHECK_STATUS(ddpm_image_read(&read, scratch_path("absent.png"), 0, LIMIT), DDPM_ENOINPUT);
}

static void a_constant_stays_constant_at_any_size(void **state)
{
    (void)state;
    for (size_t height = 1; height <= 13; height += 3)
        for (size_t width = 1; width <= 17; width += 4)
            for (size_t size = 1; size <= 19; size += 3) {
                ddpm_image in = make_image(height, width, 3), out;
                memset(in.pixels, 201, height * width * 3);
                CHECK_OK(ddpm_image_crop_resize(&out, &in, size, size + 1));
                for (size_t i = 0; i < size * (size + 1) * 3; i++)
                    assert_int_equal(out.pixels[i], 201);
                ddpm_image_free(&out);
                ddpm_image_free(&in);
            }
}

static double mean_of(const ddpm_image *image)
{
    double sum = 0.0;
    const size_t count = image->height * image->width * image->channels;
    for (size_t i = 0; i < count; i++) sum += image->pixels[i];
    return sum / (double)count;
}

static void the_mean_is_kept(void **state)
{
    (void)state;
    ddpm_image in = make_image(60, 60, 1), out;
    for (size_t size = 7; size < 100; size += 9) {
        CHECK_OK(ddpm_image_crop_resize(&out, &in, size, size));
        /* Each pixel is rounded once, by at most a half and evenly. */
        CHECK_LE(fabs(mean_of(&out) - mean_of(&in)), 0.1 + 1.0 / (double)size);
        ddpm_image_free(&out);
    }
    ddpm_image_free(&in);
}

static void halving_is_the_mean_of_four(void **state)
{
    (void)state;
    ddpm_image in = make_image(8, 12, 3), out;
    CHECK_OK(ddpm_image_crop_resize(&out, &in, 4, 6));
    for (size_t h = 0; h < 4; h++)
        for (size_t w = 0; w < 6; w++)
            for (size_t c = 0; c < 3; c++) {
                int sum = 0;
                for (size_t k = 0; k < 4; k++)
                    sum += in.pixels[((2 * h + k / 2) * 12 + 2 * w + k % 2) * 3 + c];
                assert_int_equal(out.pixels[(h * 6 + w) * 3 + c], (sum + 2) / 4);
            }
    ddpm_image_free(&out);
    ddpm_image_free(&in);
}

static void the_crop_is_the_centre(void **state)
{
    (void)state;
    ddpm_image in = make_image(6, 10, 1), out;
    CHECK_OK(ddpm_image_crop_resize(&out, &in, 6, 6));
    for (size_t h = 0; h < 6; h++)
        assert_memory_equal(out.pixels + 6 * h, in.pixels + 10 * h + 2, 6);
    ddpm_image_free(&out);
    ddpm_image_free(&in);
    in = make_image(9, 4, 1);
    CHECK_OK(ddpm_image_crop_resize(&out, &in, 4, 4));
    assert_memory_equal(out.pixels, in.pixels + 8, 16);
    ddpm_image_free(&out);
    ddpm_image_free(&in);
}

/* Area resampling by its definition, in double. */
static double area_mean(const ddpm_image *in, double top, double bottom, double left, double right)
{
    double sum = 0.0;
    for (size_t h = 0; h < in->height; h++)
        for (size_t w = 0; w < in->width; w++) {
            const double y = fmin((double)h + 1, bottom) - fmax((double)h, top);
            const double x = fmin((double)w + 1, right) - fmax((double)w, left);
            if (x > 0 && y > 0) sum += x * y * in->pixels[h * in->width + w];
        }
    return sum / ((bottom - top) * (right - left));
}

static void resizing_is_the_mean_over_the_area(void **state)
{
    (void)state;
    ddpm_image in = make_image(11, 11, 1), out;
    for (size_t size = 1; size < 30; size += 4) {
        CHECK_OK(ddpm_image_crop_resize(&out, &in, size, size));
        const double step = 11.0 / (double)size;
        for (size_t h = 0; h < size; h++)
            for (size_t w = 0; w < size; w++) {
                const double top = step * (double)h, left = step * (double)w;
                const double mean = area_mean(&in, top, top + step, left, left + step);
                CHECK_LE(fabs(out.pixels[h * size + w] - mean), 0.5 + 1e-9);
            }
        ddpm_image_free(&out);
    }
    ddpm_image_free(&in);
}

static void a_grid_shows_each_image_in_its_place(void **state)
{
    (void)state;
    /* Five images of one value each, 48 x 48: enlarged by 2, in rows of 3. */
    enum { N = 5, SIDE = 48, CELL = 2 * SIDE + 2 };
    const float value[N] = { -1.0f, 1.0f, 0.0f, 7.0f, NAN };
    const uint8_t shown[N] = { 0, 255, 128, 255, 0 };
    static float x[N][SIDE * SIDE];
    for (size_t i = 0; i < N; i++)
        for (size_t k = 0; k < SIDE * SIDE; k++) x[i][k] = value[i];
    const char *path = scratch_path("grid.png");
    CHECK_OK(ddpm_image_write_grid(path, x[0], N, SIDE, SIDE, 1, 0));
    ddpm_image grid;
    CHECK_OK(ddpm_image_read(&grid, path, 0, LIMIT));
    assert_int_equal(grid.width, 3 * CELL - 2);
    assert_int_equal(grid.height, 2 * CELL - 2);
    assert_int_equal(grid.channels, 1);
    for (size_t i = 0; i < N; i++) {
        const size_t top = i / 3 * CELL, left = i % 3 * CELL;
        assert_int_equal(grid.pixels[top * grid.width + left], shown[i]);
        assert_int_equal(grid.pixels[(top + 95) * grid.width + left + 95], shown[i]);
    }
    assert_int_equal(grid.pixels[96], 255);                           /* between */
    assert_int_equal(grid.pixels[grid.height * grid.width - 1], 255); /* no sixth image */
    ddpm_image_free(&grid);
}

static void a_grid_shows_pixels_and_channels_in_order(void **state)
{
    (void)state;
    float x[2][2][5];
    for (size_t i = 0; i < 20; i++) (&x[0][0][0])[i] = (float)i / 10.0f - 1.0f;
    const char *path = scratch_path("channels.png");
    CHECK_OK(ddpm_image_write_grid(path, &x[0][0][0], 1, 2, 2, 5, 0));
    ddpm_image grid;
    CHECK_OK(ddpm_image_read(&grid, path, 0, LIMIT));
    assert_int_equal(grid.channels, 3);
    assert_int_equal(grid.width, 96);
    for (size_t h = 0; h < 96; h += 47)
        for (size_t w = 0; w < 96; w += 47)
            for (size_t c = 0; c < 3; c++)
                assert_int_equal(grid.pixels[(h * 96 + w) * 3 + c],
                                 lrintf((x[h / 48][w / 48][c] + 1.0f) * 127.5f));
    ddpm_image_free(&grid);
    CHECK_STATUS(ddpm_image_write_grid(scratch_path("no/grid.png"), &x[0][0][0], 1, 2, 2, 5, 0),
                 DDPM_ECREATE);
}

static void a_grid_larger_than_a_png_can_be_is_refused(void **state)
{
    (void)state;
    static const float x[1] = { 0.0f };
    size_t height = 0, width = 0;
    assert_true(ddpm_image_grid_size(&height, &width, 5, 32, 32, 0));
    assert_int_equal(width, 3 * (96 + 2) - 2);
    assert_int_equal(height, 2 * (96 + 2) - 2);
    assert_true(ddpm_image_grid_size(&height, &width, 100000, 8, 8, 100000));
    assert_int_equal(width, DDPM_PNG_SIDE_MOST - 2);
    assert_false(ddpm_image_grid_size(&height, &width, 100001, 8, 8, 100001));
    assert_int_equal(width, DDPM_PNG_SIDE_MOST + 8);
    assert_false(ddpm_image_grid_size(&height, &width, 100001, 8, 8, 1));
    CHECK_STATUS(ddpm_image_write_grid(scratch_path("wide.png"), x, 100001, 8, 8, 1, 100001),
                 DDPM_ECONFIG);
    CHECK_MESSAGE("too large for a PNG");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_png_of_grey_or_colour_comes_back_exactly),
        cmocka_unit_test(alpha_is_blended_over_black),
        cmocka_unit_test(channels_are_converted_on_request),
        cmocka_unit_test(a_png_that_claims_to_be_huge_is_refused),
        cmocka_unit_test(every_truncated_png_is_an_error),
        cmocka_unit_test(damaged_pixels_of_a_png_are_an_error),
        cmocka_unit_test(a_jpeg_is_read_in_its_colours),
        cmocka_unit_test(every_truncated_jpeg_is_an_error),
        cmocka_unit_test(other_files_are_no_images),
        cmocka_unit_test(a_constant_stays_constant_at_any_size),
        cmocka_unit_test(the_mean_is_kept),
        cmocka_unit_test(halving_is_the_mean_of_four),
        cmocka_unit_test(the_crop_is_the_centre),
        cmocka_unit_test(resizing_is_the_mean_over_the_area),
        cmocka_unit_test(a_grid_shows_each_image_in_its_place),
        cmocka_unit_test(a_grid_shows_pixels_and_channels_in_order),
        cmocka_unit_test(a_grid_larger_than_a_png_can_be_is_refused),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
