#include "table.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern const ddpm_kernel_table ddpm_kernels__table_generic;
static bool always(void)
{
    return true;
}

#ifdef DDPM_HAVE_X86
extern const ddpm_kernel_table ddpm_kernels__table_avx2, ddpm_kernels__table_avx512;
extern const ddpm_kernel_table ddpm_kernels__table_avx512bf16;
static bool has_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}
static bool has_avx512(void)
{
    return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq");
}
static bool has_avx512bf16(void)
{
    return has_avx512() && __builtin_cpu_supports("avx512bf16");
}
#endif

/* Best first; the last one runs everywhere. */
static const struct {
    const ddpm_kernel_table *table;
    bool (*usable)(void);
} builds[] = {
#ifdef DDPM_HAVE_X86
    { &ddpm_kernels__table_avx512bf16, has_avx512bf16 },
    { &ddpm_kernels__table_avx512, has_avx512 },
    { &ddpm_kernels__table_avx2, has_avx2 },
#endif
    { &ddpm_kernels__table_generic, always },
};
enum { BUILDS = sizeof builds / sizeof *builds };

static pthread_once_t once = PTHREAD_ONCE_INIT;
static const ddpm_kernel_table *chosen, *best;
static bool as_asked;
static char names[64];

static void choose(void)
{
    const char *want = getenv("DDPM_ISA");
    for (size_t i = 0; i < BUILDS; i++) {
        if (!builds[i].usable()) continue;
        const char *isa = builds[i].table->isa;
        const size_t used = strlen(names);
        snprintf(names + used, sizeof names - used, "%s%s", used ? ", " : "", isa);
        const bool asked = want && strcmp(want, isa) == 0;
        if (!best) best = builds[i].table;
        if (!chosen || asked) chosen = builds[i].table;
        as_asked |= !want || asked;
    }
}

const ddpm_kernel_table *ddpm_kernels__table(void)
{
    pthread_once(&once, choose);
    return chosen;
}

const ddpm_kernel_table *ddpm_kernels__table_best(void)
{
    pthread_once(&once, choose);
    return best;
}

bool ddpm_kernels__table_is_as_asked(void)
{
    pthread_once(&once, choose);
    return as_asked;
}

const char *ddpm_kernels__table_names(void)
{
    pthread_once(&once, choose);
    return names;
}
