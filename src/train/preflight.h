/* What must be the same on all ranks, or the bits would not be; and what the user is told first. */
#ifndef DDPM_TRAIN_PREFLIGHT_H
#define DDPM_TRAIN_PREFLIGHT_H
#include "ddpm/base/config.h"
#include "ddpm/data/dataset.h"
#include "ddpm/dist/comm.h"
#include "ddpm/train/plan.h"

/* DDPM_ECONFIG names what differs, and on which rank. Collective. */
DDPM_NODISCARD ddpm_status ddpm_train__require_same(ddpm_comm *comm, const ddpm_config *config,
                                                    const ddpm_dataset_info *data);
/* The start message, on rank 0. */
void ddpm_train__describe(const ddpm_comm *comm, const ddpm_config *config, const ddpm_plan *plan,
                          const ddpm_dataset_info *data, int threads);
#endif
