/** @file nn/params.h
 *  The table of parameters: names (those of diffusers' UNet2DModel), shapes, offsets into the flat
 *  buffers, initialisation. In forward order. Every flat buffer (weights, gradient, m, v, EMA) has
 *  this table's length and order. */
#ifndef DDPM_NN_PARAMS_H
#define DDPM_NN_PARAMS_H
#include "ddpm/base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum {
    DDPM_LAYOUT_VECTOR, /**< [C]: biases, norm scales and offsets */
    DDPM_LAYOUT_IO,     /**< [in][out]: linear layers and 1x1 convolutions */
    DDPM_LAYOUT_HWIO    /**< [3][3][in][out] */
} ddpm_layout;
/** "vector", "IO", "HWIO": the attribute in checkpoints. */
const char *ddpm_layout_name(ddpm_layout layout);

typedef enum {
    DDPM_INIT_ZERO,
    DDPM_INIT_ONE,
    DDPM_INIT_UNIFORM /**< limit sqrt(6 scale / (fan_in + fan_out)), fans with the 3x3 window */
} ddpm_init;

typedef struct {
    char name[96]; /**< "down_blocks.0.resnets.0.conv1.weight" */
    ddpm_layout layout;
    size_t rank, shape[4]; /**< in the layout's order */
    size_t offset, count;  /**< in floats */
    ddpm_init init;
    double init_scale; /**< 1, or 1e-10 where the block starts as the identity */
    bool is_conv1x1;   /**< [out,in,1,1] in diffusers' files, although IO here */
} ddpm_param;

typedef struct {
    size_t count, total; /**< tensors; floats in all, padding between tensors included */
    size_t parameters;   /**< floats that are parameters: what papers count */
    ddpm_param *param;
} ddpm_params;

/** The row of that name, or NULL. */
const ddpm_param *ddpm_params_find(const ddpm_params *params, const char *name);
/** The row that holds the float at `offset`, or NULL (padding). */
const ddpm_param *ddpm_params_at(const ddpm_params *params, size_t offset);
/** Fills weights [params->total] by the official initialisation (Ho et al.'s code): a function of
 *  seed alone. Padding becomes 0. */
void ddpm_params_init(float *weights, const ddpm_params *params, uint64_t seed);
#endif
