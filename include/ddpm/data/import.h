/** @file data/import.h
 *  Dataset files out of what others wrote. One table of importers, which the command line, its help
 *  and its checks read. */
#ifndef DDPM_DATA_IMPORT_H
#define DDPM_DATA_IMPORT_H
#include "ddpm/base/status.h"

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

/** Which options an importer understands. */
typedef enum {
    DDPM_IMPORT_LABELS = 1,
    DDPM_IMPORT_PAD = 2,
    DDPM_IMPORT_SIZE = 4,
    DDPM_IMPORT_CHANNELS = 8,
    DDPM_IMPORT_FOLDER_LABELS = 16,
    DDPM_IMPORT_SKIP_BROKEN = 32,
    DDPM_IMPORT_OBJECT = 64,
    DDPM_IMPORT_LAYOUT = 128,
    DDPM_IMPORT_RANGE = 256
} ddpm_import_option;

typedef struct {
    const char *output;
    const char *const *inputs; /**< files or folders, at least one; appended in this order */
    size_t input_count;
    const char *const *labels; /**< idx: a file for each input; hdf5: the one object */
    size_t label_count;
    const char *name, *source; /**< for the set's attributes; NULL: made from the inputs */
    size_t pad;                /**< height and width with a background around; 0: as they are */
    size_t size;               /**< images: height and width after crop and resize */
    size_t channels;           /**< images: 1 or 3 */
    bool folder_labels;        /**< images: the folders below the inputs are the classes */
    bool skip_broken;          /**< images: warn of files that cannot be read, and go on */
    const char *object;        /**< hdf5: path of the array; NULL: the only one that can be meant */
    const char *layout;        /**< hdf5: "nhw", "nhwc", "nchw"; NULL: as the sizes tell */
    bool has_range;            /**< hdf5: else the range is measured */
    double range_min, range_max;
    const volatile sig_atomic_t *stop; /**< not NULL: DDPM_EAGAIN soon after it is not 0 */
} ddpm_import_options;

typedef struct {
    const char *name, *inputs, *help;
    unsigned options; /**< ddpm_import_option, or'ed */
    /** Writes options->output, whole or not at all. DDPM_ENOINPUT, DDPM_EDATA, DDPM_EUSAGE, and as
     *  dataset.h's writer. */
    ddpm_status (*run)(const ddpm_import_options *options);
} ddpm_importer;

extern const ddpm_importer ddpm_importers[];
extern const size_t ddpm_importer_count;
/** NULL where there is none of this name. */
const ddpm_importer *ddpm_importer_find(const char *name);
#endif
