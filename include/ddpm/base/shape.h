/** @file base/shape.h  The one tensor shape of this code: [N,H,W,C], C fastest. */
#ifndef DDPM_BASE_SHAPE_H
#define DDPM_BASE_SHAPE_H
#include <stddef.h>

typedef struct {
    size_t n, h, w, c;
} ddpm_shape;

static inline size_t ddpm_shape_pixels(ddpm_shape s)
{
    return s.n * s.h * s.w;
}
static inline size_t ddpm_shape_count(ddpm_shape s)
{
    return ddpm_shape_pixels(s) * s.c;
}
#endif
