/* What a file of features says about where they come from. */
#ifndef FEATURES_ORIGIN_H
#define FEATURES_ORIGIN_H
#include "ddpm/eval/features.h"
#include "ddpm/io/h5.h"

/* By the attributes of /features sets `about`, and where the network is ours too, the hash of the
 * features (ddpm_features_identity). What makes no sense is left with a warning. features: n and
 * protocol are known. */
void features_read_origin(ddpm_features *features, ddpm_h5 *file, const char *path);
#endif
