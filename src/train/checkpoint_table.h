/** @file checkpoint_table.h  The table of parameters as a checkpoint has it. */
#ifndef CHECKPOINT_TABLE_H
#define CHECKPOINT_TABLE_H
#include "checkpoint_format.h"

/** Rebuilds the table from the datasets of /model, in the order of their offsets. The file is held
 *  against itself: types, shapes against layouts, no overlap, the root's totals. DDPM_EDATA,
 * DDPM_EOS. The caller frees params->param. Initialisation is not part of a checkpoint: all ZERO.
 */
DDPM_NODISCARD ddpm_status ddpm_train__table_read(ddpm_params *params, ddpm_h5 *file);
#endif
