/** @file inspect.h
 *  ddpm-inspect: a table of commands, each a function of the command line that prints to standard
 *  output and returns the exit code. */
#ifndef INSPECT_H
#define INSPECT_H
#include "ddpm/train/checkpoint.h"

#include <jansson.h>
#include <stdbool.h>

typedef struct {
    char **paths; /**< checkpoints, or directories that have some */
    size_t path_count;
    bool json;
    const char *part; /**< "model", "ema", "m", "v"; NULL: not said */
    const char *rate; /**< of the average, as text; NULL: the first */
} inspect_options;

int inspect_summary(const inspect_options *options);
int inspect_tree(const inspect_options *options);
int inspect_stats(const inspect_options *options);
int inspect_verify(const inspect_options *options);
int inspect_diff(const inspect_options *options);
int inspect_config(const inspect_options *options);

/** A flat buffer that a checkpoint has. */
typedef struct {
    ddpm_checkpoint_part part;
    size_t ema_index;
    char label[48]; /**< "model", "ema/0.9999", "optimizer/m" */
} inspect_part;
enum { INSPECT_PARTS = 3 + DDPM_EMA_MOST };

/** All of them, in order; returns how many. */
size_t inspect_parts(inspect_part parts[INSPECT_PARTS], const ddpm_checkpoint *checkpoint);
/** The one that --part and --rate ask for. DDPM_EUSAGE names what there is. */
DDPM_NODISCARD ddpm_status inspect_find_part(inspect_part *out, const ddpm_checkpoint *checkpoint,
                                             const char *part, const char *rate);

enum { INSPECT_PATH = 4096 };
/** Opens what ddpm_checkpoint_find makes of the argument; the caller closes *out. */
DDPM_NODISCARD ddpm_status inspect_open(ddpm_checkpoint **out, char path[INSPECT_PATH],
                                        const char *argument);
/** A part as a flat buffer of the checkpoint's own table; the caller frees it (ddpm_memory_free).
 */
DDPM_NODISCARD ddpm_status inspect_load(float **flat, ddpm_checkpoint *checkpoint,
                                        const inspect_part *part);
/** Says what went wrong, on standard error and with --json as {"valid": false, "error": ...}
 * (without "valid" where the command line is at fault); returns the exit code. */
int inspect_failed(const inspect_options *options, ddpm_status status);

/** "3x3x64x128" */
const char *inspect_shape(char text[96], const ddpm_param *param);

/** Prints and frees it; returns 0, or the exit code where standard output cannot be written. */
int inspect_print_json(json_t *object);
/** A number, or null where it is not finite: JSON has no NaN. */
json_t *inspect_json_real(double value);
/** {section: {key: value}}, typed as the keys are. */
json_t *inspect_json_config(const ddpm_config *config);
json_t *inspect_json_shape(const ddpm_param *param);
#endif
