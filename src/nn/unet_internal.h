#ifndef DDPM_NN_UNET_INTERNAL_H
#define DDPM_NN_UNET_INTERNAL_H
#include "tape.h"

struct ddpm_unet {
    ddpm_unet_config config;
    size_t batch;
    ddpm_unet_mode mode;
    ddpm_nn__build build;
    ddpm_nn__tape tape;
    ddpm_nn__run run;
    uint64_t *sample_index;  /* [batch]: the last forward call's, for the backward pass */
    int64_t *class_of_image; /* [batch] */
    float *packed;           /* of the frozen weights, or NULL */
    const float *frozen;
};
#endif
