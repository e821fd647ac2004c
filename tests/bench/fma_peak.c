#include "fma_peak.h"

#include <string.h>
#include <time.h>

/* An FMA takes 4 cycles and a core begins two each cycle: from 8 chains on neither latency nor
 * registers (16 with AVX2, 32 with AVX-512) are in the way. The chains are variables of their own,
 * since an array may live in memory. x = x a + b has the fixed point 1, so values stay normal. */
enum { CHAINS = 12 };
typedef long measured_loop(long rounds, volatile float *sink);

#define EACH_CHAIN(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7) DO(8) DO(9) DO(10) DO(11)
#define DECLARE(i)     vector x##i = a + (float)(i);
#define MULTIPLY(i)    x##i = x##i * a + b;
#define COLLECT(i)     total += x##i;

/* Returns how many floating point operations it did. */
#define LOOP(name, bytes, attributes)                                                              \
    attributes static long name(long rounds, volatile float *sink)                                 \
    {                                                                                              \
        typedef float vector __attribute__((vector_size(bytes)));                                  \
        const float factor = 0.5f + sink[0];                                                       \
        const vector a = (vector){ 0 } + factor, b = 1.0f - a;                                     \
        EACH_CHAIN(DECLARE)                                                                        \
        for (long r = 0; r < rounds; r++) {                                                        \
            EACH_CHAIN(MULTIPLY)                                                                   \
        }                                                                                          \
        vector total = { 0 };                                                                      \
        EACH_CHAIN(COLLECT)                                                                        \
        sink[0] = total[0] * 0.0f;                                                                 \
        return rounds * CHAINS * 2 * (long)(bytes / sizeof(float));                                \
    }

LOOP(loop_generic, 16, )
#if defined __x86_64__
LOOP(loop_avx2, 32, __attribute__((target("avx2,fma"))))
LOOP(loop_avx512, 64, __attribute__((target("avx512f"))))
#endif

static measured_loop *loop_of(const char *isa)
{
#if defined __x86_64__
    if (strncmp(isa, "avx512", 6) == 0) return loop_avx512; /* with or without bf16 */
    if (strcmp(isa, "avx2") == 0) return loop_avx2;
#endif
    (void)isa;
    return loop_generic;
}

static double cpu_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

double fma_peak_gflops(const char *isa)
{
    enum { RUNS = 20, ROUNDS = 2000000 };
    measured_loop *const loop = loop_of(isa);
    volatile float sink[1] = { 0.0f };
    double best = 0.0;
    for (int run = 0; run < RUNS; run++) {
        const double begin = cpu_seconds();
        const long operations = loop(ROUNDS, sink);
        const double rate = (double)operations / (cpu_seconds() - begin) * 1e-9;
        if (rate > best) best = rate;
    }
    return best;
}
