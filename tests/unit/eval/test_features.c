/* Files of features: HDF5 and .npz, sound and hostile. */
#include "check.h"
#include "scratch.h"

#include "ddpm/eval/features.h"
#include "ddpm/io/h5.h"
#include "ddpm/kernels/isa.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#define ZLIB_CONST /* what is read is const */
#include <zlib.h>

/* A zip file in the making. */
typedef struct {
    unsigned char bytes[1 << 16], directory[1024];
    size_t used, directory_used;
    unsigned entries;
} zip;

static void put(unsigned char *to, size_t *used, uint64_t value, int width)
{
    for (int i = 0; i < width; i++) to[(*used)++] = (unsigned char)(value >> (8 * i));
}

static void add_entry(zip *z, const char *name, const unsigned char *data, size_t bytes,
                      bool deflated)
{
    unsigned char packed[1 << 15];
    size_t packed_bytes = bytes;
    const uint32_t crc = (uint32_t)crc32(0, data, (uInt)bytes);
    memcpy(packed, data, bytes);
    if (deflated) {
        z_stream s = {
            .next_in = data, .avail_in = (uInt)bytes, .next_out = packed, .avail_out = sizeof packed
        };
        assert_int_equal(deflateInit2(&s, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY), Z_OK);
        assert_int_equal(deflate(&s, Z_FINISH), Z_STREAM_END);
        packed_bytes = s.total_out;
        deflateEnd(&s);
    }
    const size_t offset = z->used, length = strlen(name);
    /* As numpy does, the local header has a Zip64 field and no sizes of its own. */
    put(z->bytes, &z->used, 0x04034b50u, 4);
    put(z->bytes, &z->used, 45, 2);
    put(z->bytes, &z->used, 0, 2);
    put(z->bytes, &z->used, deflated ? 8 : 0, 2);
    put(z->bytes, &z->used, 0, 4);
    put(z->bytes, &z->used, crc, 4);
    put(z->bytes, &z->used, 0xffffffffffffffffu, 8);
    put(z->bytes, &z->used, length, 2);
    put(z->bytes, &z->used, 20, 2);
    memcpy(z->bytes + z->used, name, length);
    z->used += length;
    memset(z->bytes + z->used, 1, 20);
    z->used += 20;
    memcpy(z->bytes + z->used, packed, packed_bytes);
    z->used += packed_bytes;

    size_t *used = &z->directory_used;
    put(z->directory, used, 0x02014b50u, 4);
    put(z->directory, used, 45, 4);
    put(z->directory, used, 0, 2);
    put(z->directory, used, deflated ? 8 : 0, 2);
    put(z->directory, used, 0, 4);
    put(z->directory, used, crc, 4);
    put(z->directory, used, packed_bytes, 4);
    put(z->directory, used, bytes, 4);
    put(z->directory, used, length, 2);
    put(z->directory, used, 0, 8);
    put(z->directory, used, 0, 4);
    put(z->directory, used, offset, 4);
    memcpy(z->directory + *used, name, length);
    *used += length;
    z->entries++;
}

static void add_array(zip *z, const char *name, const char *descr, const char *shape,
                      const void *data, size_t bytes, bool deflated)
{
    unsigned char npy[1 << 14];
    memcpy(npy, "\x93NUMPY\x01\x00", 8);
    const int length = snprintf((char *)npy + 10, 200,
                                "{'descr': '%s', 'fortran_order': False, 'shape': %s, }\n", descr,
                                shape);
    npy[8] = (unsigned char)length;
    npy[9] = 0;
    memcpy(npy + 10 + length, data, bytes);
    add_entry(z, name, npy, 10 + (size_t)length + bytes, deflated);
}

static void save(zip *z, const char *path)
{
    const size_t start = z->used;
    memcpy(z->bytes + z->used, z->directory, z->directory_used);
    z->used += z->directory_used;
    put(z->bytes, &z->used, 0x06054b50u, 4);
    put(z->bytes, &z->used, 0, 4);
    put(z->bytes, &z->used, z->entries, 2);
    put(z->bytes, &z->used, z->entries, 2);
    put(z->bytes, &z->used, z->directory_used, 4);
    put(z->bytes, &z->used, start, 4);
    put(z->bytes, &z->used, 0, 2);
    scratch_write(path, z->bytes, z->used);
}

static const double mu[3] = { 1.0, 2.0, 3.0 };
static const double sigma[9] = { 2.0, 0.5, 0.0, 0.5, 3.0, 0.0, 0.0, 0.0, 1.0 };

static zip statistics(bool deflated)
{
    zip z = { .used = 0 };
    add_array(&z, "mu.npy", "<f8", "(3,)", mu, sizeof mu, deflated);
    add_array(&z, "sigma.npy", "<f8", "(3, 3)", sigma, sizeof sigma, deflated);
    return z;
}

static void statistics_of_an_npz_are_read_stored_and_deflated(void **state)
{
    (void)state;
    for (int deflated = 0; deflated < 2; deflated++) {
        zip z = statistics(deflated);
        ddpm_features f;
        save(&z, scratch_path("stats.npz"));
        CHECK_OK(ddpm_features_read(&f, scratch_path("stats.npz"), "mine"));
        assert_true(f.d == 3 && f.n == 0 && !f.features);
        assert_memory_equal(f.stats.mean, mu, sizeof mu);
        assert_memory_equal(f.stats.covariance, sigma, sizeof sigma);
        ddpm_features_free(&f);
        CHECK_STATUS(ddpm_features_read(&f, scratch_path("stats.npz"), NULL), 78);
        CHECK_MESSAGE("--protocol");
        CHECK_STATUS(ddpm_features_read(&f, scratch_path("stats.npz"), "pytorch-fid"), 78);
        CHECK_MESSAGE("2048");
    }
}

static void no_cut_and_no_changed_byte_of_an_npz_is_believed(void **state)
{
    (void)state;
    for (int deflated = 0; deflated < 2; deflated++) {
        zip z = statistics(deflated);
        const char *path = scratch_path("hostile.npz");
        save(&z, path);
        for (size_t at = 0; at < z.used; at++) {
            ddpm_features f;
            const unsigned char turn = (unsigned char)(1u << at % 8);
            z.bytes[at] ^= turn;
            scratch_write(path, z.bytes, z.used);
            z.bytes[at] ^= turn;
            if (ddpm_features_read(&f, path, "mine") == DDPM_OK) {
                assert_memory_equal(f.stats.mean, mu, sizeof mu);
                assert_memory_equal(f.stats.covariance, sigma, sizeof sigma);
                ddpm_features_free(&f);
            }
            scratch_write(path, z.bytes, at);
            assert_int_not_equal(ddpm_features_read(&f, path, "mine"), DDPM_OK);
        }
    }
}

static void arrays_that_lie_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *descr, *shape;
        size_t bytes;
    } lies[] = {
        { "<f8", "(4,)", 24 },
        { "<f8", "(2,)", 24 },
        { ">f8", "(3,)", 24 },
        { "<i8", "(3,)", 24 },
        { "<f8", "(3, 1, 1)", 24 },
        { "<f8", "(0,)", 0 },
        { "<f8", "()", 8 },
        { "<f8", "(-3,)", 24 },
        { "<f8", "(99999999999999999999,)", 24 },
        { "<f8", "(4294967296, 4294967296)", 24 },
    };
    ddpm_features f;
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        zip z = { .used = 0 };
        add_array(&z, "mu.npy", lies[i].descr, lies[i].shape, mu, lies[i].bytes, false);
        add_array(&z, "sigma.npy", "<f8", "(3, 3)", sigma, sizeof sigma, false);
        save(&z, scratch_path("lie.npz"));
        CHECK_STATUS(ddpm_features_read(&f, scratch_path("lie.npz"), "mine"), 65);
    }
    zip z = { .used = 0 };
    add_array(&z, "mu.npy", "<f8", "(3,)", mu, sizeof mu, false);
    save(&z, scratch_path("half.npz"));
    CHECK_STATUS(ddpm_features_read(&f, scratch_path("half.npz"), "mine"), 65);
    CHECK_MESSAGE("no 'sigma'");
}

typedef struct {
    const char *protocol, *weights, *images; /* attributes; NULL: not there */
} notes;

static void write_noted(const char *path, notes of, const float *x, size_t n, size_t d)
{
    static const char *const names[] = { "protocol", "weights_sha256", "images" };
    const char *const texts[] = { of.protocol, of.weights, of.images };
    ddpm_h5 *file;
    const size_t size[] = { n, d };
    CHECK_OK(ddpm_h5_create(&file, path));
    CHECK_OK(ddpm_h5_write(file, "/features", DDPM_H5_F32, x, 2, size));
    for (size_t i = 0; i < 3; i++)
        if (texts[i]) CHECK_OK(ddpm_h5_set_attribute_text(file, "/features", names[i], texts[i]));
    CHECK_OK(ddpm_h5_publish(file));
}

static void write_h5(const char *path, const char *protocol, const float *x, size_t n, size_t d)
{
    write_noted(path, (notes){ .protocol = protocol }, x, n, d);
}

static void features_say_their_protocol_and_are_not_compared_across(void **state)
{
    (void)state;
    const float x[] = { 1, 2, 3, 4, 5, 6 };
    ddpm_features a, b, c;
    write_h5(scratch_path("a.h5"), "mine", x, 3, 2);
    write_h5(scratch_path("b.h5"), "yours", x, 3, 2);
    write_h5(scratch_path("c.h5"), NULL, x, 2, 3);
    CHECK_OK(ddpm_features_read(&a, scratch_path("a.h5"), NULL));
    CHECK_OK(ddpm_features_read(&b, scratch_path("b.h5"), "yours"));
    CHECK_OK(ddpm_features_read(&c, scratch_path("c.h5"), "mine"));
    assert_true(a.n == 3 && a.d == 2 && a.features[5] == 6.0f);
    CHECK_OK(ddpm_features_match(&a, &a));
    CHECK_STATUS(ddpm_features_match(&a, &b), 78);
    CHECK_MESSAGE("features of mine and of yours cannot be compared");
    CHECK_STATUS(ddpm_features_match(&a, &c), 78);
    ddpm_features_free(&a);
    ddpm_features_free(&b);
    ddpm_features_free(&c);
    CHECK_STATUS(ddpm_features_read(&a, scratch_path("a.h5"), "yours"), 78);
    CHECK_STATUS(ddpm_features_read(&a, scratch_path("c.h5"), NULL), 78);
    CHECK_STATUS(ddpm_features_read(&a, scratch_path("nowhere.h5"), NULL), 66);
}

enum { D = 2048 };
#define WEIGHTS "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
static const char ours[] = "pytorch-fid-inception-v3:0123456789abcdef";
static const char of_two[] =
    "{\"path\":\"s.h5\",\"content_hash\":\"sha256:ab\",\"images\":9,\"compared\":2}";

static void features_of_a_file_are_known_by_the_images_and_the_network(void **state)
{
    (void)state;
    static const float x[2 * D] = { 1 };
    const char *path = scratch_path("known.h5");
    char identity[DDPM_FEATURES_IDENTITY];
    ddpm_features f, by_network = { 0 };
    ddpm_features_identity(identity, WEIGHTS, "sha256:ab", 2);
    assert_string_equal(identity, "features 1\n" WEIGHTS "\nsha256:ab\n2");
    ddpm_features_set_hash(&by_network, identity, strlen(identity));
    write_noted(path, (notes){ ours, WEIGHTS, of_two }, x, 2, D);
    CHECK_OK(ddpm_features_read(&f, path, NULL));
    assert_string_equal(f.hash, by_network.hash);
    assert_string_equal(json_string_value(json_object_get(f.about, "path")), "s.h5");
    ddpm_features_free(&f);

    /* Where anything of it is missing or another's, by the file. */
    static const notes others[] = {
        { ours, NULL, of_two },
        { ours, WEIGHTS "0", of_two },
        { "pytorch-fid-inception-v3:0123456789abcdee", WEIGHTS, of_two },
        { "pytorch-fid", WEIGHTS, of_two },
        { ours, WEIGHTS, "{\"path\":\"s.h5\",\"compared\":2}" },
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        write_noted(path, others[i], x, 2, D);
        CHECK_OK(ddpm_features_read(&f, path, NULL));
        assert_non_null(f.about);
        assert_string_not_equal(f.hash, by_network.hash);
        ddpm_features_free(&f);
    }
}

static void what_makes_no_sense_about_the_images_is_left(void **state)
{
    (void)state;
    static const float x[2 * D] = { 1 };
    static char deep[1 << 15];
    const char *path = scratch_path("senseless.h5");
    memset(deep, '[', sizeof deep - 1);
    const char *const senseless[] = { "", "{", "[]", "7", "{\"compared\":3}", "{}", deep };
    ddpm_features f;
    for (size_t i = 0; i < sizeof senseless / sizeof *senseless; i++) {
        write_noted(path, (notes){ ours, WEIGHTS, senseless[i] }, x, 2, D);
        CHECK_OK(ddpm_features_read(&f, path, NULL));
        assert_null(f.about);
        assert_true(f.n == 2 && strncmp(f.hash, "sha256:", 7) == 0);
        ddpm_features_free(&f);
    }
    ddpm_h5 *file;
    const size_t size[] = { 1, 1 };
    const double number = 1.0;
    CHECK_OK(ddpm_h5_create(&file, path));
    CHECK_OK(ddpm_h5_write(file, "/features", DDPM_H5_F32, x, 2, size));
    CHECK_OK(ddpm_h5_set_attribute(file, "/features", "images", DDPM_H5_F64, &number, 1));
    CHECK_OK(ddpm_h5_publish(file));
    CHECK_OK(ddpm_features_read(&f, path, "mine"));
    assert_null(f.about);
    ddpm_features_free(&f);
}

static void features_of_an_npz_are_those_of_an_h5(void **state)
{
    (void)state;
    const float x[] = { 1, 2, 3, 4, 5, 6.5f };
    zip z = { .used = 0 };
    ddpm_features f;
    ddpm_feature_stats s;
    add_array(&z, "features.npy", "<f4", "(3, 2)", x, sizeof x, true);
    save(&z, scratch_path("f.npz"));
    CHECK_OK(ddpm_features_read(&f, scratch_path("f.npz"), "mine"));
    assert_true(f.n == 3 && f.d == 2);
    assert_memory_equal(f.features, x, sizeof x);
    CHECK_OK(ddpm_features_stats(&s, &f, NULL));
    assert_true(s.mean[0] == 3.0 && s.n == 3);
    ddpm_feature_stats_free(&s);
    ddpm_features_free(&f);
}

static void a_network_of_other_weights_is_another_protocol(void **state)
{
    (void)state;
    ddpm_features a = { .protocol = "net:0123", .d = 1 }, b = { .protocol = "net:0124", .d = 1 };
    CHECK_STATUS(ddpm_features_match(&a, &b), 78);
    CHECK_MESSAGE("net:0123 and of net:0124 cannot be compared: their networks have other weights");
    b.protocol[7] = '3';
    CHECK_OK(ddpm_features_match(&a, &b));
}

static void only_named_protocols_have_an_fid(void **state)
{
    (void)state;
    assert_non_null(ddpm_protocol_find("pytorch-fid"));
    assert_string_equal(ddpm_protocol_find("pytorch-fid")->frechet_name, "FID");
    assert_string_equal(ddpm_protocol_find("pytorch-fid-inception-v3:0123")->frechet_name, "FID");
    assert_null(ddpm_protocol_find("mine"));
    assert_null(ddpm_protocol_find("pytorch"));
    assert_null(ddpm_protocol_find(":pytorch-fid"));
}

int main(void)
{
    if (ddpm_kernels_init() != DDPM_OK) return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statistics_of_an_npz_are_read_stored_and_deflated),
        cmocka_unit_test(no_cut_and_no_changed_byte_of_an_npz_is_believed),
        cmocka_unit_test(arrays_that_lie_are_refused),
        cmocka_unit_test(features_say_their_protocol_and_are_not_compared_across),
        cmocka_unit_test(features_of_a_file_are_known_by_the_images_and_the_network),
        cmocka_unit_test(what_makes_no_sense_about_the_images_is_left),
        cmocka_unit_test(features_of_an_npz_are_those_of_an_h5),
        cmocka_unit_test(a_network_of_other_weights_is_another_protocol),
        cmocka_unit_test(only_named_protocols_have_an_fid),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
