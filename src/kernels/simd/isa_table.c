#include "../table.h"
#include "micro_gemm.h"

#define QUOTE(text)        #text
#define EXPAND_QUOTE(text) QUOTE(text)

extern const ddpm_winograd_kernels DDPM_K(winograd2), DDPM_K(winograd4);
extern const ddpm_winograd_kernels DDPM_K(winograd2_bf16), DDPM_K(winograd4_bf16);
extern const ddpm_kernel_table DDPM_K(table);
// clang-format off
const ddpm_kernel_table DDPM_K(table) = {
    .isa = EXPAND_QUOTE(DDPM_ISA),
    .panel = PANEL,
#if defined __AVX512BF16__
    .fast_bf16 = true,
#endif
    .winograd2 = &DDPM_K(winograd2),
    .winograd4 = &DDPM_K(winograd4),
    .winograd2_bf16 = &DDPM_K(winograd2_bf16),
    .winograd4_bf16 = &DDPM_K(winograd4_bf16),
#define ENTRY(name, arguments) .name = DDPM_K(name),
    DDPM_KERNEL_LIST(ENTRY)
#undef ENTRY
};
// clang-format on
