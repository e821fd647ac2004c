/** @file fuzz_checkpoint.h  A file opened as a checkpoint, and every part of it read and hashed. */
#ifndef FUZZ_CHECKPOINT_H
#define FUZZ_CHECKPOINT_H
#include "fuzz.h"

#include "ddpm/train/checkpoint.h"
#include "ddpm/train/model.h"

#include <stdlib.h>
#include <string.h>

static inline void fuzz_part(ddpm_checkpoint *checkpoint, float *flat, const ddpm_params *params,
                             ddpm_checkpoint_part part, size_t ema_index)
{
    char hash[DDPM_XXH128_HEX], again[DDPM_XXH128_HEX];
    const ddpm_status read = ddpm_checkpoint_read(checkpoint, flat, params, part, ema_index);
    fuzz_check(read);
    const ddpm_status hashed = ddpm_checkpoint_hash(checkpoint, part, ema_index, hash);
    fuzz_check(hashed);
    if (read != DDPM_OK || hashed != DDPM_OK) return;
    ddpm_flat_hash(again, flat, params);
    FUZZ_REQUIRE(strcmp(hash, again) == 0);
}

static inline void fuzz_checkpoint(const char *path)
{
    ddpm_checkpoint *checkpoint;
    const ddpm_status status = ddpm_checkpoint_open(&checkpoint, path);
    fuzz_check(status);
    if (status != DDPM_OK) return;
    const ddpm_params *params = ddpm_checkpoint_params(checkpoint);
    float *flat = calloc(params->total, sizeof *flat);
    FUZZ_REQUIRE(flat);
    fuzz_part(checkpoint, flat, params, DDPM_PART_MODEL, 0);
    fuzz_part(checkpoint, flat, params, DDPM_PART_M, 0);
    fuzz_part(checkpoint, flat, params, DDPM_PART_V, 0);
    for (size_t i = 0; i < ddpm_checkpoint_ema_count(checkpoint); i++)
        fuzz_part(checkpoint, flat, params, DDPM_PART_EMA, i);
    /* What a program does next: the network of its configuration, which may be any. */
    ddpm_unet_config network;
    const ddpm_status built = ddpm_model_unet_config(&network, ddpm_checkpoint_config(checkpoint));
    FUZZ_REQUIRE(built == DDPM_OK || *ddpm_status_message());
    free(flat);
    ddpm_checkpoint_close(checkpoint);
}
#endif
