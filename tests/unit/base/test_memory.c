#include "ddpm/base/arena.h"
#include "ddpm/base/memory.h"

#include "check.h"

static void blocks_are_aligned_zeroed_and_counted_by_kind(void **state)
{
    (void)state;
    const size_t sizes[] = { 0, 1, 63, 64, 65, 100000, 3 << 20 };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        unsigned char *block = NULL;
        CHECK_OK(ddpm_memory_alloc(&block, sizes[i], 1, DDPM_MEMORY_EMA));
        assert_non_null(block);
        assert_int_equal((uintptr_t)block % DDPM_ALIGNMENT_BYTES, 0);
        for (size_t k = 0; k < sizes[i]; k++)
            if (block[k]) fail_msg("byte %zu of %zu is not zero", k, sizes[i]);
        assert_int_equal(ddpm_memory_live_bytes(DDPM_MEMORY_EMA), sizes[i]);
        assert_int_equal(ddpm_memory_live_bytes(DDPM_MEMORY_DATA), 0);
        assert_int_equal(ddpm_memory_live_blocks(), 1);
        ddpm_memory_free(block);
        assert_int_equal(ddpm_memory_live_total_bytes(), 0);
        assert_int_equal(ddpm_memory_live_blocks(), 0);
    }
    ddpm_memory_free(NULL);
}

static void impossible_sizes_are_refused_with_the_numbers(void **state)
{
    (void)state;
    void *block = NULL;
    CHECK_STATUS(ddpm_memory_alloc(&block, SIZE_MAX / 2, 4, DDPM_MEMORY_DATA), DDPM_EOS);
    CHECK_MESSAGE("out of memory");
    CHECK_STATUS(ddpm_memory_alloc(&block, SIZE_MAX - 8, 1, DDPM_MEMORY_DATA), DDPM_EOS);
    CHECK_STATUS(ddpm_memory_alloc(&block, ((size_t)1 << 46) + 1, 1, DDPM_MEMORY_DATA), DDPM_EOS);
    assert_null(block);
    assert_int_equal(ddpm_memory_live_blocks(), 0);
}

static void the_limit_is_the_machine_or_less(void **state)
{
    (void)state;
    const uint64_t limit = ddpm_memory_limit_bytes();
    assert_true(limit > (uint64_t)16 << 20);
    assert_true(limit < (uint64_t)1 << 50);
    assert_true(ddpm_memory_peak_rss_bytes() > 1 << 20);
}

/* The same code counts and takes. */
static size_t take_three(ddpm_arena *arena, unsigned char *piece[3])
{
    piece[0] = ddpm_arena_take(arena, 3, 7);
    const size_t mark = ddpm_arena_mark(arena);
    piece[1] = ddpm_arena_take(arena, 1000, 4);
    ddpm_arena_release(arena, mark);
    piece[2] = ddpm_arena_take(arena, 64, 1);
    return arena->peak_bytes;
}

static void an_arena_counts_what_it_later_takes(void **state)
{
    (void)state;
    ddpm_arena counting, taking;
    unsigned char *piece[3], *base = NULL;
    ddpm_arena_init(&counting, NULL, 0);
    const size_t bytes = take_three(&counting, piece);
    assert_null(piece[0]);
    assert_int_equal(bytes, 64 + 4032);
    CHECK_OK(ddpm_memory_alloc(&base, bytes, 1, DDPM_MEMORY_OTHER));
    ddpm_arena_init(&taking, base, bytes);
    assert_int_equal(take_three(&taking, piece), bytes);
    assert_ptr_equal(piece[0], base);
    assert_ptr_equal(piece[1], base + 64);
    assert_ptr_equal(piece[2], base + 64);
    ddpm_memory_free(base);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_are_aligned_zeroed_and_counted_by_kind),
        cmocka_unit_test(impossible_sizes_are_refused_with_the_numbers),
        cmocka_unit_test(the_limit_is_the_machine_or_less),
        cmocka_unit_test(an_arena_counts_what_it_later_takes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
