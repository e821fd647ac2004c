#include "ddpm/kernels/dropout.h"

#include "ddpm/base/philox.h"
#include "kernel_arrays.h"

static const uint64_t seed = UINT64_C(0x123456789ABCDEF0);
static const uint64_t samples[] = { 3, UINT64_C(0x500000001), 0, 77 };

static uint8_t *mask_of(const ddpm_dropout *op)
{
    const size_t count = ddpm_shape_count(op->shape);
    uint8_t *mask = keep(malloc(count + 1));
    memset(mask, 0xAA, count + 1);
    ddpm_dropout_mask(mask, seed, samples, op);
    assert_int_equal(mask[count], 0xAA);
    return mask;
}

/* The layout of the bits is a format: this is written after src/kernels/dropout.c's description,
 * with ddpm_random_bits. The last shape has images of more than one piece. */
static void the_bits_are_those_of_the_format(void **state)
{
    (void)state;
    static const ddpm_shape shapes[] = {
        { 1, 1, 1, 1 }, { 2, 3, 5, 7 }, { 4, 8, 8, 9 }, { 2, 40, 21, 43 }
    };
    for (size_t k = 0; k < sizeof shapes / sizeof *shapes; k++) {
        const ddpm_dropout op = { shapes[k], 0.3f, 0xABCDEF };
        const size_t image = op.shape.h * op.shape.w * op.shape.c, words = (image + 1) / 2;
        const uint8_t *mask = mask_of(&op);
        uint32_t *bits = keep(malloc(words * sizeof *bits));
        for (size_t n = 0; n < op.shape.n; n++) {
            ddpm_random_bits(bits, words,
                             &(ddpm_random){ .seed = seed,
                                             .index = samples[n],
                                             .purpose = DDPM_RANDOM_DROPOUT,
                                             .stream = op.layer });
            for (size_t i = 0; i < image; i++) {
                const uint32_t half = i % 2 ? bits[i / 2] >> 16 : bits[i / 2] & 0xFFFF;
                assert_int_equal(mask[n * image + i], half >= 19661); /* round(0.3 2^16) */
            }
        }
    }
}

static void the_share_that_is_dropped_is_p(void **state)
{
    (void)state;
    static const float p[] = { 0.0f, 0.1f, 0.5f, 0.9f };
    for (size_t k = 0; k < 4; k++) {
        const ddpm_dropout op = { { 4, 32, 32, 32 }, p[k], 5 };
        const size_t count = ddpm_shape_count(op.shape);
        const uint8_t *mask = mask_of(&op);
        size_t dropped = 0;
        for (size_t i = 0; i < count; i++) dropped += !mask[i];
        const double q = (double)p[k], deviation = sqrt(q * (1.0 - q) / (double)count);
        CHECK_LE(fabs((double)dropped / (double)count - q), 4.0 * deviation);
    }
}

/* Fraction of elements that differ, of masks with p = 1/2. */
static double difference(const uint8_t *a, const uint8_t *b, size_t count)
{
    size_t differing = 0;
    for (size_t i = 0; i < count; i++) differing += a[i] != b[i];
    return (double)differing / (double)count;
}

static void images_and_layers_have_masks_of_their_own(void **state)
{
    (void)state;
    ddpm_dropout op = { { 4, 16, 16, 16 }, 0.5f, 1 };
    const size_t image = 16 * 16 * 16;
    const uint8_t *mask = mask_of(&op);
    op.layer = 2;
    const uint8_t *of_other_layer = mask_of(&op);
    CHECK_LE(fabs(difference(mask, of_other_layer, 4 * image) - 0.5), 0.02);
    for (size_t n = 1; n < 4; n++)
        CHECK_LE(fabs(difference(mask, mask + n * image, image) - 0.5), 0.04);
}

static void a_mask_does_not_depend_on_the_batch_around_it(void **state)
{
    (void)state;
    const ddpm_dropout all = { { 4, 5, 7, 11 }, 0.2f, 9 }, last = { { 1, 5, 7, 11 }, 0.2f, 9 };
    const size_t image = 5 * 7 * 11;
    const uint8_t *mask = mask_of(&all);
    uint8_t *alone = keep(malloc(image));
    ddpm_dropout_mask(alone, seed, &samples[3], &last);
    assert_memory_equal(mask + 3 * image, alone, image);
}

static void what_is_kept_is_scaled_up_and_the_rest_is_zero(void **state)
{
    (void)state;
    const ddpm_dropout op = { { 2, 3, 5, 7 }, 0.25f, 0 };
    const size_t count = ddpm_shape_count(op.shape);
    const uint8_t *mask = mask_of(&op);
    const float *x = normals(count, 1);
    float *y = blank(count), *in_place = copy_of(x, count);
    ddpm_dropout_apply(y, x, mask, &op);
    ddpm_dropout_apply(in_place, in_place, mask, &op);
    check_same_bits(in_place, y, count);
    for (size_t i = 0; i < count; i++) {
        const double expected = mask[i] ? (double)x[i] / 0.75 : 0.0;
        CHECK_LE(fabs((double)y[i] - expected), 2e-7 * fabs(expected));
    }
}

enum { LARGE = 2 * 40 * 41 * 48 };
static void run_large(float *out)
{
    const ddpm_dropout op = { { 2, 40, 41, 48 }, 0.1f, 3 };
    ddpm_dropout_apply(out, normals(LARGE, 1), mask_of(&op), &op);
}

static void any_number_of_threads_gives_the_same_bits(void **state)
{
    (void)state;
    check_same_bits_on_any_threads(run_large, LARGE);
}

int main(void)
{
    if (!isa_is_there()) return NO_SUCH_ISA;
    const struct CMUnitTest tests[] = {
        TEST(the_bits_are_those_of_the_format),
        TEST(the_share_that_is_dropped_is_p),
        TEST(images_and_layers_have_masks_of_their_own),
        TEST(a_mask_does_not_depend_on_the_batch_around_it),
        TEST(what_is_kept_is_scaled_up_and_the_rest_is_zero),
        TEST(any_number_of_threads_gives_the_same_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
