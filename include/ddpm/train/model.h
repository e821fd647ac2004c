/** @file train/model.h  From the configuration to the network and the diffusion process. */
#ifndef DDPM_TRAIN_MODEL_H
#define DDPM_TRAIN_MODEL_H
#include "ddpm/base/config.h"
#include "ddpm/data/dataset.h"
#include "ddpm/diffusion/loss.h"
#include "ddpm/nn/unet.h"
#include "ddpm/train/sample.h"

/** model.* -> the network's configuration. DDPM_ECONFIG: see ddpm_unet_check; image size and
 *  channels must be known (model.image_size or ddpm_model_fit_data). */
DDPM_NODISCARD ddpm_status ddpm_model_unet_config(ddpm_unet_config *out, const ddpm_config *config);
/** diffusion.* -> the schedule, or the flow; the caller frees *out. */
DDPM_NODISCARD ddpm_status ddpm_model_schedule(ddpm_schedule **out, const ddpm_config *config);
/** objective.* for that schedule, which must outlive it. DDPM_ECONFIG: what does not go together.
 */
DDPM_NODISCARD ddpm_status ddpm_model_objective(ddpm_objective *out, const ddpm_config *config,
                                                const ddpm_schedule *schedule);
/** objective.prediction, or what "auto" stands for. */
const char *ddpm_model_prediction(const ddpm_config *config);
/** "eps by mse, min-SNR 5, variance fixedlarge, timesteps stratified; 10 classes, 0.1 withheld";
 *  returns `text`. */
const char *ddpm_model_objective_text(char *text, size_t size, const ddpm_config *config);
enum { DDPM_MODEL_IDLE_TEXT = 2048 /**< what is longer is cut */ };
/** "diffusion.beta_end = 0.4 (run.ini:7): without effect under diffusion.process = flow
 * (run.ini:5)": keys that this process or noise schedule does not look at, though they were given
 * another value than the default; "" where there are none. Returns `text`, of DDPM_MODEL_IDLE_TEXT
 * bytes. */
const char *ddpm_model_idle_text(char *text, size_t size, const ddpm_config *config);
/** sample.sampler, or what "auto" stands for. */
const char *ddpm_model_sampler(const ddpm_config *config);
/** What sampling from such a network by options->sampler takes: its prediction and variance, and
 *  for xprev clipping before eps is derived. DDPM_ECONFIG as above. */
DDPM_NODISCARD ddpm_status ddpm_model_sampling(ddpm_sample_options *options,
                                               const ddpm_config *config,
                                               const ddpm_schedule *schedule);
/** What ddpm_config_check does not know of: whether process, objective and the sampler of the grids
 *  (where there are any) go together. DDPM_ECONFIG names keys and where they were set. */
DDPM_NODISCARD ddpm_status ddpm_model_check(const ddpm_config *config);
/** Fills model.image_size, image_width and image_channels where they are 0, and fails with
 *  DDPM_ECONFIG where they contradict the data, naming both. */
DDPM_NODISCARD ddpm_status ddpm_model_fit_data(ddpm_config *config, const ddpm_dataset_info *data);
/** DDPM_ECONFIG where the images of eval.data cannot be judged as those of data.path: another size,
 *  type, range, or labels that do not fit. */
DDPM_NODISCARD ddpm_status ddpm_model_check_held_out(const ddpm_config *config,
                                                     const ddpm_dataset_info *held_out,
                                                     const ddpm_dataset_info *training);
#endif
