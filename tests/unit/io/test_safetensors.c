/* Files in the format safetensors, sound and hostile. */
#include "ddpm/io/safetensors.h"

#include "check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned char image[1 << 16];

/* A file of this header and so many bytes of data, which count up; its size. */
static size_t make(const char *header, size_t data_bytes)
{
    const size_t length = strlen(header);
    assert_true(8 + length + data_bytes <= sizeof image);
    for (size_t i = 0; i < 8; i++) image[i] = (unsigned char)((uint64_t)length >> (8 * i));
    for (size_t i = 0; i < length; i++) image[8 + i] = (unsigned char)header[i];
    for (size_t i = 0; i < data_bytes; i++) image[8 + length + i] = (unsigned char)i;
    return 8 + length + data_bytes;
}

/* The image as it would be read: nothing may lie behind it. */
static ddpm_status open_exactly(ddpm_safetensors **file, void **copy, size_t bytes)
{
    *copy = malloc(bytes ? bytes : 1);
    assert_non_null(*copy);
    memcpy(*copy, image, bytes);
    return ddpm_safetensors_open_image(file, *copy, bytes, "the file");
}

static void expect_refused(size_t bytes, const char *reason)
{
    ddpm_safetensors *file;
    void *copy;
    CHECK_STATUS(open_exactly(&file, &copy, bytes), DDPM_EDATA);
    CHECK_MESSAGE("the file");
    CHECK_MESSAGE(reason);
    free(copy);
}

static void tensors_are_found_by_name_with_their_sizes(void **state)
{
    (void)state;
    ddpm_safetensors *file;
    void *copy;
    const size_t bytes = make(
        "{\"__metadata__\":{\"format\":\"pt\"},"
        "\"b.weight\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[8,32]},"
        "\"n\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[0,8]},"
        "\"none\":{\"dtype\":\"F16\",\"shape\":[7,0],\"data_offsets\":[8,8]}}  ",
        32);
    CHECK_OK(open_exactly(&file, &copy, bytes));
    assert_int_equal(ddpm_safetensors_count(file), 3);
    assert_int_equal(ddpm_safetensors_find(file, "missing"), 3);
    const size_t index = ddpm_safetensors_find(file, "b.weight");
    const ddpm_safetensors_info info = ddpm_safetensors_get(file, index);
    assert_string_equal(info.name, "b.weight");
    assert_string_equal(info.dtype, "F32");
    assert_true(info.rank == 2 && info.size[0] == 2 && info.size[1] == 3 && info.count == 6);
    float values[6], expected[6];
    CHECK_OK(ddpm_safetensors_read(file, index, values));
    memcpy(expected, image + bytes - 24, sizeof expected);
    assert_memory_equal(values, expected, sizeof values);
    const size_t scalar = ddpm_safetensors_find(file, "n");
    assert_int_equal(ddpm_safetensors_get(file, scalar).count, 1);
    CHECK_STATUS(ddpm_safetensors_read(file, scalar, values), DDPM_EDATA);
    CHECK_MESSAGE("tensor 'n' is of the type I64");
    const size_t none = ddpm_safetensors_find(file, "none");
    assert_int_equal(ddpm_safetensors_get(file, none).count, 0);
    CHECK_OK(ddpm_safetensors_read(file, none, values));
    ddpm_safetensors_close(file);
    free(copy);
}

static void read_four(float values[4], const char *dtype, const void *data, size_t width)
{
    char header[200];
    ddpm_safetensors *file;
    snprintf(header, sizeof header,
             "{\"x\":{\"dtype\":\"%s\",\"shape\":[4],\"data_offsets\":[0,%zu]}}", dtype, 4 * width);
    const size_t bytes = make(header, 4 * width);
    memcpy(image + bytes - 4 * width, data, 4 * width);
    CHECK_OK(ddpm_safetensors_open_image(&file, image, bytes, "x"));
    CHECK_OK(ddpm_safetensors_read(file, 0, values));
    ddpm_safetensors_close(file);
}

static void every_kind_of_number_becomes_a_float(void **state)
{
    (void)state;
    float x[4];
    read_four(x, "F32", (float[]){ 1.5f, -0.0f, 1e-42f, 3e38f }, 4);
    assert_true(x[0] == 1.5f && x[1] == 0.0f && signbit(x[1]) && x[2] == 1e-42f && x[3] == 3e38f);
    read_four(x, "F64", (double[]){ 1.0 + 1e-12, -2.0, 1e300, 0.1 }, 8);
    assert_true(x[0] == 1.0f && x[1] == -2.0f && isinf(x[2]) && x[3] == 0.1f);
    read_four(x, "BF16", (uint16_t[]){ 0x3f80, 0xc040, 0x7f80, 0x0001 }, 2);
    assert_true(x[0] == 1.0f && x[1] == -3.0f && isinf(x[2]) && x[3] == 0x1p-133f);
    read_four(x, "F16", (uint16_t[]){ 0x3c01, 0xfbff, 0x0400, 0x0001 }, 2);
    assert_true(x[0] == 0x1.004p0f && x[1] == -65504.0f && x[2] == 0x1p-14f && x[3] == 0x1p-24f);
    read_four(x, "F16", (uint16_t[]){ 0x83ff, 0x7c00, 0xfc00, 0x7e00 }, 2);
    assert_true(x[0] == -0x1.ff8p-15f && x[1] == INFINITY && x[2] == -INFINITY && isnan(x[3]));
}

/* Bits of each half against what they mean. */
static void every_finite_half_is_exact(void **state)
{
    (void)state;
    for (uint32_t half = 0; half < 65536; half += 4) {
        float x[4];
        uint16_t four[4];
        for (uint32_t i = 0; i < 4; i++) four[i] = (uint16_t)(half + i);
        read_four(x, "F16", four, 2);
        for (uint32_t i = 0; i < 4; i++) {
            const int exponent = four[i] >> 10 & 31, fraction = four[i] & 1023;
            const double size = exponent ? ldexp(1024 + fraction, exponent - 25)
                                         : ldexp(fraction, -24);
            if (exponent < 31) assert_true((double)x[i] == (four[i] & 0x8000 ? -size : size));
        }
    }
}

static void a_file_without_tensors_is_one(void **state)
{
    (void)state;
    ddpm_safetensors *file;
    CHECK_OK(ddpm_safetensors_open_image(&file, image, make("{}", 0), "x"));
    assert_int_equal(ddpm_safetensors_count(file), 0);
    ddpm_safetensors_close(file);
    ddpm_safetensors_close(NULL);
}

static void what_is_no_header_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *header, *reason;
    } bad[] = {
        { "", "no JSON object" },
        { "[]", "no JSON object" },
        { " {}", "no JSON object" },
        { "{", "the header at byte" },
        { "{}x", "the header at byte" },
        { "{\"x\":}", "the header at byte" },
        { "{\"\xff\":1}", "the header at byte" },
        { "{\"x\\u0000y\":1}", "the header at byte" },
        { "{\"x\":99999999999999999999}", "the header at byte" },
        { "{\"x\":{},\"x\":{}}", "duplicate" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        expect_refused(make(bad[i].header, 0), bad[i].reason);
    expect_refused(7, "7 bytes");
    make("{}", 0);
    memset(image, 0xff, 8);
    expect_refused(10, "a header of 18446744073709551615 bytes");
    make("{}", 0);
    image[0] = 3;
    expect_refused(10, "a header of 3 bytes");
}

/* Deeper than a parser's stack should go. */
static void brackets_without_end_are_refused(void **state)
{
    (void)state;
    char *header = malloc(60001);
    assert_non_null(header);
    memcpy(header, "{\"x\":", 5);
    memset(header + 5, '[', 59995);
    header[60000] = '\0';
    expect_refused(make(header, 0), "the header at byte");
    free(header);
}

static void a_header_above_the_limit_is_refused_unread(void **state)
{
    (void)state;
    const size_t length = DDPM_SAFETENSORS_HEADER_BYTES + 1;
    unsigned char *large = calloc(1, 8 + length);
    ddpm_safetensors *file;
    assert_non_null(large);
    memset(large + 8, ' ', length);
    memcpy(large + 8, "{}", 2);
    large[0] = 1;
    large[2] = 0x40;
    CHECK_STATUS(ddpm_safetensors_open_image(&file, large, 8 + length, "x"), DDPM_EDATA);
    CHECK_MESSAGE("4194305 bytes");
    large[0] = 0;
    CHECK_OK(ddpm_safetensors_open_image(&file, large, 8 + length - 1, "x"));
    ddpm_safetensors_close(file);
    free(large);
}

/* One tensor "x" of what stands there, and 16 bytes of data. */
static void descriptions_that_lie_are_refused_by_name(void **state)
{
    (void)state;
    static const struct {
        const char *entry, *reason;
    } lies[] = {
        { "1", "not described by an object" },
        { "{}", "no dtype" },
        { "{\"dtype\":4,\"shape\":[4],\"data_offsets\":[0,16]}", "no dtype" },
        { "{\"dtype\":\"F33\",\"shape\":[4],\"data_offsets\":[0,16]}", "unknown type 'F33'" },
        { "{\"dtype\":\"F32\",\"data_offsets\":[0,16]}", "no shape" },
        { "{\"dtype\":\"F32\",\"shape\":4,\"data_offsets\":[0,16]}", "no shape" },
        { "{\"dtype\":\"F32\",\"shape\":[-4],\"data_offsets\":[0,16]}", "a size that is none" },
        { "{\"dtype\":\"F32\",\"shape\":[4.0],\"data_offsets\":[0,16]}", "a size that is none" },
        { "{\"dtype\":\"F32\",\"shape\":[\"4\"],\"data_offsets\":[0,16]}", "a size that is none" },
        { "{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,4],\"data_offsets\":[0,16]}",
          "too many dimensions" },
        { "{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,16]}",
          "a size that is none" },
        /* times 4 bytes it is 16, modulo 2^64 */
        { "{\"dtype\":\"F32\",\"shape\":[4611686018427387908],\"data_offsets\":[0,16]}",
          "another size than its shape" },
        { "{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,16]}", "another size" },
        { "{\"dtype\":\"F64\",\"shape\":[4],\"data_offsets\":[0,16]}", "another size" },
        { "{\"dtype\":\"F32\",\"shape\":[4]}", "no data_offsets" },
        { "{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[16]}", "no data_offsets" },
        { "{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16,16]}", "no data_offsets" },
        { "{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[-16,0]}", "no data_offsets" },
        { "{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[16,0]}", "no data_offsets" },
        { "{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,1.6e1]}", "no data_offsets" },
        { "{\"dtype\":\"F32\",\"shape\":[5],\"data_offsets\":[0,20]}", "past the end" },
        { "{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[9223372036854775791,"
          "9223372036854775807]}",
          "past the end" },
        { "{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[4,16]}", "a hole before it" },
        { "{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,12]}", "4 bytes at its end" },
        { "{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]},"
          "\"y\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]}",
          "tensor 'y' overlaps" },
        { "{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
          "\"y\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[12,16]}",
          "tensor 'y' leaves a hole" },
    };
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        char header[512];
        snprintf(header, sizeof header, "{\"x\":%s}", lies[i].entry);
        expect_refused(make(header, 16), lies[i].reason);
    }
}

static void a_long_name_is_refused(void **state)
{
    (void)state;
    char header[1024], name[DDPM_SAFETENSORS_NAME_BYTES + 1];
    memset(name, 'n', sizeof name);
    name[DDPM_SAFETENSORS_NAME_BYTES] = '\0';
    snprintf(header, sizeof header,
             "{\"%s\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]}}", name);
    expect_refused(make(header, 0), "too long a name");
}

static void no_cut_of_a_file_is_believed(void **state)
{
    (void)state;
    const size_t bytes = make("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
                              "\"b\":{\"dtype\":\"BF16\",\"shape\":[2],\"data_offsets\":[8,12]}}",
                              12);
    for (size_t cut = 0; cut < bytes; cut++) expect_refused(cut, "the file");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tensors_are_found_by_name_with_their_sizes),
        cmocka_unit_test(every_kind_of_number_becomes_a_float),
        cmocka_unit_test(every_finite_half_is_exact),
        cmocka_unit_test(a_file_without_tensors_is_one),
        cmocka_unit_test(what_is_no_header_is_refused),
        cmocka_unit_test(brackets_without_end_are_refused),
        cmocka_unit_test(a_header_above_the_limit_is_refused_unread),
        cmocka_unit_test(descriptions_that_lie_are_refused_by_name),
        cmocka_unit_test(a_long_name_is_refused),
        cmocka_unit_test(no_cut_of_a_file_is_believed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
