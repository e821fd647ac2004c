/* Each source of this folder is compiled once per instruction set, with DDPM_ISA set to its name:
 * DDPM_K(softmax) is then ddpm_kernels__softmax_avx2, and so on. The kernels are written in the
 * compilers' vector extensions, with as many lanes as the instruction set's registers have. */
#ifndef DDPM_KERNELS_SIMD_ISA_H
#define DDPM_KERNELS_SIMD_ISA_H
#include "../kernel_list.h"

#include <stddef.h>
#include <string.h>

#define DDPM_K_JOIN(name, isa)   ddpm_kernels__##name##_##isa
#define DDPM_K_EXPAND(name, isa) DDPM_K_JOIN(name, isa)
#define DDPM_K(name)             DDPM_K_EXPAND(name, DDPM_ISA)

#if defined __AVX512F__
enum { LANES = 16 };
#elif defined __AVX2__
enum { LANES = 8 };
#else
enum { LANES = 4 };
#endif

typedef float vec __attribute__((vector_size(LANES * 4)));
/* A vec at any address that a float may have, overlapping whatever floats lie there. */
typedef float vec_at __attribute__((vector_size(LANES * 4), aligned(4), may_alias));

#define INLINE static inline __attribute__((always_inline))
/* foreach (i, n): for i = 0 .. n - 1, unrolled; n is a constant once everything is inlined. */
#if defined __SANITIZE_ADDRESS__ /* where nothing is fast but compiling should be */
#define UNROLL _Pragma("GCC unroll 1")
#elif defined __clang__
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif
#define foreach(i, n) UNROLL for (size_t i = 0; (i) < (n); (i)++)

INLINE vec load(const float *p)
{
    return *(const vec_at *)p;
}
INLINE void store(float *p, vec v)
{
    *(vec_at *)p = v;
}
/* The first `count` lanes only, count < LANES: the end of a row. The others are 0 in a load. */
INLINE vec load_some(const float *p, size_t count)
{
    vec v = { 0 };
    memcpy(&v, p, count * sizeof *p);
    return v;
}
INLINE void store_some(float *p, vec v, size_t count)
{
    memcpy(p, &v, count * sizeof *p);
}
/* The first min(count, LANES) lanes. */
INLINE vec load_upto(const float *p, size_t count)
{
    return count >= LANES ? load(p) : load_some(p, count);
}
INLINE void store_upto(float *p, vec v, size_t count)
{
    if (count >= LANES)
        store(p, v);
    else
        store_some(p, v, count);
}

// NOLINTNEXTLINE(bugprone-macro-parentheses): a name and a list of parameters
#define PROTOTYPE(name, arguments) void DDPM_K(name) arguments;
DDPM_KERNEL_LIST(PROTOTYPE)
#undef PROTOTYPE
#endif
