/** @file extract.h  Features of images by a network, on all ranks. */
#ifndef EVAL_EXTRACT_H
#define EVAL_EXTRACT_H
#include "ddpm/eval/features.h"
#include "ddpm/eval/inception.h"
#include "eval.h"

enum { EVAL_EXTRACTIONS = 2 }; /* by one program: samples, and what they are compared with */

typedef struct {
    ddpm_comm *comm;
    const char *path;                               /**< of its weights */
    char directory[EVAL_PATH];                      /**< of what is done and not yet published */
    char partial[EVAL_EXTRACTIONS][EVAL_PATH + 64]; /**< its files; rank 0 */
    size_t partials;
    ddpm_inception *network;
    char weights[DDPM_SHA256_HEX]; /**< their hash */
    char protocol[DDPM_PROTOCOL_NAME];
} eval_extractor;

/** The network of a file that rank 0 reads. `directory`: where features are kept as they are made,
 *  so that an extraction that was stopped goes on. Collective. */
DDPM_NODISCARD ddpm_status eval_extractor_open(eval_extractor *extractor, ddpm_comm *comm,
                                               const char *path, const char *directory);
void eval_extractor_close(eval_extractor *extractor);
/** What was kept is not needed any more: what came of it is published. */
void eval_extractor_forget(const eval_extractor *extractor);
/** Features of at most `most` images (0: all) of a data set, on every rank; their hash is that of
 *  which images they are of. The same bits on any number of ranks and threads. DDPM_EAGAIN:
 * stopped. Collective. */
DDPM_NODISCARD ddpm_status eval_extract(ddpm_features *out, eval_extractor *extractor,
                                        const char *path, size_t most);
/** Features out of a file, which rank 0 alone reads, or where this is a data set by the extractor
 *  (NULL: none is there), on every rank (of a file with mean and covariance alone these are on rank
 *  0, as of any file is `about`). Collective. */
DDPM_NODISCARD ddpm_status eval_take_features(ddpm_features *out, ddpm_comm *comm,
                                              eval_extractor *extractor, const char *path,
                                              size_t most, const char *protocol);
#endif
