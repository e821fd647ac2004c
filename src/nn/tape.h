/* The network as a list of operations in the order of the forward pass. Operation i takes values
 * that came before and makes value i + 1; value 0 is the network's input. */
#ifndef DDPM_NN_TAPE_H
#define DDPM_NN_TAPE_H
#include "attention_block.h"
#include "conv_block.h"
#include "resblock.h"
#include "time_embedding.h"

#include "ddpm/nn/unet.h"

#define DDPM_NN__NO_VALUE SIZE_MAX

typedef struct {
    ddpm_shape shape;
    size_t data, grad; /* buffers; DDPM_NN__NO_BUFFER where the caller of a pass gives the memory */
} ddpm_nn__value;

typedef enum {
    DDPM_NN__TIME_EMBEDDING, /* operation 0; its value is e, which every residual block takes */
    DDPM_NN__CONV_BLOCK,
    DDPM_NN__RESBLOCK,
    DDPM_NN__ATTENTION_BLOCK
} ddpm_nn__op_kind;

typedef struct {
    ddpm_nn__op_kind kind;
    char name[64];    /* prefix of its parameters: "down_blocks.0.resnets.1" */
    size_t x, skip;   /* values it takes */
    bool adds;        /* in the backward pass others have been at the gradient of x before: dx is */
    size_t dx;        /* computed in this buffer and added; else it is the gradient of x itself */
    bool starts_skip; /* nobody has been at the gradient of the skip before */
    size_t param_begin, param_end; /* its range of the flat buffers, padding included */
    double macs;                   /* forward, whole batch */
    union {
        ddpm_nn__time_embedding time;
        ddpm_nn__conv_block conv;
        ddpm_nn__resblock res;
        ddpm_nn__attention_block attention;
    } block;
} ddpm_nn__op;

enum { DDPM_NN__INPUT = 0, DDPM_NN__E = 1 }; /* values */

typedef struct {
    size_t count; /* operations; the values are one more */
    ddpm_nn__op *op;
    ddpm_nn__value *value;
    uint32_t resblocks;
} ddpm_nn__tape;

/* The tape of a checked configuration, with its needs in `build`, which is then finished. After a
 * failure the tape must still be freed. */
DDPM_NODISCARD ddpm_status ddpm_nn__tape_create(ddpm_nn__tape *tape, ddpm_nn__build *build,
                                                const ddpm_unet_config *config, size_t batch);
void ddpm_nn__tape_free(ddpm_nn__tape *tape);

/* The 3x3 convolutions of an operation, at most two; returns how many. */
size_t ddpm_nn__op_convs(ddpm_nn__conv *convs[2], ddpm_nn__op *op);
#endif
