/** @file eval/features.h
 *  Files of feature vectors, from whatever network made them, and the names of those networks. A
 *  file is read with caps before any allocation: it may be a stranger's. */
#ifndef DDPM_EVAL_FEATURES_H
#define DDPM_EVAL_FEATURES_H
#include "ddpm/eval/frechet.h"

#include <jansson.h>

/** How features come about: network, weights, resizing, layer. Those of different protocols are not
 *  compared; the Frechet distance is called FID where the protocol is one that is. */
typedef struct {
    const char *name, *summary;
    size_t d;
    const char *frechet_name; /**< "FID" */
} ddpm_protocol;
extern const ddpm_protocol ddpm_protocols[];
extern const size_t ddpm_protocol_count;
/** By the name up to a colon, behind which may stand which weights they were. NULL: no protocol of
 *  ours; features of it have a Frechet distance, but no FID. */
const ddpm_protocol *ddpm_protocol_find(const char *name);

enum { DDPM_FEATURES_D_MOST = 8192, DDPM_PROTOCOL_NAME = 64, DDPM_FEATURES_IDENTITY = 256 };

typedef struct {
    char protocol[DDPM_PROTOCOL_NAME];
    char hash[72];            /**< "sha256:..." of the identity, where it is known, or the file */
    size_t n, d;              /**< n 0: only statistics are known */
    float *features;          /**< [n,D], or NULL */
    ddpm_feature_stats stats; /**< where features are NULL; else empty */
    json_t *about; /**< which images they are of: "path", "content_hash", "images" of a data set,
                        "compared" (n) of these, and how they came about; NULL: not known */
} ddpm_features;

/** An HDF5 file with /features [N,D] and its attribute "protocol", or an .npz with either
 *  "features" [N,D] or pytorch-fid's "mu" [D] and "sigma" [D,D], of float32 or float64. `protocol`:
 *  what the user says of a file that says nothing, or NULL. DDPM_ENOINPUT; DDPM_EDATA, also where
 *  a feature is not finite; DDPM_ECONFIG: no protocol is known, or another than the file's, or not
 *  its dimensions. Of an HDF5 file the attribute "images" (docs/formats.md) becomes `about`; one
 *  that makes no sense is left with a warning. */
DDPM_NODISCARD ddpm_status ddpm_features_read(ddpm_features *out, const char *path,
                                              const char *protocol);
void ddpm_features_free(ddpm_features *features);
/** Which features of `images` images of a data set, spread evenly over it, a network of ours makes
 * by weights of this hash. */
void ddpm_features_identity(char identity[DDPM_FEATURES_IDENTITY], const char *weights,
                            const char *content_hash, size_t images);
/** The hash of what they are known by. */
void ddpm_features_set_hash(ddpm_features *features, const void *bytes, size_t count);
/** What rank 0 read to all others, which free it too; statistics, where there are no features, and
 *  `about` stay with rank 0. Collective. DDPM_EOS. */
DDPM_NODISCARD ddpm_status ddpm_features_share(ddpm_features *features, ddpm_comm *comm);
/** DDPM_ECONFIG unless both are of one protocol and dimension. */
DDPM_NODISCARD ddpm_status ddpm_features_match(const ddpm_features *a, const ddpm_features *b);
/** Statistics of either kind, shared as ddpm_feature_stats_of where they are computed; of a file
 * that had nothing else they are on rank 0 alone, and empty elsewhere. Collective; NULL: this
 * process alone. The caller frees them. */
DDPM_NODISCARD ddpm_status ddpm_features_stats(ddpm_feature_stats *out,
                                               const ddpm_features *features, ddpm_comm *comm);
#endif
