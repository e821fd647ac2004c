/* F(4x4, 3x3) with V, U and D in bfloat16. */
#include "winograd4_transforms.h"

#define DDPM_T(name) DDPM_K(winograd4_bf16_##name)
enum { PER_WORD = 2 };
#include "winograd_tiles.h"

extern const ddpm_winograd_kernels DDPM_K(winograd4_bf16);
const ddpm_winograd_kernels DDPM_K(winograd4_bf16) = WINOGRAD_KERNELS;
