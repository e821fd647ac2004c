/* The methods behind ddpm/kernels/conv.h: each computes some or all of the three directions for
 * the shapes it supports; the plan holds one for each direction. */
#ifndef DDPM_KERNELS_CONV3X3_H
#define DDPM_KERNELS_CONV3X3_H
#include "ddpm/base/arena.h"
#include "ddpm/kernels/conv.h"

#include <stdbool.h>

typedef enum {
    DDPM_CONV_FORWARD,
    DDPM_CONV_BACKWARD_DATA,
    DDPM_CONV_BACKWARD_WEIGHTS,
    DDPM_CONV_DIRECTIONS
} ddpm_conv_direction;

/* Scratch: with arena->base NULL a function takes what it wants from the arena, computes nothing
 * and returns, so that what is counted is what is used. */
typedef struct ddpm_conv_method {
    const char *name;
    size_t tile; /* m of Winograd's F(m x m, 3 x 3); 0 for the others */
    bool (*supports)(const ddpm_conv3x3 *op);
    /* Nanoseconds, roughly, of one core with AVX-512. Only ratios between the methods for one shape
     * matter: they hold for other processors too, so that all ranks and machines pick the same. */
    double (*cost)(const struct ddpm_conv_method *self, const ddpm_conv3x3 *op,
                   ddpm_conv_direction direction);
    size_t (*packed_bytes)(const ddpm_conv3x3_plan *plan); /* NULL: has no packed form */
    void (*pack)(float *packed, const float *w, const ddpm_conv3x3_plan *plan);
    void (*forward)(float *y, const float *x, const float *w, const float *packed,
                    const ddpm_conv3x3_addends *addends, ddpm_arena *scratch,
                    const ddpm_conv3x3_plan *plan);
    void (*backward_data)(float *dx, const float *dy, const float *w, ddpm_arena *scratch,
                          const ddpm_conv3x3_plan *plan);
    void (*backward_weights)(float *dw, const float *dy, const float *x, ddpm_arena *scratch,
                             const ddpm_conv3x3_plan *plan);
} ddpm_conv_method;

extern const ddpm_conv_method ddpm_kernels__conv_im2col;
extern const ddpm_conv_method ddpm_kernels__conv_kn2row;
extern const ddpm_conv_method ddpm_kernels__conv_winograd2;
extern const ddpm_conv_method ddpm_kernels__conv_winograd4;

enum { DDPM_CONV_METHODS = 4 };
extern const ddpm_conv_method *const ddpm_kernels__conv_methods[DDPM_CONV_METHODS];

struct ddpm_conv3x3_plan {
    ddpm_conv3x3 op;
    ddpm_shape out;
    int threads;
    const ddpm_conv_method *method[DDPM_CONV_DIRECTIONS];
    size_t scratch_bytes;
};

/* The plan of given methods, which must support op: for tests and benchmarks. */
DDPM_NODISCARD ddpm_status
ddpm_kernels__conv3x3_plan_with(ddpm_conv3x3_plan **out, const ddpm_conv3x3 *op,
                                const ddpm_conv_method *const method[DDPM_CONV_DIRECTIONS]);
#endif
