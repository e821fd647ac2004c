/* Activation memory. Every buffer of a pass has a lifetime on one axis of steps: operation i runs
 * forward at step i and, in training, backward at step ddpm_nn__backward_step(i), so that the
 * reversed tape continues the axis. Two buffers share bytes only where their lifetimes are
 * disjoint. All are laid out once, in one arena. */
#ifndef DDPM_NN_PLAN_H
#define DDPM_NN_PLAN_H
#include "ddpm/base/status.h"

#include <stddef.h>
#include <stdint.h>

#define DDPM_NN__NO_BUFFER SIZE_MAX

/* Forward steps lie below, backward steps from there on: no tape is as long, and empty steps cost
 * nothing. */
enum { DDPM_NN__TURN = 1 << 20 };

static inline size_t ddpm_nn__backward_step(size_t operation)
{
    return 2 * (size_t)DDPM_NN__TURN - 1 - operation;
}

typedef struct {
    size_t bytes, first, last; /* first and last step that touch it */
    size_t offset;             /* into the arena; a multiple of 64 */
} ddpm_nn__buffer;

typedef struct {
    size_t count, capacity;
    ddpm_nn__buffer *buffer;
    size_t arena_bytes; /* after ddpm_nn__plan_place */
} ddpm_nn__plan;

/* A buffer for steps first..last; *id names it from now on. DDPM_EOS. */
DDPM_NODISCARD ddpm_status ddpm_nn__plan_add(size_t *id, ddpm_nn__plan *plan, size_t bytes,
                                             size_t first, size_t last);
/* Makes buffer id live at `step` too, and at all steps between. */
void ddpm_nn__plan_extend(ddpm_nn__plan *plan, size_t id, size_t step);
/* Chooses every offset. DDPM_EOS. */
DDPM_NODISCARD ddpm_status ddpm_nn__plan_place(ddpm_nn__plan *plan);
void ddpm_nn__plan_free(ddpm_nn__plan *plan);
#endif
