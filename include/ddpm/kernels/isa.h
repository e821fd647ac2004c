/** @file kernels/isa.h  Which instruction set the kernels run, and the threads they use. */
#ifndef DDPM_KERNELS_ISA_H
#define DDPM_KERNELS_ISA_H
#include "ddpm/base/status.h"

#include <stdbool.h>

/** "avx512bf16", "avx512", "avx2" or "generic": the best that this processor has, or what the
 * environment's DDPM_ISA names. */
const char *ddpm_isa_name(void);
/** The same as far as the bits of results depend on it: in float32, avx512bf16 gives avx512's. */
const char *ddpm_isa_of_results(bool bf16);
/** The best that this processor has, whatever DDPM_ISA says. */
const char *ddpm_isa_best(void);
/** Whether it has instructions for products in bfloat16; the others emulate them, slowly. */
bool ddpm_isa_has_bf16(void);
/** DDPM_ECONFIG where DDPM_ISA names none, or one this processor lacks. Also makes BLAS use one
 *  thread a call; call once before the first kernel. */
DDPM_NODISCARD ddpm_status ddpm_kernels_init(void);
/** Threads for the kernels of this process; 0: as many as the affinity mask has cores. Results do
 *  not depend on it. Returns the number in use. */
int ddpm_kernels_set_threads(int threads);
int ddpm_kernels_threads(void);
/** "OpenBLAS 0.3.21 Haswell": for logs and for comparing ranks. */
const char *ddpm_blas_name(void);
#endif
