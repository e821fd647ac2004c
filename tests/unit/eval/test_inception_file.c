/* Files that are not the network. */
#include "check.h"
#include "inception_case.h"
#include "scratch.h"

#include "ddpm/eval/inception.h"
#include "ddpm/io/h5.h"
#include "ddpm/kernels/isa.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static ddpm_inception *network;
static unsigned char *whole;
static size_t whole_bytes;

static int make(void **state)
{
    if (scratch_make(state) != 0) return 1;
    case_write_safetensors(scratch_path("whole.safetensors"));
    whole = scratch_read(scratch_path("whole.safetensors"), &whole_bytes);
    CHECK_OK(ddpm_inception_create(&network));
    return 0;
}

static int unmake(void **state)
{
    free(whole);
    ddpm_inception_free(network);
    return scratch_remove(state);
}

static void expect_refused(const char *path, ddpm_status status, const char *reason)
{
    char hash[DDPM_SHA256_HEX];
    CHECK_STATUS(ddpm_inception_load(network, hash, path), status);
    CHECK_MESSAGE(path);
    CHECK_MESSAGE(reason);
}

/* The whole file with `from`, of the header, replaced by `to`, of the same length. */
static void expect_header_refused(const char *from, const char *to, const char *reason)
{
    const char *path = scratch_path("header.safetensors");
    const size_t length = strlen(from);
    unsigned char *at = memmem(whole, whole_bytes, from, length);
    assert_true(at && strlen(to) == length);
    for (size_t i = 0; i < length; i++) at[i] = (unsigned char)to[i];
    scratch_write(path, whole, whole_bytes);
    for (size_t i = 0; i < length; i++) at[i] = (unsigned char)from[i];
    expect_refused(path, DDPM_EDATA, reason);
}

static void a_missing_tensor_is_named(void **state)
{
    (void)state;
    expect_header_refused("Mixed_7c.branch_pool.bn.bias", "Mixed_7c.branch_pool.bn.bass",
                          "has no tensor 'Mixed_7c.branch_pool.bn.bias'");
}

static void a_tensor_of_another_shape_is_named_with_both(void **state)
{
    (void)state;
    expect_header_refused("\"shape\":[64,48,5,5]", "\"shape\":[48,64,5,5]",
                          "'Mixed_5b.branch5x5_2.conv.weight' has the shape [48, 64, 5, 5] instead "
                          "of [64, 48, 5, 5]");
    expect_header_refused("\"shape\":[64,48,5,5]", "\"shape\":[64,48,025]", "the header at byte");
    expect_header_refused("\"shape\":[64,48,5,5]", "\"shape\":[64,48,25] ",
                          "has the shape [64, 48, 25] instead of");
}

static void tensors_of_another_type_are_refused(void **state)
{
    (void)state;
    expect_header_refused("Conv2d_1a_3x3.conv.weight\":{\"dtype\":\"F32\"",
                          "Conv2d_1a_3x3.conv.weight\":{\"dtype\":\"I32\"",
                          "tensor 'Conv2d_1a_3x3.conv.weight' is of the type I32");
}

static void expect_value_refused(float value, const char *reason)
{
    const char *path = scratch_path("value.safetensors");
    float kept;
    /* The first tensor behind what nobody reads: running_var of the first layer. */
    unsigned char *at = whole + 8 + 16;
    for (size_t i = 0; i < 8; i++) at += (size_t)whole[i] << (8 * i);
    memcpy(&kept, at, sizeof kept);
    memcpy(at, &value, sizeof value);
    scratch_write(path, whole, whole_bytes);
    memcpy(at, &kept, sizeof kept);
    expect_refused(path, DDPM_EDATA, reason);
}

static void a_value_that_makes_no_sense_is_refused(void **state)
{
    (void)state;
    expect_value_refused(NAN, "'Conv2d_1a_3x3.bn.running_var' has a value that is not finite");
    expect_value_refused(-0.5f, "'Conv2d_1a_3x3.bn.running_var' has a variance of -0.5");
}

static void a_cut_file_is_refused(void **state)
{
    (void)state;
    const char *path = scratch_path("cut.safetensors");
    scratch_write(path, whole, whole_bytes - 1);
    expect_refused(path, DDPM_EDATA, "may be truncated");
    scratch_write(path, whole, 8);
    expect_refused(path, DDPM_EDATA, "neither safetensors nor HDF5");
    scratch_write(path, whole, 0);
    expect_refused(path, DDPM_EDATA, "neither safetensors nor HDF5");
}

static void what_is_no_file_of_tensors_is_refused(void **state)
{
    (void)state;
    const char *path = scratch_path("weights.pth");
    scratch_write(path, "PK\003\004 and so on, as torch.save writes it", 40);
    expect_refused(path, DDPM_EDATA, "docs/features.md");
    expect_refused(scratch_path("nowhere"), DDPM_ENOINPUT, "No such file");
}

static void hdf5_of_another_network_is_refused(void **state)
{
    (void)state;
    const char *path = scratch_path("other.h5");
    const float values[6] = { 0 };
    ddpm_h5 *file;
    CHECK_OK(ddpm_h5_create(&file, path));
    CHECK_OK(ddpm_h5_write(file, "/x", DDPM_H5_F32, values, 1, (size_t[]){ 6 }));
    CHECK_OK(ddpm_h5_publish(file));
    expect_refused(path, DDPM_EDATA, "has no tensor 'Conv2d_1a_3x3.conv.weight'");
    CHECK_OK(ddpm_h5_create(&file, path));
    CHECK_OK(ddpm_h5_write(file, "/Conv2d_1a_3x3.conv.weight", DDPM_H5_F32, values, 2,
                           (size_t[]){ 2, 3 }));
    CHECK_OK(ddpm_h5_publish(file));
    expect_refused(path, DDPM_EDATA, "has the shape [2, 3] instead of [32, 3, 3, 3]");
}

int main(void)
{
    if (ddpm_kernels_init() != DDPM_OK) return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_missing_tensor_is_named),
        cmocka_unit_test(a_tensor_of_another_shape_is_named_with_both),
        cmocka_unit_test(tensors_of_another_type_are_refused),
        cmocka_unit_test(a_value_that_makes_no_sense_is_refused),
        cmocka_unit_test(a_cut_file_is_refused),
        cmocka_unit_test(what_is_no_file_of_tensors_is_refused),
        cmocka_unit_test(hdf5_of_another_network_is_refused),
    };
    return cmocka_run_group_tests(tests, make, unmake);
}
