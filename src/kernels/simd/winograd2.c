/* F(2x2, 3x3) with V, U and D in float32. */
#include "winograd2_transforms.h"

#define DDPM_T(name) DDPM_K(winograd2_##name)
enum { PER_WORD = 1 };
#include "winograd_tiles.h"

extern const ddpm_winograd_kernels DDPM_K(winograd2);
const ddpm_winograd_kernels DDPM_K(winograd2) = WINOGRAD_KERNELS;
