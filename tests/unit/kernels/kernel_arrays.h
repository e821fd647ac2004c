/** @file kernel_arrays.h
 *  Arrays for the tests of kernels: exactly as long as asked (so that AddressSanitizer sees an
 *  element too far), kept in a list, and freed by the test's teardown, also where it failed. */
#ifndef KERNEL_ARRAYS_H
#define KERNEL_ARRAYS_H
#include "check.h"
#include "ddpm/base/shape.h"
#include "ddpm/kernels/isa.h"
#include "numeric.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEST(function) cmocka_unit_test_teardown(function, free_kept)

enum { KEPT_MOST = 1024, NO_SUCH_ISA = 77 /* what CTest takes for a skipped test */ };
static void *kept[KEPT_MOST];
static size_t kept_count;

static inline void *keep(void *array)
{
    assert_non_null(array);
    assert_true(kept_count < KEPT_MOST);
    return kept[kept_count++] = array;
}

static inline int free_kept(void **state)
{
    (void)state;
    while (kept_count > 0) free(kept[--kept_count]);
    return 0;
}

/* NaN, so that what is read before it is written, or never written, shows. */
static inline float *blank(size_t count)
{
    float *array = keep(malloc(count * sizeof *array + 1));
    for (size_t i = 0; i < count; i++) array[i] = NAN;
    return array;
}

static inline float *zeros(size_t count)
{
    return keep(calloc(count + 1, sizeof(float)));
}

static inline float *normals(size_t count, uint64_t seed)
{
    float *array = blank(count);
    fill_normal(array, count, seed);
    return array;
}

static inline float *copy_of(const float *array, size_t count)
{
    return memcpy(blank(count), array, count * sizeof *array);
}

static inline double *wide(size_t count)
{
    return keep(calloc(count + 1, sizeof(double)));
}

/* 64-byte aligned, full of NaN. */
static inline void *scratch_of(size_t bytes)
{
    void *memory = keep(aligned_alloc(64, (bytes + 127) / 64 * 64));
    memset(memory, 0xFF, bytes);
    return memory;
}

static inline void check_same_bits(const float *a, const float *b, size_t count)
{
    assert_memory_equal(a, b, count * sizeof *a);
}

/* Runs `run` with 1, 2, 3 and 7 threads; all of its output has to have the same bits. */
static inline void check_same_bits_on_any_threads(void (*run)(float *out), size_t count)
{
    static const int threads[] = { 1, 2, 3, 7 };
    const int before = ddpm_kernels_threads();
    float *one = NULL;
    for (size_t i = 0; i < sizeof threads / sizeof *threads; i++) {
        float *out = blank(count);
        ddpm_kernels_set_threads(threads[i]);
        run(out);
        if (one)
            check_same_bits(out, one, count);
        else
            one = out;
    }
    ddpm_kernels_set_threads(before);
}

/* To start main with: false, and why is printed, where this processor lacks DDPM_ISA. */
static inline bool isa_is_there(void)
{
    if (ddpm_kernels_init() == DDPM_OK) return true;
    puts(ddpm_status_message());
    return false;
}
#endif
