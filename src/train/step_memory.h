/* The buffers of a training step beside the network's: the flat state, and one micro-batch on its
 * way. The plan counts them with the same numbers. */
#ifndef DDPM_TRAIN_STEP_MEMORY_H
#define DDPM_TRAIN_STEP_MEMORY_H
#include "ddpm/base/config.h"
#include "ddpm/diffusion/prediction.h"
#include "ddpm/dist/reducer.h"
#include "ddpm/train/checkpoint.h"

typedef struct {
    float *xt, *eps, *target;   /* [micro_batch, H W C] */
    float *output;              /* the network's, and its gradient [micro_batch, H W outputs C] */
    float *said, *variance;     /* its halves where it says two things, else `output` and NULL */
    float *network_t;           /* [micro_batch] */
    ddpm_level *level;          /* [micro_batch] */
    double *weight, *per_image; /* [micro_batch] */
    int64_t *class;             /* [micro_batch] */
} ddpm_step_memory;

/* Of one image of floats each, at most. */
enum { DDPM_STEP_IMAGE_BUFFERS = 7 };

/* outputs: 2 where the network says something of the variance, else 1. Take all of it; the structs
 * are to be zero before. On failure what was taken is still to be freed. DDPM_EOS. */
DDPM_NODISCARD ddpm_status ddpm_train__step_memory(ddpm_step_memory *memory,
                                                   const ddpm_config *config, size_t image_floats,
                                                   size_t outputs);
/* Where the optimiser is sharded, whole moments and averages are rank 0's alone, for checkpoints.
 */
DDPM_NODISCARD ddpm_status ddpm_train__state_memory(ddpm_state *state, const ddpm_config *config,
                                                    size_t floats, int rank, int ranks);
void ddpm_train__step_memory_free(ddpm_step_memory *memory);
void ddpm_train__state_memory_free(ddpm_state *state);

/* dist.* as it is on so many ranks. */
bool ddpm_train__is_sharded(const ddpm_config *config, int ranks);
ddpm_reducer_options ddpm_train__reducer_options(const ddpm_config *config, int ranks);
#endif
