/** @file train/model.h  From the configuration to the network and the diffusion process. */
#ifndef DDPM_TRAIN_MODEL_H
#define DDPM_TRAIN_MODEL_H
#include "ddpm/base/config.h"
#include "ddpm/data/dataset.h"
#include "ddpm/diffusion/schedule.h"
#include "ddpm/nn/unet.h"

/** model.* -> the network's configuration. DDPM_ECONFIG: see ddpm_unet_check; image size and
 *  channels must be known (model.image_size or ddpm_model_fit_data). */
DDPM_NODISCARD ddpm_status ddpm_model_unet_config(ddpm_unet_config *out, const ddpm_config *config);
/** diffusion.* -> the schedule; the caller frees *out. */
DDPM_NODISCARD ddpm_status ddpm_model_schedule(ddpm_schedule **out, const ddpm_config *config);
/** Fills model.image_size, image_width and image_channels where they are 0, and fails with
 *  DDPM_ECONFIG where they contradict the data, naming both. */
DDPM_NODISCARD ddpm_status ddpm_model_fit_data(ddpm_config *config, const ddpm_dataset_info *data);
#endif
