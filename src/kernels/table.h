/* The run-time choice of instruction set: every inner kernel that is compiled more than once. */
#ifndef DDPM_KERNELS_TABLE_H
#define DDPM_KERNELS_TABLE_H
#include "kernel_list.h"
#include "winograd.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct {
    const char *isa;
    size_t panel;   /* columns of a panel of packed matrices */
    bool fast_bf16; /* has instructions for products in bfloat16; the others emulate them */
    const ddpm_winograd_kernels *winograd2, *winograd4, *winograd2_bf16, *winograd4_bf16;
// NOLINTNEXTLINE(bugprone-macro-parentheses): a name and a list of parameters
#define MEMBER(name, arguments) void(*name) arguments;
    DDPM_KERNEL_LIST(MEMBER)
#undef MEMBER
} ddpm_kernel_table;

/** The table in use: the best that this processor has, or the one that DDPM_ISA names. The same
 *  for the whole life of the process; may be called from any thread. */
const ddpm_kernel_table *ddpm_kernels__table(void);
/** The best that this processor has. */
const ddpm_kernel_table *ddpm_kernels__table_best(void);
/** True where the environment's DDPM_ISA is absent, or names a table that this processor can run.
 */
bool ddpm_kernels__table_is_as_asked(void);
/** "avx512bf16, avx512, avx2, generic": what this processor can run, for messages. */
const char *ddpm_kernels__table_names(void);
#endif
