#include "ddpm/data/order.h"

#include "check.h"

#include <stdlib.h>
#include <string.h>

static void expect_permutation(uint64_t seed, uint64_t epoch, uint64_t n)
{
    unsigned char *seen = calloc(n, 1);
    assert_non_null(seen);
    for (uint64_t i = 0; i < n; i++) {
        const uint64_t image = ddpm_order_image(seed, epoch * n + i, n);
        assert_in_range(image, 0, n - 1);
        if (seen[image]++)
            fail_msg("image %llu twice of %llu", (unsigned long long)image, (unsigned long long)n);
    }
    free(seen);
}

static void every_epoch_is_a_permutation(void **state)
{
    (void)state;
    for (uint64_t n = 1; n <= 300; n++) expect_permutation(7, n % 5, n);
    const uint64_t large[] = { 1023, 1024, 1025, 4095, 4096, 4097, 60000, 65537 };
    for (size_t i = 0; i < sizeof large / sizeof *large; i++)
        expect_permutation(UINT64_C(0xdeadbeefcafe), i, large[i]);
}

static void epochs_and_seeds_give_other_orders(void **state)
{
    (void)state;
    enum { N = 1000 };
    int same_epoch = 0, same_seed = 0, high_seed = 0, high_epoch = 0;
    for (uint64_t i = 0; i < N; i++) {
        const uint64_t image = ddpm_order_image(1, i, N);
        same_epoch += image == ddpm_order_image(1, N + i, N);
        same_seed += image == ddpm_order_image(2, i, N);
        high_seed += image == ddpm_order_image(1 + (UINT64_C(1) << 32), i, N);
        high_epoch += image == ddpm_order_image(1, (UINT64_C(1) << 32) * N + i, N);
    }
    /* One of N is expected by chance. */
    CHECK_LE(same_epoch, 8);
    CHECK_LE(same_seed, 8);
    CHECK_LE(high_seed, 8);
    CHECK_LE(high_epoch, 8);
}

/* Chi-square of where image k comes, over many epochs: 99.99% bound for n - 1 degrees of freedom
   by Wilson and Hilferty's approximation is below 3 n for n >= 6. */
static void every_place_is_equally_likely(void **state)
{
    (void)state;
    enum { N = 12, EPOCHS = 12000 };
    static double count[N][N];
    memset(count, 0, sizeof count);
    for (uint64_t i = 0; i < (uint64_t)N * EPOCHS; i++)
        count[i % N][ddpm_order_image(99, i, N)] += 1.0;
    for (size_t place = 0; place < N; place++) {
        double chi_square = 0.0;
        for (size_t image = 0; image < N; image++) {
            const double expected = (double)EPOCHS / N, off = count[place][image] - expected;
            chi_square += off * off / expected;
        }
        CHECK_LE(chi_square, 3.0 * N);
    }
}

/* Neighbours in an epoch are no more often neighbours in the set than chance has it. */
static void the_order_does_not_keep_neighbours(void **state)
{
    (void)state;
    enum { N = 50000 };
    int close = 0;
    for (uint64_t i = 0; i + 1 < N; i++) {
        const uint64_t a = ddpm_order_image(3, i, N), b = ddpm_order_image(3, i + 1, N);
        const uint64_t distance = a > b ? a - b : b - a;
        close += distance <= 10;
    }
    CHECK_LE(close, 50); /* 20 are expected */
    CHECK_LE(3, close);
}

/* The order is part of the format of a run: these values, of an independent program in
   Python, may never change. */
static void the_order_is_the_same_for_ever(void **state)
{
    (void)state;
    static const uint64_t expected[2][6] = { { 25205, 11770, 40230, 32276, 40909, 17152 },
                                             { 19874, 34070, 43749, 22202, 5428, 9576 } };
    for (uint64_t i = 0; i < 6; i++) {
        assert_int_equal(ddpm_order_image(42, i, 60000), expected[0][i]);
        assert_int_equal(ddpm_order_image(42, UINT64_C(1) << 40 | i, 50000), expected[1][i]);
    }
    uint32_t flips = 0;
    for (uint64_t i = 0; i < 32; i++) flips |= (uint32_t)ddpm_order_flip(42, i) << i;
    assert_int_equal(flips, UINT32_C(0x496ac793));
}

static void about_half_are_flipped_and_not_by_place(void **state)
{
    (void)state;
    int flips = 0, agree = 0;
    for (uint64_t i = 0; i < 10000; i++) {
        flips += ddpm_order_flip(5, i);
        agree += ddpm_order_flip(5, i) == ddpm_order_flip(5, 10000 + i);
    }
    CHECK_LE(abs(flips - 5000), 250);
    CHECK_LE(abs(agree - 5000), 250);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_epoch_is_a_permutation),
        cmocka_unit_test(epochs_and_seeds_give_other_orders),
        cmocka_unit_test(every_place_is_equally_likely),
        cmocka_unit_test(the_order_does_not_keep_neighbours),
        cmocka_unit_test(the_order_is_the_same_for_ever),
        cmocka_unit_test(about_half_are_flipped_and_not_by_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
