/** @file checkpoint_format.h
 *  What writer and reader of checkpoints agree on: where in the HDF5 file a thing lies
 *  (docs/formats.md). */
#ifndef CHECKPOINT_FORMAT_H
#define CHECKPOINT_FORMAT_H
#include "ddpm/io/h5.h"
#include "ddpm/train/checkpoint.h"

#define DDPM_CHECKPOINT_FORMAT     "ddpm-dist checkpoint"
#define DDPM_CHECKPOINT_IMPORTANCE "/objective/losses" /* since 1.1 */

enum { DDPM_CHECKPOINT_PATH = 192, DDPM_CHECKPOINT_GROUP = 48 };

/** One field of ddpm_progress: a dataset of /progress, an attribute of the file, or both (then the
 *  dataset is what is read). */
typedef struct {
    const char *name;
    size_t offset, size; /**< in ddpm_progress */
    enum { DDPM_FIELD_TEXT, DDPM_FIELD_U64, DDPM_FIELD_F64, DDPM_FIELD_INT } type;
    bool dataset, attribute;
    bool optional; /**< an attribute that older files do not have: then 0 or "" */
} ddpm_progress_field;

extern const ddpm_progress_field ddpm_train__progress_fields[];
extern const size_t ddpm_train__progress_field_count;

/** "/model", "/optimizer/m", "/optimizer/v", "/ema/0.9999"; returns `group`. */
const char *ddpm_train__part_group(char group[DDPM_CHECKPOINT_GROUP], ddpm_checkpoint_part part,
                                   double decay);
/** "/model" and "conv_in.weight" -> "/model/conv_in/weight"; returns `path`. */
const char *ddpm_train__tensor_path(char path[DDPM_CHECKPOINT_PATH], const char *group,
                                    const char *name);
/** The way back; false where the name would not fit or has a dot of its own. */
bool ddpm_train__tensor_name(char *name, size_t size, const char *group, const char *path);
/** Of the checkpoint of that step; DDPM_EUSAGE where it does not fit. */
DDPM_NODISCARD ddpm_status ddpm_train__checkpoint_path(char *path, size_t size,
                                                       const char *directory, uint64_t step);
/** Everything that a checkpoint has, into an HDF5 file in memory (ddpm_h5_create_image). */
DDPM_NODISCARD ddpm_status ddpm_train__checkpoint_fill(ddpm_h5 *file, const ddpm_config *config,
                                                       const ddpm_params *params,
                                                       const ddpm_state *state,
                                                       const ddpm_progress *progress);
/** The HDF5 file behind an open checkpoint, owned by it. */
ddpm_h5 *ddpm_train__checkpoint_file(ddpm_checkpoint *checkpoint);
#endif
