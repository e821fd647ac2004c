/** @file train/plan.h  What a run will take, before anything runs. */
#ifndef DDPM_TRAIN_PLAN_H
#define DDPM_TRAIN_PLAN_H
#include "ddpm/base/config.h"
#include "ddpm/base/memory.h"
#include "ddpm/nn/unet.h"

typedef struct {
    ddpm_unet_config unet;
    ddpm_unet_needs needs;       /**< of the training network at train.micro_batch */
    uint64_t parameters;         /**< what papers count */
    uint64_t micro_batches;      /**< a step, over all ranks */
    uint64_t rank_micro_batches; /**< of the rank that has most */
    /** Of the rank that takes most: rank 0, which also writes checkpoints. */
    uint64_t memory_bytes[DDPM_MEMORY_KINDS], memory_total_bytes;
    uint64_t checkpoint_bytes;
} ddpm_plan;

/** What is known of the data. */
typedef struct {
    uint64_t bytes;           /**< that open data sets take */
    uint64_t held_out_images; /**< in eval.data; 0: not known */
} ddpm_plan_data;

/** For `ranks` ranks; NULL: no data is there. Image sizes must be known. DDPM_ECONFIG. */
DDPM_NODISCARD ddpm_status ddpm_plan_make(ddpm_plan *plan, const ddpm_config *config, int ranks,
                                          const ddpm_plan_data *data);
/** DDPM_EOS, with the numbers and what would help, where `ranks_on_node` such ranks do not fit into
 *  the memory that this process may use. */
DDPM_NODISCARD ddpm_status ddpm_plan_check_memory(const ddpm_plan *plan, int ranks_on_node);
#endif
