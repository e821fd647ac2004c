/* F(4x4, 3x3) with V, U and D in float32. */
#include "winograd4_transforms.h"

#define DDPM_T(name) DDPM_K(winograd4_##name)
enum { PER_WORD = 1 };
#include "winograd_tiles.h"

extern const ddpm_winograd_kernels DDPM_K(winograd4);
const ddpm_winograd_kernels DDPM_K(winograd4) = WINOGRAD_KERNELS;
