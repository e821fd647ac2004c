/* Matrix products on panels of packed columns: see ddpm_panel_product. */
#ifndef DDPM_KERNELS_SIMD_MICRO_GEMM_H
#define DDPM_KERNELS_SIMD_MICRO_GEMM_H
#include "isa.h"

/* Columns of a panel: two registers, so that a row of c needs two and each broadcast element of a
 * serves two multiplications. */
enum { PANEL = 2 * LANES };
#endif
