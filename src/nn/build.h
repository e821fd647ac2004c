/* What the blocks of a network share. While it is built: the table of parameters, the plan of
 * activation memory, the largest scratch. While it runs: where all that lies. */
#ifndef DDPM_NN_BUILD_H
#define DDPM_NN_BUILD_H
#include "plan.h"

#include "ddpm/base/status.h"
#include "ddpm/kernels/dropout.h"
#include "ddpm/nn/params.h"

#include <stdbool.h>

typedef struct {
    ddpm_status status; /* the first failure: after it, adding does nothing */
    bool training;
    bool keep;        /* what is cheap to do again is kept for the backward pass instead */
    bool bf16;        /* of large products */
    size_t operation; /* the one that is being built */
    ddpm_params params;
    size_t params_capacity;
    ddpm_nn__plan plan;
    size_t scratch_bytes; /* the most that one kernel call asks for */
    size_t packed_floats; /* of all convolutions' packed weights */
    double macs;          /* multiply-accumulates of a forward pass, whole batch */
} ddpm_nn__build;

/* How long a block's buffer is needed. */
typedef enum {
    DDPM_NN__FORWARD, /* while its operation runs forward */
    DDPM_NN__KEPT,    /* from there to its backward step; in inference like DDPM_NN__FORWARD */
    DDPM_NN__BACKWARD /* while its operation runs backward; in inference DDPM_NN__NO_BUFFER */
} ddpm_nn__life;

void ddpm_nn__build_init(ddpm_nn__build *build, bool training);
/* A row of the table named "prefix.layer.kind"; prefix may be "". `row` gives layout, rank, shape,
 * init, init_scale, is_conv1x1. Returns its offset in the flat buffers, in floats. */
size_t ddpm_nn__add_param(ddpm_nn__build *build, const ddpm_param *row, const char *prefix,
                          const char *layer, const char *kind);
/* Bytes for the current operation; returns the buffer's id. */
size_t ddpm_nn__add_buffer(ddpm_nn__build *build, size_t bytes, ddpm_nn__life life);
size_t ddpm_nn__add_floats(ddpm_nn__build *build, size_t count, ddpm_nn__life life);
/* The buffer of the backward pass for what `forward` holds: a new one, into which it is computed
 * again, or, where build->keep says so, `forward` itself, which lives as long then. */
size_t ddpm_nn__add_again(ddpm_nn__build *build, size_t forward);
void ddpm_nn__add_scratch(ddpm_nn__build *build, size_t bytes);
/* Places the buffers; the first failure of all that was added. */
DDPM_NODISCARD ddpm_status ddpm_nn__build_finish(ddpm_nn__build *build);
void ddpm_nn__build_free(ddpm_nn__build *build);

typedef void ddpm_nn__draw_mask(uint8_t *mask, uint64_t seed, const uint64_t *sample_index,
                                const ddpm_dropout *op);

/* One pass over the tape. */
typedef struct {
    const ddpm_nn__buffer *buffer;
    unsigned char *arena;
    void *scratch;
    const float *weights, *packed; /* flat; packed convolution weights, or NULL */
    float *grads;                  /* flat */
    ddpm_nn__draw_mask *draw;      /* NULL: no dropout */
    uint64_t seed;
    const uint64_t *sample_index;  /* [N] */
    const int64_t *class_of_image; /* [N] */
} ddpm_nn__run;

/* Takes the arena and the scratch that `build` asks for, and no more. DDPM_EOS. */
DDPM_NODISCARD ddpm_status ddpm_nn__run_create(ddpm_nn__run *run, const ddpm_nn__build *build);
void ddpm_nn__run_free(ddpm_nn__run *run);

/* Buffer id of the arena; NULL for DDPM_NN__NO_BUFFER. */
static inline void *ddpm_nn__at(const ddpm_nn__run *run, size_t id)
{
    return id == DDPM_NN__NO_BUFFER ? NULL : run->arena + run->buffer[id].offset;
}
#endif
